"""Limits on reading, for a process that may be lost: on a damaged file HDF5 can compute for ever, or fill the memory.

They hold where `enforce` was called, as the command line does in a process of its own (`nwb_neurid.cli.guard`). In
Python there are none: they end the process that reads.
"""

import ctypes
import mmap
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from nwb_neurid.errors import UnreadableSource

CALL_S, CALL_S_PER_BYTE = 4.0, 2e-7
"""CPU time of one call into a library: a tenth of the speed at which one unpacks. Many calls, with our own code between
them, may take as long as they like."""

WAIT_S, WAIT_S_PER_BYTE = 10.0, 2e-6
"""Time by the clock of one call, for a pipe or a device in place of a file, of which opening never returns. A disk or
network that gives 0.5 MB/s is waited for. Requests to a server have deadlines of their own."""

GROWTH_BYTES, GROWTH_PER_CORE, GROWTH_PER_BYTE = 2**29, 2**25, 256
"""Memory that reading may ask for: for libraries that it loads, for the stacks of their threads, for what is read."""

BEAT_S = 0.2
UNKNOWN_BYTES = 2**30
COUNTED_FILES = 10_000
NAME_BYTES = 4096


class Watch(ctypes.Structure):
    """What another process sees of the one that reads. Made by `watch` in memory that both share."""

    _fields_ = (
        ("source", ctypes.c_char * NAME_BYTES),  # what is being read; empty while nothing is
        ("wait_s", ctypes.c_double),  # how long one call may take by the clock
        ("beats", ctypes.c_uint64),  # counted on between calls
        ("held", ctypes.c_uint64),  # memory that the process had before, in bytes
        ("begun", ctypes.c_uint64),  # how many items were begun,
        ("items", ctypes.c_uint64),  # and how many there are
    )


CRASHES = "crashes the library that reads it"
DAMAGED = "It is probably damaged: check it (h5dump), or fetch it again."
WAITS = "does not respond: reading it never ends. It may be a pipe, it may be damaged, or its disk may not respond."
FAULTS = {
    "SIGKILL": "made the operating system kill the command, as it does when memory runs out",
    "SIGPROF": "exceeded its CPU-time limit inside the library that reads it",
}


class Wait:
    """Looks from another process whether a call of the one that reads takes too long by the clock."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._beats, self._waited_s = watch, 0, 0.0

    def is_over(self, since_s: float) -> bool:
        """Whether the limit is exceeded, so many seconds after the last look; the watch then tells why it was ended."""
        watch = self._watch
        self._waited_s = self._waited_s + since_s if watch.source and watch.beats == self._beats else 0.0
        self._beats = watch.beats
        if self._waited_s <= watch.wait_s:
            return False
        watch.wait_s = 0
        return True


def explain_end(watch: Watch, name: str) -> str:
    """Why a process ended by a signal of this name while it read, as what is said of the source."""
    return f"{FAULTS.get(name, f'{CRASHES} ({name})')}. {DAMAGED}" if watch.wait_s else WAITS


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


def share_watch() -> Watch:
    """A `Watch` that processes share that are forked from now on."""
    return Watch.from_buffer(mmap.mmap(-1, ctypes.sizeof(Watch)))


def enforce(watch: Watch) -> None:
    """Limit what is read from now on in this process, and note it in `watch`."""
    _watch.set(watch)


@contextmanager
def reading(source: object) -> Iterator[None]:
    """Around what reads a source, or a file with results, and computes nothing else.

    Where a call into a library does not come back, the process ends by SIGPROF if it computes; if it waits, the process
    that watches it has to end it.

    Raises
    ------
    UnreadableSource
        If limits are enforced and reading asks for more memory than its size accounts for.
    """
    watch = _watch.get()
    if watch is None:
        yield
        return
    size, is_url = size_bytes(source), re.match(r"[\w.+-]+://", str(source))
    watch.wait_s = float("inf") if is_url else WAIT_S + WAIT_S_PER_BYTE * size
    watch.source = str(source).encode(errors="replace")[: NAME_BYTES - 1]
    try:
        with _limit_calls(watch, CALL_S + CALL_S_PER_BYTE * size), _limit_memory(watch, size):
            yield
    except MemoryError as error:
        raise UnreadableSource(
            f"Reading {source} takes far more memory than a file of its size should need. Check the file, or "
            "download it again; if it is intact, read it in Python (nwb_neurid.read), which sets no limit."
        ) from error
    finally:
        watch.source = b""


def allow(size: int) -> None:
    """Let reading take the memory that so many bytes account for: of a URL, as many as were fetched."""
    if (watch := _watch.get()) is not None:
        _set_memory(watch, size)


def size_bytes(source: object) -> int:
    """How large a file, or all that is in a folder; 0 for what is no path, such as a URL (see `allow`)."""
    path = Path(str(source))
    try:
        if not path.is_dir():
            return path.stat().st_size
        files = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        sizes = [file.lstat().st_size for _, file in zip(range(COUNTED_FILES), files, strict=False)]
    except OSError:
        return 0
    return sum(sizes) if len(sizes) < COUNTED_FILES else max(UNKNOWN_BYTES, sum(sizes))


@contextmanager
def _limit_calls(watch: Watch, limit_s: float) -> Iterator[None]:
    """End the process when it computed for so long without our own code coming to its turn."""

    def beat(*_: object) -> None:  # Python calls it between two of its own steps, never within a library
        watch.beats += 1
        signal.setitimer(signal.ITIMER_PROF, limit_s)

    before = signal.signal(signal.SIGALRM, beat)
    signal.siginterrupt(signal.SIGALRM, False)
    beat()
    signal.setitimer(signal.ITIMER_REAL, BEAT_S, BEAT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _limit_memory(watch: Watch, size: int) -> Iterator[None]:
    """Let requests for memory fail beyond what the process has and what so many bytes account for; Linux alone can."""
    if sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[5])  # of data and stacks
    watch.held = pages * resource.getpagesize()
    _set_memory(watch, size)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _set_memory(watch: Watch, size: int) -> None:
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = watch.held + GROWTH_BYTES + GROWTH_PER_CORE * (os.cpu_count() or 1) + GROWTH_PER_BYTE * size
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
