"""Comparison of evaluations on the units that all of them tested."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nwb_neurid.errors import InvalidOption, UnreadableSource
from nwb_neurid.evaluation.metrics import DRAWS, ENOUGH_SUBJECTS, INTERVAL, METRICS, draw_resamples
from nwb_neurid.evaluation.results import FORMAT, PREDICTIONS, SCORES

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

SAME = ("label", "protocol")
KEY = ("subject", "source", "session", "row")
CHUNK = 100  # bootstrap samples at a time, which bounds the memory


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """One evaluation of a comparison.

    Parameters
    ----------
    folder, name
        Folder of the evaluation, and the name of the model.
    macro_f1, balanced_accuracy
        The scores, computed on the units that all evaluations tested.
    differences
        Difference between each score and the score of the first evaluation, with its 95% interval: (difference, low,
        high). Empty for the first evaluation.
    """

    folder: str
    name: str
    macro_f1: float
    balanced_accuracy: float
    differences: Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Scores of several evaluations on the units that all of them tested.

    Parameters
    ----------
    rows
        One row for each evaluation, in the given order.
    over
        What the bootstrap resamples: "subjects", or "neurons" if there are fewer than six subjects.
    units, subjects
        Number of units and subjects that all evaluations tested.
    left_out
        Number of units that only some of the evaluations tested.
    """

    rows: tuple[ComparisonRow, ...]
    over: str
    units: int
    subjects: int
    left_out: int


def compare(folders: Sequence[str | Path], *, seed: int = 0) -> Comparison:
    """Compare evaluations on the units that all of them tested, by paired bootstrap differences from the first one.

    Parameters
    ----------
    folders
        Two or more folders that `Evaluation.save` wrote.
    seed
        Random seed of the bootstrap.

    Returns
    -------
    Comparison
        Scores, and their differences from the scores of the first evaluation.

    Raises
    ------
    InvalidOption
        If there are fewer than two evaluations, or if they differ in label or protocol, have no unit in common, or
        contain different true classes for a unit.
    UnreadableSource
        If a folder contains no evaluation.
    """
    if len(folders) < 2:
        raise InvalidOption("compare needs two folders or more, written by evaluate --output.")
    scores = [_read_scores(Path(folder)) for folder in folders]
    for field in SAME:
        if len({each[field] for each in scores}) > 1:
            each_has = ", ".join(f"{folder}: {own[field]}" for folder, own in zip(folders, scores, strict=True))
            raise InvalidOption(f"Only evaluations of one {field} can be compared, got {each_has}.")
    tables = [_read_predictions(Path(folder)) for folder in folders]
    keys = sorted(set.intersection(*(set(own.index) for own in tables)))
    if not keys:
        raise InvalidOption("These evaluations have tested no unit in common.")
    left_out = len(set.union(*(set(own.index) for own in tables))) - len(keys)
    tables = [own.loc[keys] for own in tables]
    for folder, own in zip(folders[1:], tables[1:], strict=True):
        if wrong := int((own["true"] != tables[0]["true"]).sum()):
            raise InvalidOption(
                f"{folders[0]} and {folder} disagree on the true class of {wrong} units. Evaluate both with one --map."
            )
    truth, *labels = (column.to_numpy(np.str_) for column in (tables[0]["true"], *(own["said"] for own in tables)))
    subject = np.array([key[0] for key in keys])
    over_subjects = len(np.unique(subject)) >= ENOUGH_SUBJECTS
    parts = subject if over_subjects else np.arange(len(keys))
    classes = np.unique(np.concatenate([truth, *labels]))
    found = [_count_confusions(truth, own, classes, parts) for own in labels]
    names = [str(each["name"]) for each in scores]
    pairs = zip(folders, names, found, strict=True)
    return Comparison(
        rows=tuple(_compare_row(str(folder), name, own, found[0], seed) for folder, name, own in pairs),
        over="subjects" if over_subjects else "neurons",
        units=len(keys),
        subjects=len(np.unique(subject)),
        left_out=left_out,
    )


def _count_confusions(truth: np.ndarray, label: np.ndarray, classes: np.ndarray, parts: np.ndarray) -> "csr_array":
    """Count confusions of each part (subject or neuron), as a sparse matrix of shape (parts, classes²)."""
    from scipy.sparse import csr_array

    names, part = np.unique(parts, return_inverse=True)
    cell = np.searchsorted(classes, truth) * len(classes) + np.searchsorted(classes, label)
    return csr_array((np.ones(len(cell), np.int64), (part, cell)), shape=(len(names), len(classes) ** 2))


def _resample(
    counts: "csr_array", times: Int64[np.ndarray, "draws parts"] | None = None
) -> Int64[np.ndarray, "draws classes classes"]:
    """Sum the confusions, with each part counted the given number of times (by default once)."""
    parts, cells = counts.shape
    taken = np.ones((1, parts), np.int64) if times is None else times
    return np.asarray(taken @ counts).reshape(len(taken), math.isqrt(cells), -1)


def _compare_row(folder: str, name: str, own: "csr_array", first: "csr_array", seed: int) -> ComparisonRow:
    values = {metric: float(of(_resample(own)[0])) for metric, of in METRICS.items()}
    return ComparisonRow(
        folder=folder, name=name, **values, differences={} if own is first else _bootstrap_differences(own, first, seed)
    )


def _bootstrap_differences(own: "csr_array", first: "csr_array", seed: int) -> dict[str, tuple[float, float, float]]:
    """Bootstrap the differences between two evaluations. Both are scored on the same bootstrap samples."""
    draws = np.split(draw_resamples(own.shape[0], seed), range(CHUNK, DRAWS, CHUNK))
    found = {}
    for name, metric in METRICS.items():
        whole, *spread = (metric(_resample(own, some)) - metric(_resample(first, some)) for some in (None, *draws))
        low, high = np.percentile(np.concatenate(spread), INTERVAL)
        found[name] = (float(whole[0]), float(low), float(high))
    return found


def _read_scores(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / SCORES).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableSource(f"{folder} holds no evaluation: {SCORES} cannot be read ({error}).") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or not {"name", *SAME} <= found.keys():
        raise UnreadableSource(f"{folder / SCORES} is not an evaluation of format {FORMAT}.")
    return found


def _read_predictions(folder: Path) -> "pd.DataFrame":
    """Read the true and the predicted class of the tested units, by `KEY`."""
    import pandas as pd

    path = folder / PREDICTIONS
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False).set_index([*KEY])[["true", "said"]]
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableSource(f"{path} is not a table of predictions ({error!r}). Evaluate again.") from error
    if repeated := int(table.index.duplicated().sum()):
        raise InvalidOption(
            f"In {path}, {repeated} units have the same {', '.join(KEY)} as another unit. Give "
            "each file of a subject a different name or session id, and evaluate again."
        )
    return table[(table != "").all(axis=1)]
