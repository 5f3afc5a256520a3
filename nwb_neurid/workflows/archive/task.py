"""The task of one worker: embed one recording. A refused recording is reported as a value, not as an error."""

import errno
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from glob import escape
from pathlib import Path
from typing import Any, TypeAlias

from nwb_neurid._system.names import PREFIX
from nwb_neurid.contracts import ReadOptions, is_url
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.errors import (
    CannotWrite,
    InvalidModel,
    NeuridError,
    NeuridWarning,
    NoResults,
    SourceChanged,
    SourceNotFound,
    SourceUnreachable,
)
from nwb_neurid.labels.criteria import AUTO
from nwb_neurid.labels.duplicates import find_neurons
from nwb_neurid.labels.head import identify_encoder
from nwb_neurid.labels.prediction import PredictionOptions
from nwb_neurid.model.model import Model
from nwb_neurid.workflows.archive.digests import take_model_digest, take_source_digest
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.workflows.models import ModelChoice
from nwb_neurid.workflows.report import check_page, name_report, report_outcome
from nwb_neurid.writers.dataset import choose_part
from nwb_neurid.writers.nwb.destination import is_nwb, name_sidecar
from nwb_neurid.writers.options import NWB, WriteOptions
from nwb_neurid.writers.outputs import PHY, name_after, name_output
from nwb_neurid.writers.stored import find_results

TRANSIENT = frozenset(
    getattr(errno, name)
    for name in ("EAGAIN", "EBUSY", "EIO", "ESTALE", "ETIMEDOUT", "ECONNRESET", "ENETDOWN", "EHOSTDOWN", "EMFILE")
    if hasattr(errno, name)
)
"""Operating-system errors of a disk or a network that may be temporary."""


Marks: TypeAlias = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The task for every recording.

    Parameters
    ----------
    model, model_digest
        The model, and its digest, which each worker verifies.
    reading, writing, pool_groups, training, prediction, criteria
        As for `nwb_neurid.workflows.embed.embed_file`.
    dataset
        The folder of the dataset for the vectors; None to write them beside each recording.
    folder
        The folder to which the names of recordings are relative.
    report
        Also write a report beside the results.
    """

    model: ModelChoice = field(default_factory=ModelChoice)
    model_digest: str = ""
    reading: ReadOptions = field(default_factory=ReadOptions)
    writing: WriteOptions = field(default_factory=WriteOptions)
    pool_groups: bool = False
    training: TrainingOptions | None = None
    prediction: PredictionOptions = field(default_factory=PredictionOptions)
    criteria: str = AUTO
    dataset: Path | None = None
    folder: str = ""
    report: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A recording that the run has claimed.

    Parameters
    ----------
    source
        The recording, as given by the user.
    key
        Key of the recording in the manifest.
    digests
        Possible digests of the recording. Another digest means that another recording has taken its place. () allows
        any digest.
    before
        `mark_results` at the time when the recording was first claimed; None if unknown. Files that have changed since
        may be results that a lost worker or a killed run has written.
    """

    source: str
    key: str
    digests: Sequence[str] = ()
    before: Marks | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The outcome for one recording.

    Parameters
    ----------
    path
        The file that contains the results, or "" if the recording was refused.
    after
        Digest of the source, after the results were written.
    facts
        The facts that are reported about it.
    reason
        The reason why it was refused, or "" otherwise.
    is_transient
        Whether a later attempt may succeed.
    warnings
        The warnings for the user.
    """

    path: str = ""
    after: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    is_transient: bool = False
    warnings: tuple[str, ...] = ()


def mark_results(source: str, kind: str = NWB) -> dict[str, list[int]]:
    """Return size and date of the files with results on a recording, so that new results can be detected later.

    Parameters
    ----------
    source
        The recording.
    kind
        The format of the results.

    Returns
    -------
    dict
        Values for existing files: the recording under "recording", the report under "report", and separate files with
        results under their file names. They can be stored as JSON.
    """
    if is_url(source):
        return {}
    path = Path(source)
    found = {}
    files = {"recording": path, "report": name_report(path), **{file.name: file for file in _list_beside(path, kind)}}
    for name, file in files.items():
        with suppress(OSError):
            status = file.stat()
            found[name] = [status.st_size, status.st_mtime_ns]
    return found


def _list_beside(path: Path, kind: str) -> list[Path]:
    """List separate files with results on a recording in a format, for any name of the results."""
    if kind == NWB:
        return [name_sidecar(path) if is_nwb(path) else path.parent / name_output(path)]
    if kind == PHY:
        return [*path.glob(f"cluster_{PREFIX}*.tsv")]
    begin = name_output(path, kind=kind, name=PREFIX).removesuffix(f"{PREFIX}.{kind}")
    return [*path.parent.glob(f"{escape(begin)}*.{kind}")]


def _choose_overwrite(asked: Asked, claimed: Claimed) -> tuple[bool, bool]:
    """Return whether to replace separate files with results, and whether to replace a report.

    They are replaced if none existed when the recording was first claimed, because a lost worker or a killed run wrote
    them.
    """
    if asked.writing.overwrite or claimed.before is None or is_url(claimed.source):
        return (asked.writing.overwrite,) * 2
    there = mark_results(claimed.source, asked.writing.format).keys()
    others = {"recording", "report"}
    new = asked.writing.format != NWB and not claimed.before.keys() - others and bool(there - others)
    return new, "report" in there - claimed.before.keys()


def embed_recording(asked: Asked, claimed: Claimed) -> Answer:
    """Embed one recording.

    Parameters
    ----------
    asked
        The task for every recording.
    claimed
        The recording.

    Returns
    -------
    Answer
        The file with the results, or the reason why there are none.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = _attempt(asked, claimed)
    return replace(
        answer, warnings=tuple(str(each.message) for each in caught if issubclass(each.category, NeuridWarning))
    )


