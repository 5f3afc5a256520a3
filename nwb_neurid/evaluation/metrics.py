"""Scores of predicted labels, and the uncertainty of these scores."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped

DRAWS = 2000
ENOUGH_SUBJECTS = 6
"""Minimum number of subjects for an interval over subjects. With fewer subjects, the value of each is reported."""

BINS = 10
INTERVAL = (2.5, 97.5)


def count_confusions(
    truth: Shaped[np.ndarray, " units"],
    label: Shaped[np.ndarray, " units"],
    classes: Shaped[np.ndarray, " classes"],
    parts: Shaped[np.ndarray, " units"],
) -> Int64[np.ndarray, "parts classes classes"]:
    """Count the units of each true class (rows) by predicted class (columns), for each part in ascending order."""
    names, part = np.unique(parts, return_inverse=True)
    count = len(classes)
    at = (part * count + np.searchsorted(classes, truth)) * count + np.searchsorted(classes, label)
    return np.bincount(at, minlength=len(names) * count**2).reshape(-1, count, count)


def compute_macro_f1(
    confusion: Float[np.ndarray, "*parts classes classes"] | np.ndarray,
) -> Float64[np.ndarray, "*parts"]:
    """Average F1 over the classes that occur in the truth or in the predictions, as scikit-learn does."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return _average(np.divide(2 * hits, both, out=np.zeros(both.shape), where=both > 0), both > 0)


def compute_balanced_accuracy(
    confusion: Float[np.ndarray, "*parts classes classes"] | np.ndarray,
) -> Float64[np.ndarray, "*parts"]:
    """Average recall over the classes that occur in the truth."""
    hits, of = np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1)
    return _average(np.divide(hits, of, out=np.zeros(of.shape), where=of > 0), of > 0)


def _average(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    number = counted.sum(axis=-1)
    total = np.where(counted, values, 0).sum(axis=-1)
    return np.asarray(np.divide(total, number, out=np.full(np.shape(number), np.nan), where=number > 0))


METRICS = {"macro_f1": compute_macro_f1, "balanced_accuracy": compute_balanced_accuracy}


def draw_resamples(parts: int, seed: int) -> Int64[np.ndarray, "draws parts"]:
    """Draw the number of times that each part occurs in each bootstrap sample."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(parts, np.full(parts, 1 / parts), size=DRAWS)


def bootstrap_intervals(confusion: Int64[np.ndarray, "subjects classes classes"], seed: int) -> dict[str, list[float]]:
    """Bootstrap 95% intervals of each metric over subjects. The result is empty with fewer than six subjects."""
    if len(confusion) < ENOUGH_SUBJECTS:
        return {}
    resampled = np.tensordot(draw_resamples(len(confusion), seed), confusion, axes=1)
    return {name: np.percentile(metric(resampled), INTERVAL).tolist() for name, metric in METRICS.items()}


def measure_reliability(
    probability: Float[np.ndarray, " units"], right: Bool[np.ndarray, " units"]
) -> tuple[Float64[np.ndarray, " bins"], Float64[np.ndarray, " bins"], Int64[np.ndarray, " bins"]]:
    """Compare the probability of the most probable class with its share of correct units, in bins of probability.

    Returns
    -------
    tuple
        For each bin: the mean probability, the share of units with the correct class (both NaN in an empty bin), and
        the number of units.
    """
    step = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    units = np.bincount(step, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return np.bincount(step, probability, BINS) / units, np.bincount(step, right, BINS) / units, units


def compute_calibration_error(
    probability: Float64[np.ndarray, " bins"], right: Float64[np.ndarray, " bins"], units: Int64[np.ndarray, " bins"]
) -> float:
    """Compute the expected calibration error: the mean difference of what `measure_reliability` returns, over units."""
    return float(np.nansum(np.abs(probability - right) * units) / max(units.sum(), 1))


def compute_risk_curve(
    probability: Float[np.ndarray, " units"], right: Bool[np.ndarray, " units"]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """Compute the share of labelled units, most confident units first, and the share of errors among labelled units.

    Units with the same probability are labelled together, so that their order has no effect.
    """
    order = np.argsort(-probability, kind="stable")
    wrong = np.cumsum(~right[order])
    labelled = np.arange(1, len(order) + 1)
    last = np.r_[np.diff(probability[order]) != 0, True] if len(order) else np.empty(0, bool)
    return labelled[last] / max(len(order), 1), (wrong / labelled)[last]


def average_risk(share: Float64[np.ndarray, " points"], risk: Float64[np.ndarray, " points"]) -> float:
    """Compute the area under the risk curve: the mean error rate over all shares of labelled units. Lower is better."""
    return float((np.diff(np.r_[0.0, share]) * risk).sum())
