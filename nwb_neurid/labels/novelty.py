"""Novelty: a measure of how different a unit is from the training data."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.labels.calibration import weigh_animals

STEPS = 1000
UNLIKE = 0.99
"""A unit is unlike the training data if its distance is larger than that of this share of the training units."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Novelty:
    """Mahalanobis distance to the nearest class, compared with the distances of held-out training units.

    Parameters
    ----------
    means
        Mean standardised vector of each class, shape (classes, dim).
    precision
        Inverse covariance about the means, shape (dim, dim).
    distances
        Quantiles of the distances of the training units in steps of 0.1 %, shape (steps,). The distances are computed
        with the means and the covariance of other animals.
    """

    means: Float64[np.ndarray, "classes dim"]
    precision: Float64[np.ndarray, "dim dim"]
    distances: Float64[np.ndarray, " steps"]

    def score(self, standardised: Float64[np.ndarray, "units dim"]) -> Float64[np.ndarray, " units"]:
        """Compute the share of training units with a smaller distance, from 0 to 1. A vector of NaN gets NaN."""
        distance = measure_distance(standardised, self.means, self.precision)
        share = np.searchsorted(self.distances, distance) / len(self.distances)
        return np.where(np.isfinite(distance), share, np.nan)


def measure_distance(
    standardised: Float64[np.ndarray, "units dim"],
    means: Float64[np.ndarray, "classes dim"],
    precision: Float64[np.ndarray, "dim dim"],
) -> Float64[np.ndarray, " units"]:
    """Measure the Mahalanobis distance of each unit to the nearest mean."""
    apart = [standardised - mean for mean in means]
    return np.asarray(
        np.sqrt(np.maximum(np.min([((away @ precision) * away).sum(axis=1) for away in apart], axis=0), 0))
    )


def fit_shape(
    standardised: Float64[np.ndarray, "units dim"], truth: Int64[np.ndarray, " units"]
) -> tuple[Float64[np.ndarray, "classes dim"], Float64[np.ndarray, "dim dim"]]:
    """Fit the mean of each class, and the inverse covariance with the shrinkage of Ledoit and Wolf (2004)."""
    from sklearn.covariance import LedoitWolf

    _, at = np.unique(truth, return_inverse=True)
    means = np.array([standardised[at == name].mean(axis=0) for name in range(at.max() + 1)])
    covariance = LedoitWolf(assume_centered=True).fit(standardised - means[at])
    return means, np.asarray(covariance.precision_, np.float64)


def find_quantiles(
    distances: Float64[np.ndarray, " rows"], animal: Int64[np.ndarray, " rows"]
) -> Float64[np.ndarray, " steps"]:
    """Find quantiles of distances in steps of 0.1 %, with equal weight of the animals."""
    order = np.argsort(distances, kind="stable")
    share = np.cumsum(weigh_animals(animal)[order])
    at = np.searchsorted(share, np.linspace(0, 1, STEPS + 1) - 1e-9)
    return np.asarray(distances[order[np.minimum(at, len(order) - 1)]])
