"""Comparison of evaluations on the units that all of them tested."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from nwb_neurid.errors import InvalidOption, UnreadableSource
from nwb_neurid.evaluation.metrics import DRAWS, ENOUGH_SUBJECTS, INTERVAL, METRICS, draw_resamples
from nwb_neurid.evaluation.results import FORMAT, PREDICTIONS, SCORES

SAME = ("label", "protocol")
KEY = ("subject", "source", "session", "row")
CHUNK = 100  # bootstrap samples at a time, which bounds the memory

Key = tuple[str, ...]
"""Subject, file, session and row of a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """One evaluation of a comparison.

    Parameters
    ----------
    folder, name
        Folder of the evaluation, and the name of the model.
    macro_f1, balanced_accuracy
        Scores on the units that all evaluations tested.
    differences
        Difference of each score from that of the first evaluation, with its 95% interval: (difference, low, high).
        Empty for the first.
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
        One for each evaluation, in the order in which they were given.
    over
        What the bootstrap resamples: "subjects", or "neurons" if there are fewer than six subjects.
    units, subjects
        Number of units and subjects that all evaluations tested.
    left_out
        Number of units that only some of them tested.
    """

    rows: tuple[ComparisonRow, ...]
    over: str
    units: int
    subjects: int
    left_out: int


def compare(folders: Sequence[str | Path], *, seed: int = 0) -> Comparison:
    """Compare evaluations on the units that all tested, with paired bootstrap differences from the first.

    Parameters
    ----------
    folders
        Two or more, written by `Evaluation.save`.
    seed
        Random seed of the bootstrap.

    Returns
    -------
    Comparison
        Scores, and their differences from those of the first evaluation.

    Raises
    ------
    InvalidOption
        If there are fewer than two, they differ in label or protocol, share no unit, or disagree on true classes.
    UnreadableSource
        If a folder holds no evaluation.
    """
    if len(folders) < 2:
        raise InvalidOption("compare needs two folders or more, written by evaluate --output.")
    scores = [_read_scores(Path(folder)) for folder in folders]
    for field in SAME:
        if len({each[field] for each in scores}) > 1:
            each_has = ", ".join(f"{folder}: {own[field]}" for folder, own in zip(folders, scores, strict=True))
            raise InvalidOption(f"Only evaluations of one {field} can be compared, got {each_has}.")
    tables = [_read_predictions(Path(folder)) for folder in folders]
    keys = sorted(set.intersection(*(set(own) for own in tables)))
    if not keys:
        raise InvalidOption("These evaluations have tested no unit in common.")
    truth = _check_truth(folders, tables, keys)
    subject = np.array([tables[0][key]["subject"] for key in keys])
    labels = [np.array([own[key]["said"] for key in keys]) for own in tables]
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
        left_out=len(set.union(*(set(own) for own in tables))) - len(keys),
    )


def _check_truth(folders: Sequence[str | Path], tables: Sequence[Mapping[Key, Any]], keys: Sequence[Key]) -> np.ndarray:
    for folder, own in zip(folders[1:], tables[1:], strict=True):
        if wrong := sum(own[key]["true"] != tables[0][key]["true"] for key in keys):
            raise InvalidOption(
                f"{folders[0]} and {folder} disagree on the true class of {wrong} units. Evaluate both with one --map."
            )
    return np.array([tables[0][key]["true"] for key in keys])


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Confusion of each part (subject or neuron): sparse, as a part may be one neuron."""

    cells: Any  # scipy.sparse.csr_array, shape (parts, classes * classes)
    classes: int

    @property
    def total(self) -> Int64[np.ndarray, "classes classes"]:
        """Over all parts."""
        return self.resample(np.ones((1, self.cells.shape[0]), np.int64))[0]

    def resample(self, times: Int64[np.ndarray, "draws parts"]) -> Int64[np.ndarray, "draws classes classes"]:
        """Confusion with each part taken so many times."""
        return np.asarray(times @ self.cells).reshape(-1, self.classes, self.classes)


def _count_confusions(truth: np.ndarray, label: np.ndarray, classes: np.ndarray, parts: np.ndarray) -> _Counts:
    from scipy.sparse import csr_array

    names, part = np.unique(parts, return_inverse=True)
    cell = np.searchsorted(classes, truth) * len(classes) + np.searchsorted(classes, label)
    shape = (len(names), len(classes) ** 2)
    return _Counts(csr_array((np.ones(len(cell), np.int64), (part, cell)), shape=shape), len(classes))


def _compare_row(folder: str, name: str, own: _Counts, first: _Counts, seed: int) -> ComparisonRow:
    values = {metric: float(of(own.total)) for metric, of in METRICS.items()}
    return ComparisonRow(
        folder=folder, name=name, **values, differences={} if own is first else _bootstrap_differences(own, first, seed)
    )


def _bootstrap_differences(own: _Counts, first: _Counts, seed: int) -> dict[str, tuple[float, float, float]]:
    """Both are scored on the same bootstrap samples."""
    times = draw_resamples(own.cells.shape[0], seed)
    spread: dict[str, list[np.ndarray]] = {name: [] for name in METRICS}
    for some in np.split(times, range(CHUNK, DRAWS, CHUNK)):
        left, right = own.resample(some), first.resample(some)
        for name, metric in METRICS.items():
            spread[name].append(metric(left) - metric(right))
    found = {}
    for name, metric in METRICS.items():
        low, high = np.percentile(np.concatenate(spread[name]), INTERVAL)
        found[name] = (float(metric(own.total) - metric(first.total)), float(low), float(high))
    return found


def _read_scores(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / SCORES).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableSource(f"{folder} holds no evaluation: {SCORES} cannot be read ({error}).") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT or not {"name", *SAME} <= found.keys():
        raise UnreadableSource(f"{folder / SCORES} is not an evaluation of format {FORMAT}.")
    return found


def _read_predictions(folder: Path) -> dict[Key, dict[str, str]]:
    path = folder / PREDICTIONS
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        keys = [tuple(row[name] for name in KEY) for row in rows]
        found = {key: row for key, row in zip(keys, rows, strict=True) if row["true"] and row["said"]}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise UnreadableSource(f"{path} is not a table of predictions ({error!r}). Evaluate again.") from error
    if len(set(keys)) < len(keys):
        raise InvalidOption(
            f"In {path}, {len(keys) - len(set(keys))} units have the same {', '.join(KEY)} as another unit. Give "
            "each file of a subject a different name or session id, and evaluate again."
        )
    return found
