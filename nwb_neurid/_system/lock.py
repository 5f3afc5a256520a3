"""Locks that allow only one writer of a file at a time, even on file systems without locks.

The lock is a file beside the target, which is created exclusively. An existing lock file is opened without following
links and is never written to. A lock file that no process holds was left by a killed process and is removed. Any other
file at this path is not a lock of this package and is left alone.
"""

import errno
import os
import re
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from nwb_neurid.errors import CannotWrite

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
FAR = 2**20  # Windows locks also prevent reading of the locked bytes, but the name of the holder must be readable
SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
HOLDER = re.compile(r"(?P<process>\d+) on (?P<host>.*)")
HIDDEN = re.compile(r"\..+\.neurid-(lock|training|new|[0-9a-f]{16})", re.DOTALL)
LONGEST_NAME = 150  # bytes; leaves room for the prefix and the ending

WAIT_S, POLL_S = 10.0, 0.05
"""Maximum time to wait for another process, which usually needs seconds, and the interval between checks."""


def name_hidden(target: Path, ending: str) -> Path:
    """Return the path of the hidden file or folder beside `target` whose name ends in `ending`."""
    name = target.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = sha256(os.fsencode(name)).hexdigest()[:32]
    return target.with_name(f".{name}.neurid-{ending}")


def is_hidden(name: str) -> bool:
    """Return whether this is the name of a hidden file or folder that this package makes while it writes."""
    return HIDDEN.fullmatch(name) is not None


@contextmanager
def lock(
    target: Path, doing: str = "is being written by", *, kind: str = "lock", wait_s: float | None = None
) -> Iterator[None]:
    """Prevent other processes of this package from writing `target` during the block. Wait if one is writing it now.

    Parameters
    ----------
    target
        A file or folder, which need not exist.
    doing
        What another process does with the target, for the message.
    kind
        Kind of the lock. Each kind of lock on a target is a separate file.
    wait_s
        Maximum time to wait for another process; None for `WAIT_S`.

    Raises
    ------
    CannotWrite
        If another process still holds the lock (the message gives its id), or another file is at the path of the lock.
    """
    path = name_hidden(target, kind)
    descriptor = _acquire(path, f"{target} {doing} another nwb-neurid command", WAIT_S if wait_s is None else wait_s)
    try:
        yield
    finally:
        if os.name != "nt":  # remove it while the lock is held; afterwards another process may hold it
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if os.name == "nt":  # Windows cannot remove an open file
            with suppress(OSError):
                path.unlink()


def is_alive(process: int) -> bool:
    """Return whether a process of this machine is running. A process that ended but was not reaped is not running.

    On Windows, every process counts as running, because a check with `os.kill` would end it.
    """
    if os.name == "nt":
        return True
    with suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text("ascii", errors="replace").rpartition(")")[2].split()[0]
        return state not in {"Z", "X"}
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _acquire(path: Path, taken: str, wait_s: float) -> int:
    """Return the descriptor of the lock file, which is open and held."""
    deadline = time.monotonic() + wait_s
    while True:
        with suppress(FileExistsError):
            return _make(path)
        holder = _find_holder(path)
        if holder and time.monotonic() > deadline:
            raise CannotWrite(f"{taken} (process {holder}). Try again when that command has finished.")
        if holder:
            time.sleep(POLL_S)


def _make(path: Path) -> int:
    """Create and hold a lock file.

    Raises FileExistsError if there is one, or another process removed it as a leftover.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFELY, 0o666)
    try:
        with suppress(OSError):  # for example, the disk is full; the name is only used in a message
            os.write(descriptor, f"{os.getpid()} on {socket.gethostname()}".encode())
        if not _hold(descriptor) or os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    os.close(descriptor)
    raise FileExistsError(path)


def _find_holder(path: Path) -> str:
    """Describe the holder of an existing lock. If nobody holds the lock, remove it and return ""."""
    try:
        try:
            descriptor = os.open(path, os.O_RDWR | SAFELY)
        except PermissionError:
            descriptor = os.open(path, os.O_RDONLY | SAFELY)
    except FileNotFoundError:
        return ""
    except PermissionError:
        return "of another user"
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise CannotWrite(_explain_obstacle(path)) from None
        raise
    try:
        return _look(path, descriptor)
    finally:
        os.close(descriptor)


def _look(path: Path, descriptor: int) -> str:
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and not status.st_nlink:
        return ""  # its holder has just removed it
    content = os.read(descriptor, 300).decode(errors="replace") if stat.S_ISREG(status.st_mode) else "no file"
    known = HOLDER.fullmatch(content)
    if status.st_nlink > 1 or (content and not known):
        raise CannotWrite(_explain_obstacle(path))
    try:
        free = _hold(descriptor)
    except BlockingIOError:
        return content or "that has just begun"
    if not free and not (known and known["host"] == socket.gethostname() and not is_alive(int(known["process"]))):
        return f"{content or 'unknown'}; if that process no longer runs, remove {path}"
    with suppress(FileNotFoundError):
        if path.lstat().st_ino == status.st_ino:
            path.unlink()
    return ""


def _explain_obstacle(path: Path) -> str:
    return f"nwb-neurid needs to create its lock file at {path}, but something else is there. Move or remove it."


def _hold(descriptor: int) -> bool:
    """Lock an open file. Return False if the file system does not support locks.

    Raises
    ------
    BlockingIOError
        If another process holds the lock.
    """
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return False
        if error.errno in HELD:
            raise BlockingIOError(error.errno, error.strerror) from error
        raise
    return True


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        import msvcrt

        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)

else:

    def _lock(descriptor: int) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
