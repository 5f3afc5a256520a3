"""The label heads of all folds, and their predictions for held-out units."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import CannotFit, NeuridWarning
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.models import Vectors, stack_vectors
from nwb_neurid.evaluation.protocols import TRANSDUCTIVE, Split
from nwb_neurid.labels.fitting import fit_head
from nwb_neurid.labels.head import LabelHead
from nwb_neurid.labels.neighbours import check_smoothable, find_neighbours, stack_rows
from nwb_neurid.labels.prediction import UNIFORM, predict
from nwb_neurid.results import Predictions, select

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Coverages at which the prediction sets are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadOptions:
    """Options for fitting heads. `coverage`, `seed` and `kind` are those of `nwb_neurid.labels.fitting.fit_head`."""

    protocol: str
    kind: str = "linear"
    coverage: float = 0.9
    seed: int = 0
    smooth: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FoldPredictions:
    """Predictions for the units of a cohort. Each comes from a head that was not trained on the label of the unit.

    Parameters
    ----------
    classes
        The classes of all heads, shape (classes,).
    tested
        Which units were tested, shape (units,).
    label
        The prediction of the class-balanced probe, shape (units,); "" where not tested. Scores are computed from
        these predictions.
    probabilities
        Calibrated probabilities, shape (units, classes); NaN where not tested. They assume that the classes are as
        frequent as in the training units.
    sets
        The prediction sets at each of `LEVELS`, followed by the prediction sets at the requested coverage, shape
        (levels, units, classes).
    abstained, reasons
        Whether the head abstains, and why, shape (units,).
    """

    classes: Shaped[np.ndarray, " classes"]
    tested: Bool[np.ndarray, " units"]
    label: Shaped[np.ndarray, " units"]
    probabilities: Float64[np.ndarray, "units classes"]
    sets: Bool[np.ndarray, "levels units classes"]
    abstained: Bool[np.ndarray, " units"]
    reasons: Shaped[np.ndarray, " units"]


def predict_folds(
    cohort: Cohort,
    splits: Sequence[Split],
    vectors: Sequence[Vectors],
    options: HeadOptions,
    *,
    progress: Progress = silent,
) -> FoldPredictions:
    """Fit a head in every split, and predict the units that were held out.

    Parameters
    ----------
    cohort, splits
        The units, and which of them are used for training and for the test.
    vectors
        Vectors of the recordings, for each split.
    options
        Options for fitting heads.
    progress
        Progress callback, called at every split.

    Returns
    -------
    FoldPredictions
        One row for each unit of the cohort.

    Raises
    ------
    CannotFit
        If the training units of a split belong to fewer than two classes.
    InvalidOption
        If probabilities should be averaged over neighbours, but the label is not a brain region, or positions are not
        known.
    """
    near = None
    if options.smooth:
        check_smoothable(cohort.label)
        near = stack_rows([find_neighbours(population) for population in cohort.populations])
    units, classes = len(cohort.truth), np.unique(np.concatenate([cohort.truth[split.train] for split in splits]))
    label = np.full(units, "", dtype=object)
    reasons = np.full(units, "", dtype=object)
    probabilities = np.full((units, len(classes)), np.nan)
    sets = np.zeros((len(LEVELS) + 1, units, len(classes)), bool)
    abstained = np.zeros(units, bool)
    pairs = list(zip(splits, vectors, strict=True))
    for split, own in progress(pairs, label="folds", total=len(pairs)):
        head = _fit(cohort, split, own, options, near)
        at = np.searchsorted(classes, head.classes)
        probabilities[split.test] = 0.0
        for recording in np.unique(cohort.recording[split.test]).tolist():
            rows = cohort.find_rows(recording)
            tested = np.isin(rows, split.test)
            given = rows[tested] if options.protocol == TRANSDUCTIVE else rows  # other units there were trained on
            pick = np.isin(given, split.test)
            part, balanced, levels = _predict(head, cohort, own, recording, given, options.smooth)
            here = rows[tested]
            label[here], reasons[here], abstained[here] = balanced[pick], part.reasons[pick], part.abstained[pick]
            probabilities[np.ix_(here, at)] = part.class_probabilities[pick]
            sets[:, here[:, None], at] = levels[:, pick]
    return FoldPredictions(
        classes=classes,
        tested=np.isin(np.arange(units), np.concatenate([split.test for split in splits])),
        label=label.astype(np.str_),
        probabilities=probabilities,
        sets=sets,
        abstained=abstained,
        reasons=reasons.astype(np.str_),
    )


def _fit(cohort: Cohort, split: Split, own: Vectors, options: HeadOptions, near: np.ndarray | None) -> LabelHead:
    """Fit a head to the training units. Other untested units of the same recordings are used only as neighbours."""
    subject = cohort.subject
    rows = split.train
    if near is not None:
        rows = np.flatnonzero(np.isin(subject, subject[rows]) & ~np.isin(np.arange(len(subject)), split.test))
    place = np.full(len(subject) + 1, -1, np.int64)
    place[rows] = np.arange(len(rows))
    # Where heads are tested on neurons of the animals that they know, choose and calibrate them so too.
    animals = np.full(len(rows), "all") if options.protocol == TRANSDUCTIVE else subject[rows]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuridWarning)  # given once, for all units
        try:
            return fit_head(
                stack_vectors(own)[rows],
                np.where(np.isin(rows, split.train), cohort.truth[rows], ""),
                animals,
                label_name=cohort.label,
                kind=options.kind,
                coverage=options.coverage,
                seed=options.seed,
                groups=cohort.neuron[rows],
                neighbours=None if near is None else place[near[rows]],
            )
        except CannotFit as error:
            trained, tested = (", ".join(np.unique(subject[side])[:5]) for side in (split.train, split.test))
            raise CannotFit(
                f"{error} This is the fold that trains on {trained} and tests {tested}; every fold needs at least "
                "two classes to train on. Change the folds (--folds, --test-subjects), or add recordings (--train)."
            ) from error


def _predict(
    head: LabelHead, cohort: Cohort, own: Vectors, recording: int, given: np.ndarray, smooth: bool
) -> tuple[Predictions, np.ndarray, np.ndarray]:
    """Predict units of one recording. Also return their labels for equally frequent classes, and sets at all levels."""
    population, embeddings = cohort.populations[recording], own[recording]
    counts = cohort.stored[recording].spikes if cohort.stored else None
    if len(given) < len(population):
        inside = cohort.row[given]
        population, embeddings = population.select(inside), select(embeddings, inside)
        counts = None if counts is None else counts[inside]
    found = predict(head, embeddings, smooth=smooth, population=population, counts=counts)
    balanced = predict(head, embeddings, smooth=smooth, population=population, counts=counts, prior=UNIFORM)
    probabilities = found.class_probabilities.astype(np.float64)
    best = np.nan_to_num(probabilities).argmax(axis=1)[:, None] == np.arange(len(head.classes))
    limits = [head.calibration.find_set_threshold(level, smooth=smooth) for level in LEVELS]
    sets = [(probabilities >= limit - 1e-6) | best for limit in limits]
    return found, balanced.label, np.stack([*sets, found.prediction_set])
