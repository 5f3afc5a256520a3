"""The weights of the encoder: directions in which neurons differ from each other, but each neuron is stable over time.

Two segments of a recording give two vectors of features for each unit. Half of their difference is taken as noise,
and what remains as signal. VICReg with a linear network looks for uncorrelated directions with the highest
signal-to-noise ratio. These are the solution of a generalised eigenvalue problem, which needs no optimiser and no
learning rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from nwb_neurid.contracts import State

RIDGE = 0.05
"""Noise that is added to every standardised feature, so that directions combine several features."""

FARTHEST = 4.0
"""Features are clipped at this number of standard deviations."""

SHRINKAGE = 8.0
"""Weight of the training data, in units, when features are standardised within a recording."""

MOST_UNITS = 200
"""Maximum weight of a recording, in units. Otherwise, large recordings alone would determine the weights."""

MOST_BEFORE = 4000.0
"""Maximum weight of earlier training, in units, if a trained model is trained further."""

Features = Float64[np.ndarray, "units features"]


@dataclass(slots=True, eq=False, kw_only=True)
class Projection:
    """Moments of features, and the projection that follows from them.

    Parameters
    ----------
    relative
        Whether features are standardised within the recording, with shrinkage towards the training data.
    sharpness
        Exponent of the signal-to-noise ratio by which directions are weighted.
    pairs
        Number of pairs of vectors in the moments of each feature.
    known, total, square
        For each feature: number of known values, their sum, and the sum of their squares.
    noise, signal
        Sums of products. For the noise, they are products of half the difference between a unit's two vectors. For
        the signal, they are products of the mean of the two vectors, relative to the mean of the recording.
    directions
        The directions, shape (features, dim).
    """

    relative: bool
    sharpness: float
    pairs: Float64[np.ndarray, " features"]
    known: Float64[np.ndarray, " features"]
    total: Float64[np.ndarray, " features"]
    square: Float64[np.ndarray, " features"]
    noise: Float64[np.ndarray, "features features"]
    signal: Float64[np.ndarray, "features features"]
    directions: Float64[np.ndarray, "features dim"]

    @classmethod
    def draw(
        cls, features: int, dim: int, rng: np.random.Generator, *, relative: bool, sharpness: float
    ) -> "Projection":
        """Make an untrained projection with random directions."""
        return cls(
            relative=relative,
            sharpness=sharpness,
            pairs=np.zeros(features),
            known=np.zeros(features),
            total=np.zeros(features),
            square=np.zeros(features),
            noise=np.zeros((features, features)),
            signal=np.zeros((features, features)),
            directions=rng.standard_normal((features, dim)) / np.sqrt(features),
        )

    @classmethod
    def from_state(cls, state: State, block: str, *, relative: bool, sharpness: float) -> "Projection":
        """Make a projection from its arrays, whose names begin with `block`."""
        arrays = {name: np.array(state[f"{block}.{name}"], np.float64) for name in ARRAYS}
        return cls(relative=relative, sharpness=sharpness, **arrays)

    def state(self, block: str) -> Mapping[str, Float64[np.ndarray, "..."]]:
        """Return the arrays of the projection, by names that begin with `block`."""
        return {f"{block}.{name}": getattr(self, name) for name in ARRAYS}

    @property
    def mean(self) -> Float64[np.ndarray, " features"]:
        """Return the mean of each feature in training. It is 0 for a feature that was never known."""
        return self.total / np.maximum(self.known, 1)

    @property
    def scale(self) -> Float64[np.ndarray, " features"]:
        """Return the standard deviation of each feature in training. It is 1 for a feature that never varied."""
        variance = self.square / np.maximum(self.known, 1) - self.mean**2
        return np.sqrt(np.where(variance > 1e-9, variance, 1.0))

    def project(self, features: Features) -> Float64[np.ndarray, "units dim"]:
        """Compute the vectors of units that were recorded together."""
        return self._standardise(features) @ self.directions

    def project_leading(self, features: Features, dim: int) -> Float64[np.ndarray, "units dim"]:
        """Compute the coordinates with the highest signal-to-noise ratio, best first, before the rotation."""
        return self._standardise(features) @ (self.directions @ draw_rotation(self.directions.shape[1]).T)[:, :dim]

    def _standardise(self, features: Features) -> Features:
        scores = (features - self.mean) / self.scale
        if self.relative:
            scores = standardise_within(scores)
        return np.clip(np.nan_to_num(scores, nan=0.0), -FARTHEST, FARTHEST)

    def compare(self, first: Features, second: Features) -> tuple[float, float]:
        """Return noise and signal of two views of the same units, summed over units and dimensions."""
        left, right = self.project(first), self.project(second)
        middle = (left + right) / 2
        return float(((left - right) ** 2).sum() / 4), float(((middle - middle.mean(axis=0)) ** 2).sum())

    def recall(self) -> tuple[float, float]:
        """Return noise and signal of all views in the moments, summed over units and dimensions."""
        scale = np.ones(len(self.known)) if self.relative else self.scale
        ahead = self.directions / (scale * np.sqrt(np.maximum(self.pairs, 1.0)))[:, None]
        noise, signal = (float(((part @ ahead) * ahead).sum()) for part in (self.noise, self.signal))
        return noise, signal

    def add(self, first: Features, second: Features) -> None:
        """Add two views of the same units to the moments."""
        weight = min(1.0, MOST_UNITS / len(first))
        for view in (first, second):
            there = np.isfinite(view)
            clean = np.where(there, view, 0.0)
            self.known += weight * there.sum(axis=0)
            self.total += weight * clean.sum(axis=0)
            self.square += weight * (clean**2).sum(axis=0)
        if self.relative:
            first, second = standardise_within(first, whole=True), standardise_within(second, whole=True)
        both = np.isfinite(first) & np.isfinite(second)
        half = np.where(both, first - second, 0.0) / 2
        middle = np.where(both, first + second, np.nan) / 2
        centred = np.nan_to_num(middle - _mean_known(middle), nan=0.0)
        limit = FARTHEST * np.sqrt((centred**2).mean(axis=0) + 1e-12)
        half, centred = np.clip(half, -limit, limit), np.clip(centred, -limit, limit)
        self.noise += weight * half.T @ half
        self.signal += weight * centred.T @ centred
        self.pairs += weight * both.sum(axis=0)

    def discount(self) -> None:
        """Reduce the weight of the moments so far to at most that of `MOST_BEFORE` units."""
        share = min(1.0, MOST_BEFORE / max(float(self.pairs.max()), 1.0))
        for name in ("pairs", "known", "total", "square", "noise", "signal"):
            setattr(self, name, getattr(self, name) * share)

    def solve(self) -> None:
        """Set the directions from the moments.

        Coordinates are weighted by a power of their signal-to-noise ratio, and then rotated by a fixed rotation.
        Without the rotation, a probe that standardises coordinates would undo the weights.
        """
        dim = self.directions.shape[1]
        scale = np.ones(len(self.known)) if self.relative else self.scale
        size = scale * np.sqrt(np.maximum(self.pairs, 1.0))
        noise = self.noise / np.outer(size, size) + RIDGE * np.eye(len(scale))
        signal = self.signal / np.outer(size, size)
        size, vectors = np.linalg.eigh(noise)
        whiten = vectors / np.sqrt(size)
        ratio, turned = np.linalg.eigh(whiten.T @ signal @ whiten)
        best = np.argsort(-ratio, kind="stable")[:dim]
        ratio = np.maximum(ratio[best], 1e-9)
        directions = (whiten @ turned[:, best]) / np.sqrt(ratio)
        weights = ratio**self.sharpness
        weights *= np.sqrt(dim / (weights**2).sum())
        found = np.zeros((len(scale), dim))
        found[:, : len(best)] = directions * weights
        self.directions = found @ draw_rotation(dim)


ARRAYS = ("pairs", "known", "total", "square", "noise", "signal", "directions")


def draw_rotation(dim: int) -> Float64[np.ndarray, "dim dim"]:
    """Draw the fixed rotation for this number of coordinates."""
    return np.linalg.qr(np.random.default_rng(0).standard_normal((dim, dim)))[0]


def standardise_within(scores: Features, *, whole: bool = False) -> Features:
    """Standardise features within the recording. With few units, the result is shrunk towards the training data.

    Parameters
    ----------
    scores
        Features that are standardised with the training data or, with `whole`, not standardised.
    whole
        Whether only the recording is used, without the training data.
    """
    number = np.isfinite(scores).sum(axis=0)
    mean = _mean_known(scores)
    variance = _mean_known((scores - mean) ** 2)
    if not whole:
        share = number / (number + SHRINKAGE)
        mean, variance = share * mean, share * variance + 1 - share
    return (scores - mean) / np.sqrt(np.where(variance > 1e-9, variance, 1.0))


def _mean_known(values: Float[np.ndarray, "units features"]) -> Float64[np.ndarray, " features"]:
    """Compute the mean of the known values of each feature. It is 0 for a feature without known values."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1))
