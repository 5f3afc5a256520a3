"""Copy a file that may be large, with shared blocks if the file system supports them, and reserve disk space."""

import errno
import os
import shutil
import sys
from pathlib import Path

from nwb_neurid._system.atomic import make_hidden_folder
from nwb_neurid.errors import CannotWrite

FICLONE = 0x40049409  # linux/fs.h: makes a file share the blocks of another file
UNSUPPORTED = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def copy_file(source: Path, copy: Path, extra_bytes: int) -> None:
    """Copy a file to a new path and, if the file system supports it, reserve the space by which the copy will grow."""
    with copy.open("xb"):
        pass
    if not _clone(source, copy):
        shutil.copyfile(source, copy)
    reserve_room(copy, extra_bytes)


def check_room(target: Path, extra_bytes: int = 0, *, copied: Path | None = None) -> None:
    """Refuse to start if the disk would become full.

    Raises
    ------
    CannotWrite
        If the disk of `target` has too little space for `extra_bytes` bytes and for a copy of the file `copied`.
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
    """Reserve disk space, because HDF5 can crash if the disk becomes full while it writes. Unused space is released."""
    if extra_bytes <= 0 or not hasattr(os, "posix_fallocate"):
        return
    with path.open("rb+") as file:
        try:
            os.posix_fallocate(file.fileno(), path.stat().st_size, extra_bytes)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise


def _can_clone(source: Path, target: Path) -> bool:
    with make_hidden_folder(target) as folder:
        (folder / "probe").touch()
        return _clone(source, folder / "probe")


def _clone(source: Path, copy: Path) -> bool:
    """Make the copy share the blocks of the source, which needs no time and no disk space.

    Return whether this worked.
    """
    if sys.platform != "linux":
        return False
    import fcntl

    with source.open("rb") as original, copy.open("rb+") as clone:
        try:
            fcntl.ioctl(clone.fileno(), FICLONE, original.fileno())
        except OSError:
            return False
    return True
