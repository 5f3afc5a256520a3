"""The report on a dataset: the vectors of many recordings on one page."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid._system.text import counted
from nwb_neurid._system.warning import warn
from nwb_neurid.population import Population, Spikes
from nwb_neurid.report.facts import Origins
from nwb_neurid.results import Embeddings
from nwb_neurid.writers.dataset import StoredRecording, read_dataset

if TYPE_CHECKING:
    import pandas as pd

MOST_UNITS = 10_000
"""Maximum number of units of a page. A page with more units would be slow to make and to display."""

SEED = 0
Measured = dict[str, tuple[str, Float64[np.ndarray, " units"]]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Joined:
    """The units of all recordings of a dataset.

    Parameters
    ----------
    population
        The units. Their labels are the known and predicted labels, the subject, the session and the recording.
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
    import pandas as pd

    found = _keep_one_model(read_dataset(folder), folder)
    units, vectors = pd.concat(map(_tabulate, found), ignore_index=True), [each.embeddings for each in found]
    rows = _draw_rows(len(units), folder)
    units, seconds = units.iloc[rows], units["observed_s"].to_numpy()[rows]
    known = _stack(found, lambda each: each.population.labels)
    predicted = _stack(found, lambda each: {f"predicted {name}": own for name, own in each.predicted.items()})
    labels = pd.concat([known.iloc[rows], predicted.iloc[rows], units[["subject", "session", "recording"]]], axis=1)
    population = Population(
        unit_ids=(units["recording"] + ":" + units["id"]).to_numpy(np.str_),
        activity=Spikes.of([np.empty(0)] * len(rows)),
        observed_s=np.empty((0, 2)),
        labels={str(name): values.to_numpy(np.str_) for name, values in labels.items()},
        subject_id=counted(len({each.population.subject_id for each in found}), "subject"),
        session_id=counted(len(found), "recording"),
        source=str(folder),
    )
    embeddings = Embeddings(
        vectors=np.concatenate([each.vectors for each in vectors])[rows],
        unit_ids=population.unit_ids,
        n_windows=np.concatenate([each.n_windows for each in vectors])[rows],
        stability=np.concatenate([each.stability for each in vectors])[rows],
        reasons=np.concatenate([each.reasons.astype(object) for each in vectors])[rows].astype(np.str_),
        provenance=vectors[0].provenance,
    )
    rate_hz = units["spikes"].to_numpy(np.float64) / np.where(seconds > 0, seconds, np.nan)
    return Joined(
        population=population,
        embeddings=embeddings,
        measured={
            "firing rate (Hz)": ("Spikes per second of observed time", rate_hz),
            "observed (s)": ("How long the unit was observed", seconds),
        },
        origins=Origins(sources=units["source"].tolist(), ids=units["id"].tolist(), rows=units["row"].to_numpy()),
        files=[each.path for each in found],
    )


def _tabulate(each: StoredRecording) -> "pd.DataFrame":
    """Tabulate the units of a recording and their origins."""
    import pandas as pd

    population = each.population
    return pd.DataFrame(
        {
            "id": population.unit_ids.astype(np.str_).astype(object),
            "row": np.arange(len(population)),
            "source": population.source,
            "subject": population.subject_id,
            "session": population.session_id,
            "recording": Path(population.source.partition("?")[0]).name,
            "spikes": np.nan if each.spikes is None else each.spikes,
            "observed_s": each.observed_s,
        }
    )


def _stack(
    found: Sequence[StoredRecording], of: Callable[[StoredRecording], Mapping[str, np.ndarray]]
) -> "pd.DataFrame":
    """Stack the labels of the units of all recordings, by name. A label is "" if a recording does not have it."""
    import pandas as pd

    parts = [pd.DataFrame(dict(of(each)), range(len(each.population)), dtype=object) for each in found]
    return pd.concat(parts, ignore_index=True).fillna("").sort_index(axis=1)


def _keep_one_model(found: Sequence[StoredRecording], folder: Path) -> list[StoredRecording]:
    """Select the recordings with vectors of the most frequent model."""
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
