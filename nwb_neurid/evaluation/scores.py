"""Scores of predictions, as plain values for JSON."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Shaped

from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.heads import LEVELS, FoldPredictions
from nwb_neurid.evaluation.metrics import (
    METRICS,
    average_risk,
    bootstrap_intervals,
    compute_calibration_error,
    compute_risk_curve,
    count_confusions,
    measure_reliability,
)
from nwb_neurid.results import Json

POINTS = 50
"""Number of points of the risk curve that are kept."""


def score_predictions(
    cohort: Cohort, tested: Bool[np.ndarray, " units"], label: Shaped[np.ndarray, " units"], seed: int
) -> dict[str, Json]:
    """Score all units together and each subject. With at least six subjects, there are 95% intervals over subjects."""
    truth, predicted, subject = cohort.truth[tested], label[tested], cohort.subject[tested]
    confusion = count_confusions(truth, predicted, np.unique(np.r_[truth, predicted]), subject)
    by_subject = zip(np.unique(subject).tolist(), confusion, strict=True)
    return {
        **_compute_metrics(confusion.sum(axis=0)),
        "units": int(tested.sum()),
        "intervals_95": {name: _round(limits) for name, limits in bootstrap_intervals(confusion, seed).items()},
        "by_subject": {name: {**_compute_metrics(own), "units": int(own.sum())} for name, own in by_subject},
    }


def _compute_metrics(confusion: np.ndarray) -> dict[str, float]:
    return {name: round(float(metric(confusion)), 4) for name, metric in METRICS.items()}


def _round(values: Sequence[float] | np.ndarray) -> list[float | None]:
    """Round to four digits. NaN becomes None, because JSON has no NaN."""
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def score_guesses(
    cohort: Cohort, tested: Bool[np.ndarray, " units"], guesses: Shaped[np.ndarray, "guesses units"]
) -> dict[str, Json]:
    """Average the scores of several rounds of guessing."""
    truth = cohort.truth[tested]
    rounds = []
    for guessed in guesses[:, tested]:
        classes = np.unique(np.r_[truth, guessed])
        rounds.append(count_confusions(truth, guessed, classes, np.zeros(len(truth)))[0])
    mean = {name: round(float(np.mean([metric(own) for own in rounds])), 4) for name, metric in METRICS.items()}
    return {**mean, "units": int(tested.sum())}


def score_details(cohort: Cohort, found: FoldPredictions, coverage: float) -> dict[str, Json]:
    """Score each class, the confusion, calibration, prediction sets and abstention."""
    tested = found.tested
    truth, predicted = cohort.truth[tested], found.label[tested]
    classes = np.unique(np.r_[truth, predicted])
    confusion = count_confusions(truth, predicted, classes, np.zeros(len(truth)))[0]
    most_probable = found.classes[found.probabilities[tested].argmax(axis=1)]
    probability = found.probabilities[tested].max(axis=1)
    right = most_probable == truth
    reliability = measure_reliability(probability, right)
    share, risk = compute_risk_curve(probability, right)
    named = ~found.abstained[tested]
    return {
        "accuracy": round(float(right.mean()), 4),
        "per_class": _score_classes(truth, predicted),
        "confusion": {"classes": classes.tolist(), "units": confusion.tolist()},
        "calibration": {
            "expected_error": round(compute_calibration_error(*reliability), 4),
            "probability": _round(reliability[0]),
            "right": _round(reliability[1]),
            "units": reliability[2].tolist(),
        },
        "sets": _score_sets(cohort, found),
        "at_coverage": _score_coverage(cohort, found, coverage),
        "named": {
            "share": round(float(named.mean()), 4),
            "error": round(float((~right[named]).mean()), 4) if named.any() else None,
            "error_of_all": round(float((~right).mean()), 4),
        },
        "risk": {"area": round(average_risk(share, risk), 4), **_thin(share, risk)},
    }


def _score_classes(truth: np.ndarray, predicted: np.ndarray) -> dict[str, Json]:
    """Compute precision, recall, F1 and the number of units of every class that has units."""
    from sklearn.metrics import precision_recall_fscore_support

    classes = np.unique(truth)
    rows = np.transpose(precision_recall_fscore_support(truth, predicted, labels=classes, zero_division=0)).tolist()
    return {
        name: {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4), "units": int(units)}
        for name, (precision, recall, f1, units) in zip(classes.tolist(), rows, strict=True)
    }


def _check_sets(cohort: Cohort, found: FoldPredictions, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the set of each tested unit contains its class, and the size of the set."""
    sets = found.sets[level, found.tested]
    holds = (sets & (found.classes == cohort.truth[found.tested][:, None])).any(axis=1)
    return holds, sets.sum(axis=1)


def _score_sets(cohort: Cohort, found: FoldPredictions) -> list[Json]:
    """Compute the nominal and the measured coverage of the sets at each level, and their mean size."""
    rows: list[Json] = []
    for at, level in enumerate(LEVELS):
        holds, size = _check_sets(cohort, found, at)
        rows.append({"promised": level, "reached": round(float(holds.mean()), 4), "size": round(float(size.mean()), 3)})
    return rows


def _score_coverage(cohort: Cohort, found: FoldPredictions, coverage: float) -> dict[str, Json]:
    """Compute coverage and size of the sets at the requested coverage, over all units and in the worst subject."""
    holds, size = _check_sets(cohort, found, len(LEVELS))
    subject = cohort.subject[found.tested]
    each = {name: float(holds[subject == name].mean()) for name in np.unique(subject).tolist()}
    worst = min(each, key=lambda name: each[name])
    return {
        "promised": coverage,
        "reached": round(float(holds.mean()), 4),
        "mean_over_subjects": round(float(np.mean(list(each.values()))), 4),
        "worst_subject": worst,
        "worst": round(each[worst], 4),
        "size": round(float(size.mean()), 3),
    }


def _thin(share: np.ndarray, risk: np.ndarray) -> dict[str, Json]:
    pick = np.unique(np.linspace(0, len(share) - 1, POINTS).round().astype(int))
    return {"share": _round(share[pick]), "error": _round(risk[pick])}