def _attempt(asked: Asked, claimed: Claimed) -> Answer:
    source = claimed.source
    try:
        return _embed(asked, claimed)
    except SourceUnreachable as error:
        return Answer(reason=str(error), is_transient=True)
    except NeuridError as error:
        return Answer(reason=str(error), is_transient=_is_transient(error))
    except MemoryError:
        return Answer(reason=f"{source}: there is not enough memory. Give each worker more (--memory).")
    except OSError as error:
        return Answer(reason=f"{source}: {error.strerror or error}.", is_transient=_is_transient(error))
    except Exception as error:
        fault = f"unexpected {type(error).__name__}: {error}. This is a bug in nwb-neurid. Please report it."
        return Answer(reason=f"{source}: {fault}")


def _embed(asked: Asked, claimed: Claimed) -> Answer:
    _enter(asked.folder)
    source = claimed.source
    model = _load_model(asked.model, asked.model_digest)
    replaces, replaces_page = _choose_overwrite(asked, claimed)
    writing = replace(asked.writing, overwrite=replaces)
    page = check_page(source, replace(writing, overwrite=replaces_page)) if asked.report else None
    part = None
    if asked.dataset is not None:
        part = choose_part(asked.dataset, source, claimed.key, lambda one: find_neurons([one]))
    try:
        _check_same(claimed)
        outcome = embed_file(
            source,
            model,
            reading=asked.reading,
            writing=writing,
            device=asked.model.device,
            pool_groups=asked.pool_groups,
            training=asked.training,
            prediction=asked.prediction,
            criteria=asked.criteria,
            output=part,
        )
    except CannotWrite:
        if (
            claimed.before == mark_results(source, asked.writing.format)
            or (found := _find_own(asked, source, model)) is None
        ):
            raise
        path, facts = found
        return Answer(path=str(path.absolute()), after=take_source_digest(source), facts=facts)
    if asked.dataset is not None:
        try:
            _check_same(claimed)
        except NeuridError:
            outcome.path.unlink()  # it is not known to which content the vectors belong
            raise
    if page is not None:
        report_outcome(outcome, page, overwrite=replaces_page)
    after = take_source_digest(source) if outcome.changed else ""
    path = outcome.path.relative_to(asked.dataset) if asked.dataset is not None else outcome.path.absolute()
    facts = {**outcome.count_units(), "subject": outcome.population.subject_id}
    return Answer(path=str(path), after=after, facts=facts)


def _check_same(claimed: Claimed) -> None:
    """Refuse a recording that is not the one that was claimed.

    Raises
    ------
    SourceChanged
        If the recording has changed.
    """
    if claimed.digests and take_source_digest(claimed.source) not in claimed.digests:
        raise SourceChanged(
            f"{claimed.source} changed after this run had looked at it. When it is complete, run the same command "
            "again."
        )


def _enter(folder: str) -> None:
    """Change to the folder to which names of recordings are relative. A worker may have been started in another folder.

    Raises
    ------
    SourceNotFound
        If the folder does not exist.
    """
    if folder and folder != str(Path.cwd()):
        try:
            os.chdir(folder)
        except OSError as error:
            raise SourceNotFound(
                f"A worker cannot find the folder {folder} ({error.strerror}). Put recordings and results where "
                "every machine sees them under the same path."
            ) from error


@lru_cache(maxsize=2)
def _load_model(choice: ModelChoice, digest: str) -> Model | None:
    """Load the model, once per worker.

    Raises
    ------
    InvalidModel
        If the model is not the requested one.
    """
    model = choice.build()
    if digest and take_model_digest(model) != digest:
        raise InvalidModel(
            f"A worker found another model under {choice.folder or choice.encoder or 'a name of an included model'}, "
            "or has another version of nwb-neurid. Install the same on every machine, and put the model where all can "
            "read it."
        )
    return model


def _find_own(asked: Asked, source: str, model: Model | None) -> tuple[Path, dict[str, Any]] | None:
    """Find results of this model that a lost worker or a killed run has written. Return None if there are none."""
    if asked.dataset is not None or asked.writing.format != NWB or is_url(source):
        return None
    name = asked.writing.name or (None if model is None else name_after(model.name))
    try:
        path, found = find_results(Path(source), name)
    except NoResults:
        return None
    for each in found:
        if model is None or identify_encoder(each.embeddings.provenance) == model.identity:
            return path, {"units": len(each.embeddings), "embedded": int((each.embeddings.reasons == "").sum())}
    return None


def _is_transient(error: BaseException) -> bool:
    """Return whether an error was caused by a problem that may be temporary."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SourceUnreachable) or (isinstance(cause, OSError) and cause.errno in TRANSIENT):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
