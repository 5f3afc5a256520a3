"""Embedding of recordings in separate processes, so that crashes and endless computations do not stop the worker."""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import current_process, get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

from nwb_neurid._system import limits
from nwb_neurid.workflows.archive.task import Answer, Asked, Claimed, embed_recording

LOOK_S = 0.2
"""Interval between checks of the time and the memory that a recording uses."""

GRACE_S = 5.0
"""Maximum time to wait for the end of a killed process. A process that waits for a disk may never end."""

_idle: "deque[Process]" = deque()
"""Idle processes, which have loaded the model. Each thread of a worker takes an idle process or starts a new one."""


def dask_setup(_: object) -> None:
    """Prepare a worker process of this machine. Dask calls this function.

    The worker ignores Ctrl-C, because the command handles it and then ends the workers.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def embed_apart(asked: Asked, claimed: Claimed, limit_s: float | None = None) -> Answer:
    """Embed one recording in a separate process, which is then kept for the next recording.

    Parameters
    ----------
    asked, claimed
        As for `nwb_neurid.workflows.archive.task.embed_recording`.
    limit_s
        Time limit for the recording in seconds, or None for no limit.

    Returns
    -------
    Answer
        The file with the results, or the reason why there are none. Reasons include that the process crashed, was
        killed, or exceeded its time or memory limit.
    """
    memory = _find_memory()
    process = None
    while process is None or not process.is_alive:  # an idle process may have been killed
        process = _idle.pop() if _idle else Process(embed_recording)
    answer = process.ask(claimed.source, (asked, claimed), limit_s, memory)
    if process.is_alive:
        _idle.append(process)
    return answer


class Process:
    """A separate process that processes one request after another.

    Parameters
    ----------
    answer
        Function that processes a request in this process.
    """

    def __init__(self, answer: Callable[..., Answer]) -> None:
        context = get_context("spawn")
        self._watch: limits.Watch = context.RawValue(limits.Watch)
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(answer, theirs, self._watch), daemon=True)
        current_process().daemon = False  # Dask's workers are daemons, which may not start processes
        self._process.start()
        theirs.close()
        self._is_ready = False

    @property
    def is_alive(self) -> bool:
        """Return whether the process accepts requests."""
        return self._process.is_alive()

    def ask(self, source: str, question: tuple[Any, ...], limit_s: float | None, memory: int | None) -> Answer:
        """Return the answer to a request about a recording.

        The process is ended if it exceeds a limit on time or memory (in bytes).
        """
        try:
            if not self._is_ready:  # the time to load the model does not count
                self._pipe.recv()
                self._is_ready = True
            self._pipe.send(question)
            until, stuck = time.monotonic() + (limit_s or float("inf")), limits.Wait(self._watch)
            while not wait([self._pipe, self._process.sentinel], LOOK_S):
                if time.monotonic() > until:
                    return self._end(f"{source}: not finished after {_spell_time(limit_s or 0)} (--time-limit).")
                if memory is not None and (took := self._resident()) > memory:
                    return self._end(
                        f"{source}: embedding took {took / 1e9:.1f} GB of memory, and a worker has {memory / 1e9:.1f} "
                        "GB. Give each worker more (--memory)."
                    )
                if stuck.is_over(LOOK_S):
                    return self._end(f"{source} {limits.WAITS}", is_transient=True)
            answer: Answer = self._pipe.recv()
        except (EOFError, OSError):
            return self._explain_end(source)
        return answer

    def _end(self, reason: str, *, is_transient: bool = False) -> Answer:
        self._process.kill()
        self._process.join(GRACE_S)
        self._pipe.close()
        return Answer(reason=reason, is_transient=is_transient)

    def _explain_end(self, source: str) -> Answer:
        """Explain why the process ended by itself."""
        self._pipe.close()
        self._process.join(GRACE_S)
        code = self._process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if name != "SIGKILL" and code < 0 and self._watch.source:
            return Answer(reason=f"{source} {limits.explain_end(self._watch, name)}")
        return Answer(
            reason=f"{source}: the process that embedded it ended ({name}): it was killed, for example because "
            "memory ran out, or a library crashed.",
            is_transient=True,
        )

    def _resident(self) -> int:
        """Return the memory of the process in bytes, or 0 if it has ended."""
        import psutil

        with suppress(psutil.NoSuchProcess):
            return int(psutil.Process(self._process.pid).memory_info().rss)
        return 0


def _serve(answer: Callable[..., Answer], questions: Connection, watch: limits.Watch) -> None:
    """Process requests until the worker ends.

    Ctrl-C is ignored, because the command handles it and then ends the workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_worker, daemon=True).start()
    if hasattr(signal, "setitimer"):
        limits.enforce(watch)
    with suppress(EOFError, OSError):
        questions.send(None)
        while True:
            questions.send(answer(*questions.recv()))


def _end_with_worker() -> None:
    if (worker := parent_process()) is not None:
        wait([worker.sentinel])
        os._exit(1)


def _find_memory() -> int | None:
    """Return the memory in bytes that a recording may use: the limit of the worker divided by its threads."""
    from distributed import get_worker

    try:
        worker = get_worker()
        limit = worker.memory_manager.memory_limit
    except (ValueError, AttributeError):  # there is no worker, or it has another version
        return None
    return None if limit is None else int(limit) // worker.state.nthreads


def _spell_time(seconds: float) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
