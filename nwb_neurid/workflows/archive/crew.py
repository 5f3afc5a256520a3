"""The workers of a run: recordings are sent to them and answers are collected, even if workers are lost."""

import time
from contextlib import suppress
from functools import partial
from queue import Empty, Queue
from typing import TYPE_CHECKING

from nwb_neurid.errors import InvalidOption, NeuridError
from nwb_neurid.workflows.archive.apart import embed_apart
from nwb_neurid.workflows.archive.cluster import connect
from nwb_neurid.workflows.archive.task import Answer, Asked, Claimed

if TYPE_CHECKING:
    from distributed import Future

AHEAD = 2
"""Number of recordings that are sent per thread: one that is being embedded, and one that waits, so that no worker is
idle.
"""

PATIENCE_S = 600.0
"""Maximum time to wait for a scheduler that was lost."""

AGAIN_S = 2.0
LOST = "the scheduler was lost"


class Crew:
    """The workers of one scheduler.

    Parameters
    ----------
    address
        Address of the scheduler.
    workers
        Expected number of workers, before any has connected.
    limit_s
        Time limit for a recording in seconds, or None for no limit.

    Raises
    ------
    InvalidOption
        If no scheduler answers at this address.
    """

    def __init__(self, address: str, workers: int, limit_s: float | None = None) -> None:
        self._address, self._expected, self._limit_s = address, workers, limit_s
        self._client = connect(address)
        self._threads, self._counted_s = 0, -AGAIN_S
        self._futures: dict[str, Future] = {}
        self._ended: Queue[tuple[str, Future]] = Queue()

    def close(self) -> None:
        """Disconnect from the workers. Unfinished computations are cancelled."""
        with suppress(Exception):  # unfinished computations may fail
            if self._futures:
                self._client.cancel(list(self._futures.values()), force=True)
        with suppress(Exception):
            self._client.close(timeout=AGAIN_S)

    @property
    def dashboard(self) -> str:
        """Return the address of the dashboard, or "" if there is none."""
        return str(self._client.dashboard_link or "")

    @property
    def has_room(self) -> bool:
        """Return whether the workers need more recordings."""
        if time.monotonic() > self._counted_s + AGAIN_S:
            with suppress(Exception):  # the scheduler may be lost
                self._threads = sum(self._client.nthreads().values())
            self._counted_s = time.monotonic()
        return len(self._futures) < AHEAD * max(self._threads, self._expected)

    def submit(self, asked: Asked, claimed: Claimed) -> None:
        """Send a recording to a worker."""
        key = claimed.key
        future = self._client.submit(
            embed_apart, asked, claimed, self._limit_s, key=f"embed-{key[:16]}-{time.time_ns()}", pure=False
        )
        self._futures[key] = future
        future.add_done_callback(partial(self._note, key))

    def collect(self, timeout_s: float) -> list[tuple[str, Answer]]:
        """Wait for answers up to a time limit, and return all that have arrived, by the keys of the recordings.

        Raises
        ------
        NeuridError
            If the connection to the scheduler is lost for ten minutes.
        """
        found: list[tuple[str, Answer]] = []
        with suppress(Empty):
            key, future = self._ended.get(timeout=timeout_s)
            while True:
                if self._futures.get(key) is future:  # otherwise the recording was submitted again
                    del self._futures[key]
                    found.append((key, _read(future)))
                key, future = self._ended.get_nowait()
        if self._client.status != "running":
            lost = list(self._futures)
            self._futures.clear()
            self._return()
            found += [(key, Answer(reason=LOST, is_transient=True)) for key in lost]
        return found

    def _note(self, key: str, future: "Future") -> None:
        self._ended.put((key, future))

    def _return(self) -> None:
        """Wait for the scheduler, which may be restarted at the same address."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with suppress(Exception):
                self._client.close(timeout=AGAIN_S)
            try:
                self._client = connect(self._address)
                return
            except InvalidOption as error:
                if time.monotonic() > deadline:
                    raise NeuridError(
                        f"The scheduler at {self._address} was lost and did not come back in {PATIENCE_S / 60:g} "
                        "minutes. Finished recordings are in the manifest: run the same command again to continue."
                    ) from error
                time.sleep(AGAIN_S)


def _read(future: "Future") -> Answer:
    """Return the answer of a worker, or the reason why it did not answer."""
    from distributed import KilledWorker

    if future.status == "finished":
        answer: Answer = future.result()
        return answer
    if future.status != "error":  # it was cancelled
        return Answer(reason=LOST, is_transient=True)
    error = future.exception()
    if isinstance(error, KilledWorker):
        return Answer(
            reason="its workers were killed several times, for example because memory ran out or because a SLURM job "
            "reached its time limit.",
            is_transient=True,
        )
    return Answer(
        reason=f"the worker failed with {type(error).__name__}: {error}. Install the same nwb-neurid on every machine."
    )
