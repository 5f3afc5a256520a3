"""Embed an archive: claim recordings, send them to workers, retry after temporary failures, and record the results."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nwb_neurid._system.atomic import convert_errors
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import DEVICES, Progress, silent
from nwb_neurid.errors import CannotWrite, InvalidOption, NeuridError
from nwb_neurid.workflows.archive.cluster import parse_time_limit, start_cluster
from nwb_neurid.workflows.archive.crew import Crew
from nwb_neurid.workflows.archive.digests import (
    describe_reading,
    hash_values,
    take_model_digest,
    take_source_digest,
)
from nwb_neurid.workflows.archive.manifest import DONE, FAILED, Entry, Manifest
from nwb_neurid.workflows.archive.options import EARLIER, EMBEDDED, REFUSED, SAME, ClusterOptions
from nwb_neurid.workflows.archive.plan import name_place, plan_recordings
from nwb_neurid.workflows.archive.task import Asked, Claimed, mark_results
from nwb_neurid.writers.dataset import MANIFEST, prepare_folder, rename_recording
from nwb_neurid.writers.options import NWB
from nwb_neurid.writers.stored import find_results

BESIDE = "neurid-manifest.sqlite"
"""Default name of the manifest if results are written beside the recordings. It is in the current folder of the
command.
"""

LOOK_S, LOOKS = 1.0, 2
"""Waiting time for answers in each round, and number of rounds before a recording of another run is checked again."""

FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 60.0
"""Waiting time before the first retry of a recording, which doubles with each retry, and its maximum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome for one source.

    Parameters
    ----------
    source
        The source as given by the user.
    what
        "embedded", "embedded earlier" (by another run), "failed", or "same recording" as a source that is listed
        before.
    path
        The file that contains the results.
    reason
        The reason why it failed, or the other name of the recording.
    facts
        Units, embedded units, and more.
    """

    source: str
    what: str
    path: str = ""
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def embed_archive(
    sources: Sequence[str],
    asked: Asked,
    cluster: ClusterOptions,
    *,
    announce: Callable[[str], None] = lambda _: None,
    progress: Progress = silent,
) -> Iterator[Report]:
    """Embed many recordings with workers, each once, and continue an interrupted run.

    Parameters
    ----------
    sources
        Files, folders or URLs. A recording with several names is embedded once.
    asked
        The task for every recording.
    cluster
        Options for the workers.
    announce
        Called with the address of the dashboard.
    progress
        Progress callback, called for every recording whose digest is computed.

    Yields
    ------
    Report
        One report for each source, in the order in which they finish.

    Raises
    ------
    NeuridError
        If the run cannot start, because an option, the model, the manifest or the cluster cannot be used.
    """
    cluster.check()
    limit_s = parse_time_limit(cluster.time_limit)
    asked, manifest = _prepare(asked, cluster.manifest)
    options = _hash_options(asked)
    _check_alike(asked, manifest, options)
    writing = asked.writing
    into = asked.dataset is None and writing.format == NWB and not writing.sidecar
    plan = plan_recordings(sources, manifest, asked.model_digest, options, into_recordings=into, progress=progress)
    for source, why in plan.refused.items():
        yield Report(source=source, what=REFUSED, reason=why)
    also: dict[str, list[str]] = {}
    for name, other in plan.same.items():
        also.setdefault(other, []).append(name)
    with manifest.hold():
        for report in _Run(
            asked=asked, manifest=manifest, cluster=cluster, limit_s=limit_s, open=dict(plan.entries), names=plan.names
        ).go(announce):
            yield report
            for name in also.get(report.source, ()):
                same = replace(report, source=name)
                yield same if report.what == REFUSED else replace(same, what=SAME, reason=report.source)


def _prepare(asked: Asked, path: Path | None) -> tuple[Asked, Manifest]:
    """Complete the task with the digest of the model and the folders, and open the manifest."""
    if asked.dataset is not None:
        if path is not None:
            raise InvalidOption(
                "With --output, the manifest is in the output folder: leave out --manifest or --output."
            )
        folder = asked.dataset.absolute()
        prepare_folder(folder)
        asked, path = replace(asked, dataset=folder), folder / MANIFEST
    path = path or Path(BESIDE)
    model = replace(asked.model, device=_check_device(asked.model.device)).build()
    with convert_errors(path):
        manifest = Manifest(path)
    return replace(asked, model_digest=take_model_digest(model), folder=str(Path.cwd())), manifest


def _check_device(device: str) -> str:
    """Check the device, and return the device on which the model is built to compute its digest.

    It is always the CPU, because this machine may have no GPU.
    """
    if device not in DEVICES:
        raise InvalidOption(f"device must be one of {', '.join(DEVICES)}, got {device!r}.")
    return "cpu"


def _hash_options(asked: Asked) -> str:
    """Hash all options that influence the results, except the model."""
    writing = asked.writing
    return hash_values(
        {
            "reading": describe_reading(asked.reading),
            "pool_groups": asked.pool_groups,
            "training": asked.training,
            "prediction": asked.prediction,
            "criteria": asked.criteria,
            "results": "dataset"
            if asked.dataset is not None
            else [writing.format, writing.name, writing.sidecar, writing.units_columns],
        }
    )


def _check_alike(asked: Asked, manifest: Manifest, options: str) -> None:
    """Refuse to add vectors of another model, or with other options, to a dataset."""
    if asked.dataset is None:
        return
    if manifest.holds_other(asked.model_digest, options):
        raise CannotWrite(
            f"{asked.dataset} holds vectors that were made with another model or other options. Choose another "
            "--output: a dataset may only hold vectors that can be compared."
        )


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run over an archive: the unfinished recordings and their state, by key.

    Times are those of the monotonic clock.
    """

    asked: Asked
    manifest: Manifest
    cluster: ClusterOptions
    limit_s: float | None
    open: dict[str, Entry]
    names: Mapping[str, str]
    running: set[str] = field(default_factory=set)
    tries: Counter[str] = field(default_factory=Counter)
    due_s: dict[str, float] = field(default_factory=dict)

    def go(self, announce: Callable[[str], None]) -> Iterator[Report]:
        """Embed the recordings that are not done yet. Workers are started only if there are such recordings."""
        yield from self._recall()
        if not self.open:
            return
        uses_gpu = self.asked.model.device != "cpu"
        with (
            start_cluster(self.cluster, uses_gpu=uses_gpu) as address,
            closing(Crew(address, self.cluster.workers or 1, self.limit_s)) as crew,
        ):
            if crew.dashboard:
                announce(crew.dashboard)
            while self.open:
                yield from self._claim(crew)
                yield from self._collect(crew)

    def _recall(self) -> Iterator[Report]:
        """Report the recordings that are done and still have their results."""
        for key in list(self.open):
            done = self.manifest.find(key)
            if done is None or done.state != DONE:
                continue
            if (path := _find_results(done, self.names[key], self.asked)) is None:
                self.manifest.forget(key)
                continue
            place = name_place(self.names[key])
            if (place, path) != (done.source, done.path):  # otherwise a recording at the old path would replace it
                self.manifest.move(key, place, path)
            del self.open[key]
            yield _report(self.names[key], replace(done, path=path), EARLIER)

    def _claim(self, crew: Crew) -> Iterator[Report]:
        """Claim recordings that no other run has claimed, and send enough of them to keep the workers busy."""
        now_s = time.monotonic()
        for key, entry in list(self.open.items()):
            if key in self.running or self.due_s.get(key, 0.0) > now_s:
                continue
            if not crew.has_room:
                return
            found = self.manifest.claim(
                replace(entry, facts={"before": mark_results(entry.source, self.asked.writing.format)})
            )
            if found is None:
                self.due_s[key] = now_s + LOOK_S * LOOKS  # another run has claimed it; check again later
            elif found.state in (DONE, FAILED):
                del self.open[key]
                yield _report(self.names[key], found, EARLIER if found.state == DONE else REFUSED)
            else:
                self.running.add(key)
                crew.submit(self.asked, self._describe(entry, found))

    def _describe(self, entry: Entry, found: Entry) -> Claimed:
        """Make the task about a claimed recording for a worker."""
        digests = [digest for digest in (entry.digest, entry.after) if digest]
        # If an earlier attempt failed, tables beside the recording may come from other software.
        knows = self.asked.writing.format == NWB or not found.reason
        before = found.facts.get("before") if knows else None
        return Claimed(source=self.names[entry.key], key=entry.key, digests=digests, before=before)

    def _collect(self, crew: Crew) -> Iterator[Report]:
        """Record and report the answers of the workers."""
        for key, answer in crew.collect(LOOK_S):
            self.running.discard(key)
            entry, name = self.open[key], self.names[key]
            for message in answer.warnings:
                warn(message)
            if not answer.reason:
                del self.open[key]
                self.manifest.finish(key, answer.path, answer.after, answer.facts)
                self._remove_older(entry, answer.path)
                yield Report(source=name, what=EMBEDDED, path=answer.path, facts=answer.facts)
            elif answer.is_transient and self.tries[key] < self.cluster.retries:
                self.due_s[key] = time.monotonic() + min(FIRST_WAIT_S * 2 ** self.tries[key], LONGEST_WAIT_S)
                self.tries[key] += 1
            else:
                del self.open[key]
                tried = f" (tried {self.tries[key] + 1} times)" if self.tries[key] else ""
                self.manifest.fail(key, answer.reason + tried)
                yield Report(source=name, what=REFUSED, reason=answer.reason + tried)

    def _remove_older(self, entry: Entry, path: str) -> None:
        """Remove vectors from the dataset that belong to an earlier content of a recording."""
        if self.asked.dataset is None:
            return
        for older in self.manifest.find_older(entry.source, entry.key):
            if older.key in self.names:  # it belongs to another recording of this run
                continue
            if older.path != path:
                (self.asked.dataset / older.path).unlink(missing_ok=True)
            self.manifest.forget(older.key)


def _find_results(done: Entry, source: str, asked: Asked) -> str | None:
    """Return the file with the results of a finished recording, or None if it is gone.

    The recording may have been moved.
    """
    if asked.dataset is not None:
        with suppress(NeuridError):  # a damaged file is replaced
            if name_place(source) != done.source and (asked.dataset / done.path).is_file():
                rename_recording(asked.dataset / done.path, source)
            return done.path if (asked.dataset / done.path).is_file() else None
        return None
    if not done.after:
        return done.path if Path(done.path).exists() else None
    path = name_place(source)
    if take_source_digest(source) == done.after:
        return path
    names = done.facts.get("names") or [None]
    with suppress(NeuridError):
        return path if find_results(Path(source), names[0])[1] else None
    return None


def _report(source: str, found: Entry, what: str) -> Report:
    return Report(source=source, what=what, path=found.path, reason=found.reason, facts=found.facts)
