"""Run a command in a child process, so that a damaged file can crash only this child."""

import os
import select
import signal
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

PASSED_ON = frozenset({"SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"})
"""Signals by which somebody ends a command."""

LOOK_S = 0.5
"""Interval between two checks of a command that reads, in seconds."""

_watch: ContextVar[limits.Watch | None] = ContextVar("watch", default=None)


def each(items: Sequence[T]) -> Iterator[T]:
    """Iterate over the items. If one of them crashes the command, a new process continues with the next."""
    watch = _watch.get()
    if watch is None:
        yield from items
        return
    watch.items = len(items)
    for number in range(watch.begun, len(items)):
        watch.begun = number + 1
        yield items[number]


def run_guarded(command: Callable[[], None]) -> None:
    """Run a command in a child process, and exit with its exit code. Without a child if the system has no fork.

    If a signal ends the child while it reads a file, one line reports this, and the exit code is 2.
    """
    if not hasattr(os, "fork"):  # Windows: a crash of HDF5 is a crash
        command()
        return
    watch, lost = limits.share_watch(), False
    while (code := _run(command, watch)) < 0:
        name = signal.Signals(-code).name
        if name in PASSED_ON or not watch.source:
            _end_by(name)
        _say(UnreadableSource(f"{watch.source.decode(errors='replace')} {limits.explain_end(watch, name)}"))
        lost, watch.source = True, b""
        if watch.begun == watch.items:
            sys.exit(2)
    sys.exit(code or 2 * lost)


def _run(command: Callable[[], None], watch: limits.Watch) -> int:
    """Return the exit code of a command in a child process, or minus the number of the signal that ended it."""
    signals = [getattr(signal, name) for name in PASSED_ON]
    before = {number: signal.getsignal(number) for number in signals}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nothing is left to wait for
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    held, ours = os.pipe()  # the child sees by one that its guard has gone, the guard by the other that the child has
    ended, its = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        threading.Thread(target=_end_with_guard, args=(held,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        _watch.set(watch)
        limits.enforce(watch)
        command()
        sys.exit()
    os.close(its)
    for number in signals:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, partial(_pass_on, child))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    status = _wait(child, ended, watch)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # what comes now is for the next child
    for number in signals:
        signal.signal(number, before[number])
    for end in (held, ours, ended):
        os.close(end)
    return os.waitstatus_to_exitcode(status)


def _wait(child: int, ended: int, watch: limits.Watch) -> int:
    """Wait for a child process and return its status. The child is killed if one call takes too long."""
    wait = limits.Wait(watch)
    while not select.select([ended], [], [], LOOK_S)[0]:
        if (found := os.waitpid(child, os.WNOHANG))[0]:  # a process that it started keeps the pipe open
            return found[1]
        if wait.is_over(LOOK_S):
            os.kill(child, signal.SIGKILL)
            break
    return os.waitpid(child, 0)[1]


def _end_with_guard(held: int) -> None:
    os.read(held, 1)  # nothing is ever written: it comes back when the guard is gone
    os.kill(os.getpid(), signal.SIGKILL)


def _pass_on(child: int, number: int, _: Any) -> None:
    if number != signal.SIGINT or not _in_foreground():  # Ctrl-C of a terminal reaches the child as well
        with suppress(ProcessLookupError):  # it has ended of the same
            os.kill(child, number)


def _in_foreground() -> bool:
    try:
        with open(os.ctermid()) as terminal:  # noqa: PTH123 - it is a device
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _end_by(name: str) -> NoReturn:
    """End with the same signal as the command, if the signal is not related to a file."""
    number = signal.Signals[name]
    if name in PASSED_ON:
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    if name in {"SIGKILL", *PASSED_ON}:
        os.kill(os.getpid(), number)
    _say(NeuridError(f"{name} ended the command. This is a bug in nwb-neurid or in a library. Please report it."))
    sys.exit(1)


def _say(error: NeuridError) -> None:
    from rich.console import Console

    from nwb_neurid.cli.terminal import Terminal

    Console(stderr=True).show_cursor()  # a progress bar may have hidden it
    Terminal().fail(error)
