"""Limits on CPU time, waiting time and memory while a file is read.

On a damaged file, HDF5 can compute for ever or fill the memory. The limits end the process that reads. They apply only
after `enforce` was called. The command line calls it in a separate process (`nwb_neurid.cli.guard`). There are no
limits when the package is used from Python.
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
"""CPU-time limit of one call into a library. It suffices for decompression at a tenth of the usual speed. The
total time of many calls is not limited, if Python code of this package runs between them.
"""

WAIT_S, WAIT_S_PER_BYTE = 10.0, 2e-6
"""Wall-clock limit of one call. Opening a pipe or a device in place of a file never returns. A disk or network that
delivers 0.5 MB/s is fast enough. Requests to a server have their own time limits.
"""

GROWTH_BYTES, GROWTH_PER_CORE, GROWTH_PER_BYTE = 2**29, 2**25, 256
"""Additional memory that reading may use: for libraries that are imported, for the stacks of their threads, and for the
data.
"""

BEAT_S = 0.2
UNKNOWN_BYTES = 2**30
COUNTED_FILES = 10_000
NAME_BYTES = 4096


class Watch(ctypes.Structure):
    """State that the reading process shares with the process that watches it.

    `share_watch` makes it in shared memory.
    """

    _fields_ = (
        ("source", ctypes.c_char * NAME_BYTES),  # the source that is being read; empty if none is being read
        ("wait_s", ctypes.c_double),  # wall-clock limit of one call
        ("beats", ctypes.c_uint64),  # counter that increases between calls
        ("held", ctypes.c_uint64),  # memory of the process before it read, in bytes
        ("begun", ctypes.c_uint64),  # number of items that were begun
        ("items", ctypes.c_uint64),  # total number of items
    )


CRASHES = "crashes the library that reads it"
DAMAGED = "It is probably damaged: check it (h5dump), or fetch it again."
WAITS = "does not respond: reading it never ends. It may be a pipe, it may be damaged, or its disk may not respond."
FAULTS = {
    "SIGKILL": "made the operating system kill the command, as it does when memory runs out",
    "SIGPROF": "exceeded its CPU-time limit inside the library that reads it",
}


class Wait:
    """Checks from another process whether a call of the reading process exceeds the wall-clock limit."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._beats, self._waited_s = watch, 0, 0.0

    def is_over(self, since_s: float) -> bool:
        """Return whether the limit is exceeded, `since_s` seconds after the last check.

        If so, note this reason in the watch.
        """
        watch = self._watch
        self._waited_s = self._waited_s + since_s if watch.source and watch.beats == self._beats else 0.0
        self._beats = watch.beats
        if self._waited_s <= watch.wait_s:
            return False
        watch.wait_s = 0
        return True


def explain_end(watch: Watch, name: str) -> str:
    """Explain why a process was ended by this signal while it read. The text continues a sentence about the source."""
    return f"{FAULTS.get(name, f'{CRASHES} ({name})')}. {DAMAGED}" if watch.wait_s else WAITS


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


def share_watch() -> Watch:
    """Make a `Watch` that is shared with all processes that are forked later."""
    return Watch.from_buffer(mmap.mmap(-1, ctypes.sizeof(Watch)))


def enforce(watch: Watch) -> None:
    """Limit all further reading in this process, and report its state in `watch`."""
    _watch.set(watch)


@contextmanager
def reading(source: object) -> Iterator[None]:
    """Apply the limits to a block that reads a source or a file with results, and does no other computation.

    If a call into a library does not return but uses CPU time, SIGPROF ends the process. If the call only waits, the
    process that watches has to end it.

    Raises
    ------
    UnreadableSource
        If limits are enforced and reading needs more memory than the size of the source justifies.
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
    """Set the memory limit for a source of `size` bytes. For a URL, this is the number of bytes that were fetched."""
    if (watch := _watch.get()) is not None:
        _set_memory(watch, size)


def size_bytes(source: object) -> int:
    """Return the size of a file, or of all files in a folder.

    It is 0 for anything else, such as a URL (see `allow`).
    """
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
    """End the process if one call uses this much CPU time without returning to Python code."""

    def beat(*_: object) -> None:  # Python runs it between two instructions, never in a library
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
    """Make memory allocation fail beyond the memory in use plus what `size` bytes justify. This works only on Linux."""
    if sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[5])  # pages of data and stacks
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
