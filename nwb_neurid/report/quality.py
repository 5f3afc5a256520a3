"""Comparison of predictions with known labels, and reasons for abstention."""

from typing import Any

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.display import count_reasons
from nwb_neurid.plots.confusion import count_labels
from nwb_neurid.report.encoding import clip
from nwb_neurid.results import Predictions

BINS = 10


def list_reasons(predictions: Predictions) -> list[dict[str, Any]]:
    """Count the reasons why units are not labelled, the most frequent reason first."""
    counts = count_reasons(predictions.reasons[predictions.abstained])
    return [{"reason": clip(why) or "no reason given", "units": n} for why, n in counts.items()]


def compare_with_truth(predictions: Predictions, truth: Shaped[np.ndarray, " units"]) -> dict[str, Any] | None:
    """Compare predictions with known labels: confusion and reliability. Return None if no unit has both."""
    known = (truth != "") & (predictions.label != "")
    if not known.any():
        return None
    counts, rows, columns = count_labels(predictions, truth)
    right, named = truth[known] == predictions.label[known], ~predictions.abstained[known]
    return {
        "rows": [clip(name) for name, units in zip(rows, counts, strict=True) if units.any()],
        "columns": [clip(name) for name in columns],
        "counts": counts[counts.any(axis=1)].tolist(),
        "units": int(known.sum()),
        "labelled": int(named.sum()),
        "accuracy": _share(right[named]),
        "accuracy_of_all": _share(right),
        "reliability": _measure_reliability(predictions.probability[known], right),
    }


def _share(flags: Shaped[np.ndarray, " units"]) -> float | None:
    return round(float(flags.mean()), 4) if len(flags) else None


def _measure_reliability(probability: Shaped[np.ndarray, " units"], right: Shaped[np.ndarray, " units"]) -> list[Any]:
    """Compute accuracy in ten bins of confidence: the edges, mean confidence, accuracy, and the number of units."""
    finite = np.isfinite(probability)
    confidence, right = probability[finite].astype(np.float64), right[finite]
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "low": bin_ / BINS,
            "high": (bin_ + 1) / BINS,
            "confidence": round(float(confidence[index == bin_].mean()), 4),
            "accuracy": round(float(right[index == bin_].mean()), 4),
            "units": int(np.sum(index == bin_)),
        }
        for bin_ in range(BINS)
        if np.any(index == bin_)
    ]
