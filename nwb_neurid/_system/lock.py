"""One writer of a file at a time, also where the file system knows no locks."""

import errno
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nwb_neurid.errors import CannotWrite, NeuridWarning

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
FAR = 2**20  # Windows locks bytes against reading too, and the holder's name must be readable


@contextmanager
def alone(target: Path) -> Iterator[bool]:
    """No other process of ours writes `target` meanwhile; False where the file system cannot promise that.

    Raises
    ------
    CannotWrite
        If another process does: its id is named.
    """
    path = target.with_name(f".{target.name}.neurid-lock")
    descriptor, sure = _acquired(path, target)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} on {socket.gethostname()}".encode())
        yield sure
    finally:
        if os.name != "nt":  # while it is held: afterwards it may be another's
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if os.name == "nt":  # which lets nobody remove what is open
            with suppress(OSError):
                path.unlink()


def hold(descriptor: int) -> bool:
    """Lock an open file, as HDF5 does; False where the file system knows no locks.

    Raises
    ------
    BlockingIOError
        If another program holds it.
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


def _acquired(path: Path, target: Path) -> tuple[int, bool]:
    """The lock file, open and locked if that is possible."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            sure = hold(descriptor)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode(errors="replace") or "unknown"
            os.close(descriptor)
            raise CannotWrite(
                f"{target} is being written by another nwb-neurid (process {holder}). Try again when that has finished."
            ) from None
        if not sure:
            warnings.warn(
                f"The file system of {target} knows no locks: let no other program write there. If the file changes "
                "meanwhile, nothing will be written.",
                NeuridWarning,
                stacklevel=2,
            )
        if os.fstat(descriptor).st_nlink or not sure:
            return descriptor, sure
        os.close(descriptor)  # its last holder has just removed it


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
