"""The report on a dataset: the vectors of many recordings on one page."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from nwb_neurid._system.text import counted
from nwb_neurid._system.warning import warn
from nwb_neurid.population import Population, Spikes
from nwb_neurid.report.facts import Origins
from nwb_neurid.results import Embeddings
from nwb_neurid.writers.dataset import StoredRecording, read_dataset

MOST_UNITS = 10_000
"""A page with more units is slow to make and to look at."""

SEED = 0
Measured = dict[str, tuple[str, Float64[np.ndarray, " units"]]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Joined:
    """The units of all recordings of a dataset.

    Parameters
    ----------
    population
        The units. Their labels are the known and the predicted labels, and subject, session and recording.
    embeddings
        One row for each unit.
    measured
        Measurements of each unit, with a title.
    origins
        The recording of each unit, with its id and row there.
    files
        The files from which they were read.
    """

    population: Population
    embeddings: Embeddings
    measured: Measured
    origins: Origins
    files: list[Path]


def join_dataset(folder: Path) -> Joined:
    """Concatenate the units of all recordings of a dataset.

    Parameters
    ----------
    folder
        The dataset.

    Returns
    -------
    Joined
        The units, as the page shows them.

    Raises
    ------
    NeuridError
        If the dataset cannot be read.

    Warns
    -----
    NeuridWarning
        If there are vectors of several models, or very many units, and only some are shown.
    """
    found = _keep_one_model(read_dataset(folder), folder)
    sizes = [len(each.population) for each in found]
    rows = _draw_rows(sum(sizes), folder)
    population = Population(
        unit_ids=_join(found, lambda each: [f"{_name(each)}:{unit}" for unit in each.population.unit_ids.tolist()])[
            rows
        ],
        activity=Spikes.of([np.empty(0)] * len(rows)),
        observed_s=np.empty((0, 2)),
        labels={name: values[rows] for name, values in _collect_labels(found).items()},
        subject_id=counted(len({each.population.subject_id for each in found}), "subject"),
        session_id=counted(len(found), "recording"),
        source=str(folder),
    )
    vectors = [each.embeddings for each in found]
    embeddings = Embeddings(
        vectors=np.concatenate([each.vectors for each in vectors])[rows],
        unit_ids=population.unit_ids,
        n_windows=np.concatenate([each.n_windows for each in vectors])[rows],
        stability=np.concatenate([each.stability for each in vectors])[rows],
        reasons=np.concatenate([each.reasons.astype(object) for each in vectors])[rows].astype(np.str_),
        provenance=vectors[0].provenance,
    )
    measured = {name: (about, values[rows]) for name, (about, values) in _measure(found).items()}
    origins = Origins(
        sources=_join(found, lambda each: [each.population.source] * len(each.population))[rows].tolist(),
        ids=_join(found, lambda each: each.population.unit_ids.tolist())[rows].tolist(),
        rows=np.concatenate([np.arange(size) for size in sizes])[rows],
    )
    return Joined(
        population=population,
        embeddings=embeddings,
        measured=measured,
        origins=origins,
        files=[each.path for each in found],
    )


def _keep_one_model(found: Sequence[StoredRecording], folder: Path) -> list[StoredRecording]:
    """The recordings with vectors of the model that most have."""
    models = [(each.embeddings.provenance.encoder, each.embeddings.provenance.weights_sha256) for each in found]
    (most, count), *others = Counter(models).most_common()
    if others:
        warn(
            f"{folder} holds vectors of {len(others) + 1} models, which cannot be compared. The report shows "
            f"those of {most[0]}: {count} of {len(found)} recordings."
        )
    return [each for each, model in zip(found, models, strict=True) if model == most]


def _draw_rows(units: int, folder: Path) -> Int64[np.ndarray, " drawn"]:
    if units <= MOST_UNITS:
        return np.arange(units)
    warn(f"{folder} has {units:,} units; {MOST_UNITS:,} drawn at random are shown.")
    return np.sort(np.random.default_rng(SEED).choice(units, MOST_UNITS, replace=False))


def _join(
    found: Sequence[StoredRecording], column: Callable[[StoredRecording], Sequence[object]]
) -> Shaped[np.ndarray, " units"]:
    return np.array([str(value) for each in found for value in column(each)], np.str_)


def _collect_labels(found: Sequence[StoredRecording]) -> dict[str, Shaped[np.ndarray, " units"]]:
    """Known and predicted labels, and where each unit is from; "" where it is not known."""
    known = [each.population.labels for each in found]
    predicted = [{f"predicted {name}": values for name, values in each.predicted.items()} for each in found]
    labels = {}
    for columns in (known, predicted):
        for name in sorted({name for own in columns for name in own}):
            parts = [own.get(name, [""] * len(each.population)) for own, each in zip(columns, found, strict=True)]
            labels[name] = np.array([str(value) for part in parts for value in part], np.str_)
    labels["subject"] = _join(found, lambda each: [each.population.subject_id] * len(each.population))
    labels["session"] = _join(found, lambda each: [each.population.session_id] * len(each.population))
    labels["recording"] = _join(found, lambda each: [_name(each)] * len(each.population))
    return labels


def _measure(found: Sequence[StoredRecording]) -> Measured:
    seconds = np.concatenate([each.observed_s for each in found])
    unknown = [np.full(len(each.population), np.nan) if each.spikes is None else each.spikes for each in found]
    rate = np.concatenate(unknown) / np.where(seconds > 0, seconds, np.nan)
    return {
        "firing rate (Hz)": ("Spikes per second of observed time", rate),
        "observed (s)": ("How long the unit was observed", seconds),
    }


def _name(each: StoredRecording) -> str:
    return Path(each.population.source.partition("?")[0]).name
