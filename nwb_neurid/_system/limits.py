"""Limits on reading, for a process that may be lost: on a damaged file HDF5 can compute for ever, or fill the memory.

They hold where `enforce` was called, as the command line does in a process of its own (`nwb_neurid.cli.guard`). In
Python there are none: they end the process that reads.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from nwb_neurid.errors import UnreadableSource

CALL_S, CALL_S_PER_BYTE = 4.0, 2e-7
"""Time of the processor that one call into a library may take: a tenth of the speed at which one unpacks. A slow disk
or network costs none of it, and many calls, with our own code between them, may take as long as they like."""

GROWTH_BYTES, GROWTH_PER_CORE, GROWTH_PER_BYTE = 2**29, 2**25, 256
"""Memory that reading may ask for: for libraries that it loads, for the stacks of their threads, for what is read."""

BEAT_S = 0.2
UNKNOWN_BYTES = 2**30
COUNTED_FILES = 10_000

Tell = Callable[[str], object]
_tell: ContextVar[Tell | None] = ContextVar("tell", default=None)


def enforce(tell: Tell) -> None:
    """Limit what is read from now on in this process, and tell the name of what is being read; "" once it was."""
    _tell.set(tell)


@contextmanager
def reading(source: object) -> Iterator[None]:
    """Around what reads a source, or a file with results, and computes nothing else.

    Raises
    ------
    UnreadableSource
        If limits are enforced and reading asks for more memory. Where a library does not come back, the process ends
        by SIGPROF.
    """
    tell = _tell.get()
    if tell is None:
        yield
        return
    size = size_bytes(source)
    tell(str(source))
    try:
        with _limited_calls(CALL_S + CALL_S_PER_BYTE * size), _limited_memory(GROWTH_PER_BYTE * size):
            yield
    except MemoryError as error:
        raise UnreadableSource(
            f"{source} wants more memory than its {size} bytes account for. Check the file, or fetch it again; if it "
            "is sound, read it in Python (nwb_neurid.read), where there is no limit."
        ) from error
    finally:
        tell("")


def size_bytes(source: object) -> int:
    """How large a file, or all that is in a folder; a guess where that cannot be known."""
    path = Path(str(source))
    try:
        if path.is_file():
            return path.stat().st_size
        files = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        sizes = [file.stat().st_size for _, file in zip(range(COUNTED_FILES), files, strict=False)]
    except OSError:
        return UNKNOWN_BYTES
    return sum(sizes) if path.is_dir() and len(sizes) < COUNTED_FILES else max(UNKNOWN_BYTES, sum(sizes))


@contextmanager
def _limited_calls(limit_s: float) -> Iterator[None]:
    """End the process when its processors were busy for so long without our own code coming to its turn."""

    def beat(*_: object) -> None:  # Python calls it between two of its own steps, never within a library
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
def _limited_memory(more_bytes: int) -> Iterator[None]:
    """Let requests for memory fail beyond what the process has and so much more; Linux alone can."""
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[5])  # of data and stacks
    growth = GROWTH_BYTES + GROWTH_PER_CORE * (os.cpu_count() or 1) + more_bytes
    limit = pages * resource.getpagesize() + growth
    known = [other for other in (limit, soft, hard) if other != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(known), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
