"""Atomic writing of files. All files are written with this module.

A new file is made in a hidden folder beside its target. Only the owner can enter this folder. The target is locked
while the code checks whether it exists and whether it may be replaced. A target that appeared or changed after this
check is never replaced. A killed process leaves its hidden folder behind. The next process that writes the same target
removes it.
"""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nwb_neurid._system.lock import lock, name_hidden
from nwb_neurid._system.permissions import set_permissions
from nwb_neurid.errors import CannotWrite, NeuridError

AGAIN = "{} while the results were being prepared, so it was not replaced. Run the command again."
TOKEN = re.compile(r"[0-9a-f]{16}")
NO_HARD_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EINVAL, errno.EACCES)


class Identity(NamedTuple):
    """Properties of a file that show whether it was changed or replaced."""

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """A new file that is being written.

    Parameters
    ----------
    path
        Path at which to write the new file. Nothing exists there yet.
    old
        The file that will be replaced, or None if there is none.
    """

    path: Path
    old: Path | None


@contextmanager
def replace_file(target: Path, *, overwrite: bool, like: Sequence[Path] = ()) -> Iterator[Replacement]:
    """Yield a path for a new file, which replaces `target` when the block ends without an error.

    Links are followed. The mode and the owner of a replaced file are kept.

    Parameters
    ----------
    target
        The file to write.
    overwrite
        Whether an existing file may be replaced.
    like
        The recordings from which the file is made. Users who may not read the recordings may not read the file either.

    Raises
    ------
    CannotWrite
        If the file exists and may not be replaced, another process is writing it, it appeared or changed after the
        check, or the operating system refuses.
    """
    place = target.resolve()
    with convert_errors(target), lock(place):
        remove_leftovers(place)
        before = _identify(place)
        if before is not None and not overwrite:
            raise CannotWrite(_explain_existing(target, "write elsewhere (--output)"))
        with make_hidden_folder(place) as folder:
            made = Replacement(folder / place.name, None if before is None else place)
            yield made
            set_permissions(made.path, made.old, like)
            sync(made.path)
            _put(made.path, place, before)
        sync(place.parent)


def check_target(*targets: Path, overwrite: bool, instead: str = "write elsewhere (--output)") -> None:
    """Check before a long computation that files can be written, and refuse to replace existing files.

    Parameters
    ----------
    targets
        The files.
    overwrite
        Whether existing files may be replaced.
    instead
        Advice for the message if a file exists.

    Raises
    ------
    CannotWrite
        If a file exists and may not be replaced, if it is a folder, or if its parent folder does not exist or is
        read-only.
    """
    for target in targets:
        with convert_errors(target):
            if target.is_dir():
                raise CannotWrite(f"{target} is a folder, a file was expected. Choose a file (--output).")
            if _identify(target.resolve()) is not None and not overwrite:
                raise CannotWrite(_explain_existing(target, instead))
            check_folder(target)


def check_folder(target: Path) -> None:
    """Check that the parent folder of a file exists and is writable.

    Its mode is checked too, because root may always write.

    Raises
    ------
    CannotWrite
        If the folder does not exist or is read-only.
    """
    folder = target.resolve().parent
    if not folder.is_dir():
        raise CannotWrite(f"{target} cannot be written: the folder {folder} does not exist.")
    if not os.access(folder, os.W_OK) or not folder.stat().st_mode & 0o222:
        raise CannotWrite(f"{target} cannot be written: the folder {folder} is read-only.")


@contextmanager
def convert_errors(target: Path) -> Iterator[None]:
    """Convert any operating-system error in the block into an error of one line that gives the path of the target.

    Raises
    ------
    CannotWrite
        Instead of an operating-system error.
    """
    try:
        yield
    except NeuridError:  # some of them are OSErrors too
        raise
    except OSError as error:
        raise CannotWrite(f"{target} cannot be written: {error.strerror or error}.") from error


def make_folders(folder: Path) -> None:
    """Make a folder and its parent folders, unless they exist.

    Raises
    ------
    CannotWrite
        If the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"The folder {folder} cannot be made: {error.strerror or error}.") from error


@contextmanager
def make_hidden_folder(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside `target` that only the owner can enter. The folder is removed when the block ends."""
    folder = name_hidden(target, secrets.token_hex(8))
    folder.mkdir(0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(target: Path) -> None:
    """Remove hidden folders that killed processes left beside `target`. The caller must hold the lock of `target`."""
    start = name_hidden(target, "").name
    with os.scandir(target.parent) as entries:
        left = [
            each
            for each in entries
            if each.name.startswith(start)
            and TOKEN.fullmatch(each.name.removeprefix(start))
            and each.is_dir(follow_symlinks=False)
        ]
    for each in left:
        shutil.rmtree(each.path, ignore_errors=True)


def clear_leftovers(target: Path) -> None:
    """Remove hidden folders that killed processes left beside `target`, unless another process is writing it now."""
    place = target.resolve()
    start = name_hidden(place, "").name
    try:
        with os.scandir(place.parent) as entries:
            if not any(each.name.startswith(start) for each in entries):
                return
        with lock(place, wait_s=0.0):
            remove_leftovers(place)
    except (OSError, CannotWrite):  # any such problem is reported when the target is written
        pass


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk. Failures for folders are ignored."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        if path.is_file():
            raise
        return
    try:
        os.fsync(descriptor)
    except OSError:
        if path.is_file():
            raise
    finally:
        os.close(descriptor)


def _explain_existing(target: Path, instead: str) -> str:
    return f"{target} exists. Replace it (--overwrite), or {instead}."


def _identify(place: Path) -> Identity | None:
    """Return the identity of the file at this place, or None if there is no file."""
    try:
        status = place.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a broken link, a device or a pipe"
        raise CannotWrite(f"{place} is {what}, a file was expected. Choose a file (--output).")
    return Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _put(made: Path, place: Path, before: Identity | None) -> None:
    """Move a new file to its place, unless the file there has changed since `before`."""
    if before is None:
        try:
            _move(made, place)
        except FileExistsError:
            raise CannotWrite(f"{place} {AGAIN.format('appeared')}") from None
        return
    if _identify(place) != before:
        raise CannotWrite(f"{place} {AGAIN.format('changed')}")
    made.replace(place)


def _move(made: Path, place: Path) -> None:
    """Move a file to a place where no file exists. Raises FileExistsError if a file has appeared there."""
    try:
        os.link(made, place, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            made.replace(place)
        except BaseException:
            with suppress(OSError):
                place.unlink()
            raise
    else:
        made.unlink()
