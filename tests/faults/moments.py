"""Stopping a process at a change that it makes to the file system."""

import os
import signal
import sys
from pathlib import Path

CHANGES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink"}


def stop_at(moment: int, folder: Path, way: str) -> None:
    """At this change below the folder, end this process ("killed") or refuse as on a full disk ("full")."""
    seen = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event not in CHANGES or (event == "open" and not _is_written(arguments)):
            return
        if not any(str(each).startswith(str(folder)) for each in arguments[:2] if isinstance(each, str | os.PathLike)):
            return
        seen += 1
        if seen == moment:
            if way == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(28, os.strerror(28))

    sys.addaudithook(watch)


def _is_written(arguments: tuple) -> bool:
    _, mode, flags = arguments
    return bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)) or (mode or "r")[0] in "wax"
