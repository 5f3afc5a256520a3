"""Scores of what was said, as plain values for JSON."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from jaxtyping import Bool, Shaped

from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.heads import LEVELS, Answers
from nwb_neurid.evaluation.metrics import METRICS, area, confusions, intervals, per_class, reliability, risk_curve
from nwb_neurid.results import Json

POINTS = 50
"""Points of the curve of risk that are kept."""


def scores_of(
    cohort: Cohort, asked: Bool[np.ndarray, " units"], said: Shaped[np.ndarray, " units"], seed: int
) -> dict[str, Json]:
    """Scores of all units together, 95% intervals over subjects where there are six, and those of each subject."""
    truth, words, subject = cohort.truth[asked], said[asked], cohort.subject[asked]
    classes = np.unique(np.r_[truth, words])
    confusion = confusions(truth, words, classes, subject)
    names = np.unique(subject).tolist()
    each = {name: {**_metrics(own), "units": int(own.sum())} for name, own in zip(names, confusion, strict=True)}
    return {
        **_metrics(confusion.sum(axis=0)),
        "units": int(asked.sum()),
        "intervals_95": {name: _rounded(limits) for name, limits in intervals(confusion, seed).items()},
        "by_subject": each,
    }


def _metrics(confusion: np.ndarray) -> dict[str, float]:
    return {name: round(float(metric(confusion)), 4) for name, metric in METRICS.items()}


def _rounded(values: Sequence[float] | np.ndarray) -> list[float | None]:
    """For JSON, which knows no NaN."""
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def guess_scores(
    cohort: Cohort, asked: Bool[np.ndarray, " units"], guesses: Shaped[np.ndarray, "guesses units"]
) -> dict[str, Json]:
    """Mean scores of several rounds of guessing."""
    truth = cohort.truth[asked]
    rounds = []
    for words in guesses[:, asked]:
        classes = np.unique(np.r_[truth, words])
        rounds.append(confusions(truth, words, classes, np.zeros(len(truth)))[0])
    mean = {name: round(float(np.mean([metric(own) for own in rounds])), 4) for name, metric in METRICS.items()}
    return {**mean, "units": int(asked.sum())}


def details_of(cohort: Cohort, answers: Answers, coverage: float) -> dict[str, Json]:
    """Scores of each class, the confusion, and what calibration and the right to decline are worth."""
    asked = answers.asked
    truth, said = cohort.truth[asked], answers.said[asked]
    classes = np.unique(np.r_[truth, said])
    confusion = confusions(truth, said, classes, np.zeros(len(truth)))[0]
    probable = answers.classes[answers.probabilities[asked].argmax(axis=1)]
    surest = answers.probabilities[asked].max(axis=1)
    right = probable == truth
    reliable = reliability(surest, right)
    share, risk = risk_curve(surest, right)
    named = ~answers.abstained[asked]
    return {
        "accuracy": round(float(right.mean()), 4),
        "per_class": {name: _plain(asdict(score)) for name, score in per_class(confusion, classes).items()},
        "confusion": {"classes": classes.tolist(), "units": confusion.tolist()},
        "calibration": {
            "expected_error": round(reliable.error, 4),
            "probability": _rounded(reliable.probability),
            "right": _rounded(reliable.right),
            "units": reliable.units.tolist(),
        },
        "sets": _sets(cohort, answers),
        "at_coverage": _at_coverage(cohort, answers, coverage),
        "named": {
            "share": round(float(named.mean()), 4),
            "error": round(float((~right[named]).mean()), 4) if named.any() else None,
            "error_of_all": round(float((~right).mean()), 4),
        },
        "risk": {"area": round(area(share, risk), 4), **_thinned(share, risk)},
    }


def _plain(values: dict[str, float]) -> dict[str, Json]:
    return {name: round(value, 4) for name, value in values.items()}


def _holds(cohort: Cohort, answers: Answers, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether the set of each tested unit holds its class, and its size."""
    asked = answers.asked
    chosen = answers.sets[level, asked]
    holds = (chosen & (answers.classes == cohort.truth[asked][:, None])).any(axis=1)
    return holds, chosen.sum(axis=1)


def _sets(cohort: Cohort, answers: Answers) -> list[Json]:
    """Promised and real coverage of the sets, and their mean size."""
    rows: list[Json] = []
    for at, level in enumerate(LEVELS):
        holds, size = _holds(cohort, answers, at)
        rows.append({"promised": level, "reached": round(float(holds.mean()), 4), "size": round(float(size.mean()), 3)})
    return rows


def _at_coverage(cohort: Cohort, answers: Answers, coverage: float) -> dict[str, Json]:
    """The same at the coverage asked for, and in the worst subject."""
    holds, size = _holds(cohort, answers, len(LEVELS))
    subject = cohort.subject[answers.asked]
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


def _thinned(share: np.ndarray, risk: np.ndarray) -> dict[str, Json]:
    pick = np.unique(np.linspace(0, len(share) - 1, POINTS).round().astype(int))
    return {"share": _rounded(share[pick]), "error": _rounded(risk[pick])}
