"""One writer of a file at a time, also where the file system knows no locks.

The lock is a file beside the target, made exclusively. What is found under its name is opened without following links,
and never written to: a lock that nobody holds was left by a killed process, and is removed. Anything else is no lock of
ours, and is left alone.
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
FAR = 2**20  # Windows locks bytes against reading too, and the holder's name must be readable
SAFELY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
HOLDER = re.compile(r"(?P<process>\d+) on (?P<host>.*)")
HIDDEN = re.compile(r"\..+\.neurid-(lock|training|new|[0-9a-f]{16})", re.DOTALL)
LONGEST_NAME = 150  # bytes of a name that leave room for what is added to it

WAIT_S, POLL_S = 10.0, 0.05
"""How long another process is waited for, which mostly needs seconds, and how often we look."""


def name_hidden(target: Path, ending: str) -> Path:
    """The hidden file or folder beside `target` that is called after it, with an ending of ours."""
    name = target.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = sha256(os.fsencode(name)).hexdigest()[:32]
    return target.with_name(f".{name}.neurid-{ending}")


def is_hidden(name: str) -> bool:
    """Whether something is called as what we put beside files while we write, and a killed process leaves there."""
    return HIDDEN.fullmatch(name) is not None


@contextmanager
def lock(
    target: Path, doing: str = "is being written by", *, kind: str = "lock", wait_s: float | None = None
) -> Iterator[None]:
    """No other process of ours writes `target` meanwhile; one that does is waited for.

    Parameters
    ----------
    target
        A file or folder, which need not exist.
    doing
        What another process does with it, for the message.
    kind
        Which of several locks on the target; each is a file of its own.
    wait_s
        How long another process is waited for; None for `WAIT_S`.

    Raises
    ------
    CannotWrite
        If another process still does: its id is named; or something else has the name of the lock.
    """
    path = name_hidden(target, kind)
    descriptor = _acquire(path, f"{target} {doing} another nwb-neurid command", WAIT_S if wait_s is None else wait_s)
    try:
        yield
    finally:
        if os.name != "nt":  # while it is held: afterwards it may be another's
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if os.name == "nt":  # which lets nobody remove what is open
            with suppress(OSError):
                path.unlink()


def is_alive(process: int) -> bool:
    """Whether a process of this machine goes on; one that ended and that nobody waited for does not.

    On Windows, where asking would end it, each counts as alive.
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
    """The lock, open and held."""
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
    """A new lock that is held; FileExistsError if there is one, or another process took this one for a leftover."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFELY, 0o666)
    try:
        with suppress(OSError):  # a full disk; the name is for a message
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
    """Who holds the lock that is there; "" if nobody does, and it is gone."""
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
    """Lock an open file; False where the file system knows no locks.

    Raises
    ------
    BlockingIOError
        If another process holds it.
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
