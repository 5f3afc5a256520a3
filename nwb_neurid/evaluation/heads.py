"""What heads say of the units that they are tested on."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import CannotFit, NeuridWarning
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.protocols import TRANSDUCTIVE, Split
from nwb_neurid.evaluation.vectors import Vectors, stacked
from nwb_neurid.labels.fitting import fit_head
from nwb_neurid.labels.head import LabelHead
from nwb_neurid.labels.neighbours import check_smoothable, find_neighbours
from nwb_neurid.labels.prediction import predict
from nwb_neurid.results import select

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Coverages at which the size of the sets is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """How heads are fitted and asked; `coverage`, `seed` and `kind` as for `fit_head`."""

    protocol: str
    kind: str = "linear"
    coverage: float = 0.9
    seed: int = 0
    smooth: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Answers:
    """What was said of the units of a cohort, each by a head that had not seen its label.

    Parameters
    ----------
    classes
        Of all heads, shape (classes,).
    asked
        Which units were tested, shape (units,).
    said
        The class that a class-balanced probe names, shape (units,): scores are of it. "" where not asked.
    probabilities
        Calibrated, for classes as common as in the training units, shape (units, classes). NaN where not asked.
    sets
        The plausible classes at each of `LEVELS` and then at the coverage asked for, shape (levels, units, classes).
    abstained, reasons
        Whether the head declines, and why, shape (units,).
    """

    classes: Shaped[np.ndarray, " classes"]
    asked: Bool[np.ndarray, " units"]
    said: Shaped[np.ndarray, " units"]
    probabilities: Float64[np.ndarray, "units classes"]
    sets: Bool[np.ndarray, "levels units classes"]
    abstained: Bool[np.ndarray, " units"]
    reasons: Shaped[np.ndarray, " units"]


def answers_of(
    cohort: Cohort,
    splits: Sequence[Split],
    vectors: Sequence[Vectors],
    probing: Probing,
    *,
    progress: Progress = silent,
) -> Answers:
    """Fit a head in every split and ask it about the units that were left out.

    Parameters
    ----------
    cohort, splits
        The units, and which of them train and are tested.
    vectors
        Of the recordings, for each split.
    probing
        How heads are fitted.
    progress
        Told of every split.

    Raises
    ------
    CannotFit
        If the training units of a split hold fewer than two classes.
    InvalidOption
        If neighbours are to vote where they may not or cannot.
    """
    near = _neighbours(cohort) if probing.smooth else None
    units, classes = len(cohort.truth), np.unique(np.concatenate([cohort.truth[split.train] for split in splits]))
    said = np.full(units, "", dtype=object)
    reasons = np.full(units, "", dtype=object)
    probabilities = np.full((units, len(classes)), np.nan)
    sets = np.zeros((len(LEVELS) + 1, units, len(classes)), bool)
    abstained = np.zeros(units, bool)
    pairs = list(zip(splits, vectors, strict=True))
    for split, own in progress(pairs, label="folds", total=len(pairs)):
        head = _head(cohort, split, own, probing, near)
        at = np.searchsorted(classes, head.classes)
        probabilities[split.test] = 0.0
        for recording in np.unique(cohort.recording[split.test]).tolist():
            rows = cohort.rows_of(recording)
            tested = np.isin(rows, split.test)
            given = rows[tested] if probing.protocol == TRANSDUCTIVE else rows  # other units there were trained on
            pick = np.isin(given, split.test)
            part = _Part.of(head, cohort, own, recording, given, probing)
            here = rows[tested]
            said[here], reasons[here], abstained[here] = part.said[pick], part.reasons[pick], part.abstained[pick]
            probabilities[np.ix_(here, at)] = part.probabilities[pick]
            sets[:, here[:, None], at] = part.sets[:, pick]
    asked = np.zeros(units, bool)
    asked[np.concatenate([split.test for split in splits])] = True
    return Answers(
        classes=classes,
        asked=asked,
        said=said.astype(np.str_),
        probabilities=probabilities,
        sets=sets,
        abstained=abstained,
        reasons=reasons.astype(np.str_),
    )


def _neighbours(cohort: Cohort) -> Int64[np.ndarray, "units nearest"]:
    check_smoothable(cohort.label)
    found, first = [], 0
    for population in cohort.populations:
        rows = find_neighbours(population)
        found.append(np.where(rows >= 0, rows + first, -1))
        first += len(population)
    return np.concatenate(found)


def _head(cohort: Cohort, split: Split, own: Vectors, probing: Probing, near: np.ndarray | None) -> LabelHead:
    """Fitted to the training units; others of their recordings, tested ones apart, are only neighbours."""
    subject = cohort.subject
    rows = split.train
    if near is not None:
        rows = np.flatnonzero(np.isin(subject, subject[rows]) & ~np.isin(np.arange(len(subject)), split.test))
    place = np.full(len(subject) + 1, -1, np.int64)
    place[rows] = np.arange(len(rows))
    # Where heads are tested on neurons of the animals that they know, choose and calibrate them so too.
    animals = np.full(len(rows), "all") if probing.protocol == TRANSDUCTIVE else subject[rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuridWarning)  # said once, of all units
        try:
            return fit_head(
                stacked(own)[rows],
                np.where(np.isin(rows, split.train), cohort.truth[rows], ""),
                animals,
                label_name=cohort.label,
                kind=probing.kind,
                coverage=probing.coverage,
                seed=probing.seed,
                groups=cohort.neuron[rows],
                neighbours=None if near is None else place[near[rows]],
            )
        except CannotFit as error:
            trained, tested = (", ".join(np.unique(subject[side])[:5]) for side in (split.train, split.test))
            raise CannotFit(
                f"{error} So it is in the fold that trains on {trained} and tests {tested}: every fold needs two "
                "classes to learn from. Test others (--folds, --test-subjects), or add recordings (--train)."
            ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What a head says of units of one recording."""

    said: np.ndarray
    probabilities: np.ndarray
    sets: np.ndarray
    abstained: np.ndarray
    reasons: np.ndarray

    @classmethod
    def of(
        cls, head: LabelHead, cohort: Cohort, own: Vectors, recording: int, given: np.ndarray, probing: Probing
    ) -> "_Part":
        population = cohort.populations[recording]
        inside = cohort.row[given]
        whole = len(given) == len(population)
        embeddings = own[recording] if whole else select(own[recording], inside)
        population = population if whole else population.select(inside)
        say = partial(predict, head, embeddings, smooth=probing.smooth, population=population)
        found = say()
        probabilities = found.class_probabilities.astype(np.float64)
        best = np.nan_to_num(probabilities).argmax(axis=1)[:, None] == np.arange(len(head.classes))
        limits = [head.calibration.find_set_threshold(level, smooth=probing.smooth) for level in LEVELS]
        sets = [(probabilities >= limit - 1e-6) | best for limit in limits]
        return cls(
            say(prior="uniform").label,
            probabilities,
            np.stack([*sets, found.prediction_set]),
            found.abstained,
            found.reasons,
        )
