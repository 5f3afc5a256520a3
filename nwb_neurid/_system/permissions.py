"""Permissions of files that are made from a recording.

Users who may not read the recording may not read these files either.
"""

import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

READ = stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH
MOST_FILES = 1_000  # maximum number of files of a folder that are checked


def set_permissions(made: Path, old: Path | None, like: Sequence[Path]) -> None:
    """Set the mode, owner and group of a new file. They are taken from the file that it replaces, if there is one.

    The owner and the group are set if the system allows it. Users who may not read the recordings may not read the
    file.

    Parameters
    ----------
    made
        The new file.
    old
        The file that it replaces, or None if there is none.
    like
        The recordings from which it was made, as files or folders. Paths that do not exist are ignored.
    """
    owners = [status for path in [old or made, *like] if path != made and (status := _stat(path)) is not None]
    for status in owners[:1] if hasattr(os, "chown") else ():
        for ids in ((-1, status.st_gid), (status.st_uid, -1)):
            with suppress(OSError):
                os.chown(made, *ids)
    if old is not None:
        shutil.copystat(old, made)
        os.utime(made)
    limit_readers(made, like)


def limit_readers(made: Path, like: Sequence[Path]) -> None:
    """Remove permissions of a file or folder for users who may not read the recordings."""
    status = made.stat()
    mode = stat.S_IMODE(status.st_mode)
    for path in like:
        mode &= _find_readers(path, status.st_gid)
    made.chmod(mode)


def _find_readers(path: Path, group: int) -> int:
    """Return the mode for a file of this group that allows at most the readers of the recording to read it."""
    status = _stat(path)
    if status is None:
        return 0o7777
    mode = status.st_mode
    if stat.S_ISDIR(mode):  # files can be read only by users who may enter the folder
        enters = [stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH]
        mode = sum(read for read, enter in zip(READ, enters, strict=True) if mode & enter)
        inside = (each for each in os.scandir(path) if each.is_file())
        for _, each in zip(range(MOST_FILES), inside, strict=False):
            mode &= each.stat().st_mode
    if mode & stat.S_IROTH:
        return 0o7777
    return 0o7700 | (0o070 if mode & stat.S_IRGRP and status.st_gid == group else 0)


def _stat(path: Path) -> os.stat_result | None:
    """Return the status of a path, or None if nothing exists there or the source is not a path."""
    try:
        return path.stat()
    except (OSError, ValueError):
        return None
