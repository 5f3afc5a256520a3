"""A command in a process of its own: a damaged file may take that one down, and never the one that answers for it."""

import mmap
import os
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, NoReturn, TypeVar

from nwb_neurid._system import limits
from nwb_neurid.errors import NeuridError, UnreadableSource

T = TypeVar("T")

PAGE_BYTES = 2**14
ITEMS = struct.Struct("<QQ")
"""The page that both processes see: how many items were begun, how many there are, the name of what is being read."""

PASSED_ON = frozenset({"SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"})
"""Signals by which somebody ends a command."""

CRASHES = "crashes the library that reads it"
FAULTS = {
    "SIGKILL": "made the system kill the command, which it does when memory runs out",
    "SIGPROF": "keeps the library that reads it computing without an end",
}

_page: ContextVar[mmap.mmap | None] = ContextVar("page", default=None)


def each(items: Sequence[T]) -> Iterator[T]:
    """One item after the other. Where one of them takes the command down, a new process goes on with the next."""
    page = _page.get()
    if page is None:
        yield from items
        return
    begun, _ = ITEMS.unpack_from(page)
    for number in range(begun, len(items)):
        ITEMS.pack_into(page, 0, number + 1, len(items))
        yield items[number]


def guarded(command: Callable[[], None]) -> None:
    """Run a command in a child of this process, and end as it does; without a child where there is no fork.

    Where it ends by a signal while a file is being read, that is told in one line, with exit code 2.
    """
    if not hasattr(os, "fork"):  # Windows: a crash of HDF5 is a crash
        command()
        return
    page = mmap.mmap(-1, PAGE_BYTES)
    lost = False
    while (code := _run(command, page)) < 0:
        name = signal.Signals(-code).name
        source = page[ITEMS.size :].rstrip(b"\0").decode(errors="replace")
        if name in PASSED_ON or not source:
            _end_by(name)
        fault = FAULTS.get(name, f"{CRASHES} ({name})")
        _say(UnreadableSource(f"{source} {fault}. It is probably damaged: check it (h5dump), or fetch it again."))
        lost = True
        begun, items = ITEMS.unpack_from(page)
        if begun == items:
            sys.exit(2)
    sys.exit(code or 2 * lost)


def _run(command: Callable[[], None], page: mmap.mmap) -> int:
    """Exit code of a command in a child; minus the number of the signal where one ended it."""
    held, end = os.pipe()
    signals = [getattr(signal, name) for name in PASSED_ON]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nothing is left to wait for
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    before = {number: signal.getsignal(number) for number in signals}
    child = os.fork()
    if child == 0:
        os.close(end)
        threading.Thread(target=_end_with_guard, args=(held,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        _page.set(page)
        limits.enforce(partial(_note, page))
        command()
        sys.exit()
    os.close(held)
    for number in signals:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, partial(_pass_on, child))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    _, status = os.waitpid(child, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # what comes now is for the next child
    for number in signals:
        signal.signal(number, before[number])
    os.close(end)
    return os.waitstatus_to_exitcode(status)


def _end_with_guard(held: int) -> None:
    os.read(held, 1)  # nothing is ever written: it comes back when the guard is gone
    os.kill(os.getpid(), signal.SIGKILL)


def _note(page: mmap.mmap, source: str) -> None:
    name = source.encode(errors="replace")[: PAGE_BYTES - ITEMS.size]
    page[ITEMS.size :] = name.ljust(PAGE_BYTES - ITEMS.size, b"\0")


def _pass_on(child: int, number: int, _: Any) -> None:
    if number != signal.SIGINT or not _in_foreground():  # Ctrl-C of a terminal reaches the child as well
        with suppress(ProcessLookupError):  # it has ended of the same
            os.kill(child, number)


def _in_foreground() -> bool:
    try:
        terminal = os.open(os.ctermid(), os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _end_by(name: str) -> NoReturn:
    """End as the command did, by a signal that has nothing to do with a file."""
    number = signal.Signals[name]
    if name in PASSED_ON:
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    if name in {"SIGKILL", *PASSED_ON}:
        os.kill(os.getpid(), number)
    _say(NeuridError(f"{name} ended the command. This is a fault of nwb-neurid or of a library, please report it."))
    sys.exit(1)


def _say(error: NeuridError) -> None:
    from rich.console import Console

    from nwb_neurid.cli.terminal import Terminal

    Console(stderr=True).show_cursor()  # a progress bar may have hidden it
    Terminal(quiet=False, verbose=False).fail(error)
