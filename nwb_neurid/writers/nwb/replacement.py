"""Putting a changed copy of a file in its place, or leaving everything as it was."""

import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from nwb_neurid._system.atomic import is_alive
from nwb_neurid._system.lock import alone
from nwb_neurid.errors import CannotWrite, SourceChanged, SourceNotFound

PARTIAL = ".neurid-partial"
FICLONE = 0x40049409  # linux/fs.h: let one file share the blocks of another
UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells that a file, or a Zarr folder with all that is in it, is still the one that was read."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Fingerprint":
        """That of the file at `path`.

        Raises
        ------
        SourceNotFound
            If there is none.
        """
        try:
            status = path.stat()
            inside = [each.stat() for each in path.rglob("*")] if path.is_dir() else []
        except FileNotFoundError:
            raise SourceNotFound(f"{path} does not exist.") from None
        size = sum(each.st_size for each in inside) if path.is_dir() else status.st_size
        return cls(size, max(each.st_mtime_ns for each in (status, *inside)), status.st_ino)

    def check(self, path: Path) -> None:
        """Refuse to go on with another file.

        Raises
        ------
        SourceChanged
            If the file at `path` is gone or has another fingerprint.
        """
        try:
            changed = Fingerprint.of(path) != self
        except SourceNotFound:
            raise SourceChanged(f"{path} vanished after it was read; nothing was written.") from None
        if changed:
            raise SourceChanged(f"{path} changed after it was read; nothing was written. Start again.")


@contextmanager
def replacement(
    source: Path, target: Path, fingerprint: Fingerprint, extra_bytes: int, *, copied: bool = True
) -> Iterator[Path]:
    """A copy of `source` that takes the place of `target` when the block ends without an error.

    Until then nothing but hidden files beside `target` is touched, and those are gone afterwards; what a killed
    process left is removed first.

    Parameters
    ----------
    source, target
        Files, or the same file, links followed.
    fingerprint
        What `source` must be until the end.
    extra_bytes
        By how much the copy will grow; the room is reserved where the file system can.
    copied
        Whether the file at the path that is given is a copy already; otherwise it is empty, and no room is reserved.

    Raises
    ------
    CannotWrite
        If another process is writing `target`, or the disk has too little room.
    SourceChanged
        If `source` is not what was read.
    """
    with alone(target) as sure:
        remove_leftovers(target)
        copy = target.with_name(f".{target.name}{PARTIAL}") if sure else _own(target)
        try:
            fingerprint.check(source)
            if copied:
                check_room(source, target, extra_bytes)
            else:
                check_free(target, extra_bytes)
            _create(copy, target)
            if copied:
                _copy(source, copy, extra_bytes)
            fingerprint.check(source)
            yield copy
            if target.exists():
                _keep_permissions(target, copy)
            with copy.open("rb+") as file:
                os.fsync(file.fileno())
            fingerprint.check(source)
            copy.replace(target)
        finally:
            copy.unlink(missing_ok=True)
        fsync_folder(target.parent)


def check_room(source: Path, target: Path, extra_bytes: int = 0) -> None:
    """Refuse to begin what would fill the disk.

    Raises
    ------
    CannotWrite
        If the disk of `target` has no room for a copy of `source` that is larger by `extra_bytes`.
    """
    needed_bytes, free_bytes = source.stat().st_size + extra_bytes, shutil.disk_usage(target.parent).free
    if free_bytes < needed_bytes and not (free_bytes >= extra_bytes and _can_clone(source, target)):
        raise CannotWrite(
            f"{target} cannot be written: the disk needs {needed_bytes / 1e6:,.1f} MB for a while and has "
            f"{free_bytes / 1e6:,.1f} MB free. Make room, or write to another disk (--output)."
        )


def check_free(target: Path, extra_bytes: int) -> None:
    """Refuse to begin what would fill the disk.

    Raises
    ------
    CannotWrite
        If the disk of `target` has not that much room.
    """
    free_bytes = shutil.disk_usage(target.parent).free
    if free_bytes < extra_bytes:
        raise CannotWrite(
            f"{target} cannot be written: the disk needs {extra_bytes / 1e6:,.1f} MB and has "
            f"{free_bytes / 1e6:,.1f} MB free. Make room, or write to another disk (--output)."
        )


def _own(target: Path) -> Path:
    """A hidden file beside `target` that no other process has."""
    return target.with_name(f".{target.name}.{socket.gethostname()}-{os.getpid()}{PARTIAL}")


def leftovers(target: Path) -> list[Path]:
    """Hidden files beside `target` of processes that are writing it, or were killed."""
    if not target.parent.is_dir():
        return []
    hidden = f".{target.name}."
    return [other for other in target.parent.iterdir() if other.name.startswith(hidden)]


def remove_leftovers(target: Path) -> None:
    """Whatever killed processes left: under the lock none is alive, and without locks the name tells whose it is."""
    target.with_name(f".{target.name}{PARTIAL}").unlink(missing_ok=True)
    own = f".{target.name}.{socket.gethostname()}-"
    for other in leftovers(target):
        if other.name.startswith(own) and other.name.endswith(PARTIAL):
            process = other.name.removeprefix(own).removesuffix(PARTIAL)
            if process.isdecimal() and not is_alive(int(process)):
                other.unlink(missing_ok=True)


def _create(copy: Path, target: Path) -> None:
    """Nobody may read the copy who may not read the file that it replaces."""
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if target.exists() else 0o666))


def _copy(source: Path, copy: Path, extra_bytes: int) -> None:
    if not _cloned(source, copy):
        shutil.copyfile(source, copy)
    reserve(copy, extra_bytes)


def _can_clone(source: Path, target: Path) -> bool:
    probe = _own(target)  # what is called so goes with the next run, should this one be killed
    try:
        probe.touch(0o600)
        return _cloned(source, probe)
    finally:
        probe.unlink(missing_ok=True)


def _cloned(source: Path, copy: Path) -> bool:
    """Whether the file system let the copy share the blocks of the source, which takes no time and no room."""
    if sys.platform != "linux":
        return False
    import fcntl

    with source.open("rb") as original, copy.open("rb+") as clone:
        try:
            fcntl.ioctl(clone.fileno(), FICLONE, original.fileno())
        except OSError:
            return False
    return True


def reserve(path: Path, extra_bytes: int) -> None:
    """Let a full disk show itself now, as an error: HDF5 can crash when it finds out. It gives back what it leaves."""
    if extra_bytes <= 0 or not hasattr(os, "posix_fallocate"):
        return
    with path.open("rb+") as file:
        try:
            os.posix_fallocate(file.fileno(), path.stat().st_size, extra_bytes)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise


def _keep_permissions(target: Path, copy: Path) -> None:
    status = target.stat()
    if hasattr(os, "chown"):
        for owner in ((-1, status.st_gid), (status.st_uid, -1)):
            with suppress(OSError):
                os.chown(copy, *owner)
    shutil.copystat(target, copy)
    os.utime(copy)


def fsync_folder(folder: Path) -> None:
    """Make the new entry last; not every system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
