"""Copying a file that may be large: with shared blocks where the file system can, and room for what comes after."""

import errno
import os
import shutil
import sys
from pathlib import Path

from nwb_neurid._system.atomic import make_hidden_folder
from nwb_neurid.errors import CannotWrite

FICLONE = 0x40049409  # linux/fs.h: let one file share the blocks of another
UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def copy_file(source: Path, copy: Path, extra_bytes: int) -> None:
    """Copy a file to where none is, and reserve room by which it will grow, where the file system can."""
    with copy.open("xb"):
        pass
    if not _clone(source, copy):
        shutil.copyfile(source, copy)
    reserve_room(copy, extra_bytes)


def check_room(target: Path, extra_bytes: int = 0, *, copied: Path | None = None) -> None:
    """Refuse to begin what would fill the disk.

    Raises
    ------
    CannotWrite
        If the disk of `target` has no room for so much, and for a copy of the file that is to be `copied`.
    """
    copy_bytes = 0 if copied is None else copied.stat().st_size
    needed_bytes, free_bytes = copy_bytes + extra_bytes, shutil.disk_usage(target.parent).free
    if free_bytes >= needed_bytes or (copied and free_bytes >= extra_bytes and _can_clone(copied, target)):
        return
    raise CannotWrite(
        f"{target} cannot be written: the disk needs {needed_bytes / 1e6:,.1f} MB{' for a while' if copied else ''} "
        f"and has {free_bytes / 1e6:,.1f} MB free. Make room, or write to another disk (--output)."
    )


def reserve_room(path: Path, extra_bytes: int) -> None:
    """Let a full disk show itself now, as an error: HDF5 can crash when it finds out. It gives back what it leaves."""
    if extra_bytes <= 0 or not hasattr(os, "posix_fallocate"):
        return
    with path.open("rb+") as file:
        try:
            os.posix_fallocate(file.fileno(), path.stat().st_size, extra_bytes)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise


def _can_clone(source: Path, target: Path) -> bool:
    folder = make_hidden_folder(target)
    try:
        (folder / "probe").touch()
        return _clone(source, folder / "probe")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clone(source: Path, copy: Path) -> bool:
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
