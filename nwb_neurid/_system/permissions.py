"""Who may read what is made from a recording: no more people than may read the recording."""

import os
import shutil
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

READ = stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH
MOST_FILES = 1_000  # of a folder, that are looked at


def set_permissions(made: Path, old: Path | None, like: Sequence[Path]) -> None:
    """Give a new file the mode, the owner and the group of what it replaces, or else of a new file in its folder.

    Owner and group stay where the system allows that. Nobody may read the file who may not read the recordings.

    Parameters
    ----------
    made
        The file, as it was just made.
    old
        What it replaces; None if there is nothing.
    like
        The recordings that it was made from, files or folders; what is not there does not count.
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
    """Take from a file or folder what lets others in than may read the recordings."""
    status = made.stat()
    mode = stat.S_IMODE(status.st_mode)
    for path in like:
        mode &= _find_readers(path, status.st_gid)
    made.chmod(mode)


def _find_readers(path: Path, group: int) -> int:
    """The mode that lets in, of a file of this group, at most those who may read the recording."""
    status = _stat(path)
    if status is None:
        return 0o7777
    mode = status.st_mode
    if stat.S_ISDIR(mode):  # who may not enter it reads nothing in it
        enters = [stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH]
        mode = sum(read for read, enter in zip(READ, enters, strict=True) if mode & enter)
        inside = (each for each in os.scandir(path) if each.is_file())
        for _, each in zip(range(MOST_FILES), inside, strict=False):
            mode &= each.stat().st_mode
    if mode & stat.S_IROTH:
        return 0o7777
    return 0o7700 | (0o070 if mode & stat.S_IRGRP and status.st_gid == group else 0)


def _stat(path: Path) -> os.stat_result | None:
    """None where nothing is: a recording may be called what is no path."""
    try:
        return path.stat()
    except (OSError, ValueError):
        return None
