"""Probabilities that mean what they say, and sets of labels that hold the true one as often as they promise.

Both rest on scores of units whose animal the classifier had not seen. Every animal weighs the same.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.errors import InvalidOption

ENOUGH_ANIMALS = 9
"""From so many on, the conformal sets may hold for new animals (at a coverage of 0.9)."""

FEWER = (0.3, 0.5)
"""So many times the errors of all may be made on what is named; the second where the first cannot be had."""

SOME = 0.05
"""The least share of units that must be left to be named."""

SHARPEST = 3.0  # of the logarithm of the sharpness
ROUNDING = 1e-9
LEAST = 1e-12  # of a mean probability whose logarithm is taken


NOMINAL = "Nominal coverage, not guaranteed for new animals"


def check_coverage(coverage: float) -> None:
    """Refuse a share of units that no set can promise to hold.

    Raises
    ------
    InvalidOption
        If it is not above 0 and below 1.
    """
    if not 0 < coverage < 1:
        raise InvalidOption(f"coverage must lie above 0 and below 1, such as 0.9, got {coverage}.")


def note_few_animals(animals: int, coverage: float) -> tuple[str, ...]:
    """What is to be said of a coverage that was calibrated on so many animals; nothing where they are enough."""
    needed = Calibration.count_needed_animals(coverage)
    return (f"{NOMINAL}: calibrated on {animals}, needed are {needed}.",) if animals < needed else ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Calibration:
    """Scores of the training units from classifiers that had not seen their animals, and what they teach.

    Parameters
    ----------
    scores
        Shape (rows, classes).
    truth
        The class of each row, shape (rows,); -1 where it is not known, for rows that are only neighbours of others.
    animal
        Which animal each row is of, shape (rows,), from 0.
    neighbours
        Rows of the nearest units of each, itself first, shape (rows, nearest), -1 where there are fewer; None where
        positions are not known.
    prevalence
        Share of each class in the training data, shape (classes,).
    sharpness, lapse
        A class has the probability (1 - lapse) * softmax(sharpness * score + log prevalence) + lapse * prevalence.
    voted_sharpness, voted_lapse
        The same for means over neighbours, whose scores are the logarithms of mean over prevalence.
    """

    scores: Float64[np.ndarray, "rows classes"]
    truth: Int64[np.ndarray, " rows"]
    animal: Int64[np.ndarray, " rows"]
    neighbours: Int64[np.ndarray, "rows nearest"] | None
    prevalence: Float64[np.ndarray, " classes"]
    sharpness: float = 1.0
    lapse: float = 0.0
    voted_sharpness: float = 1.0
    voted_lapse: float = 0.0

    @property
    def animals(self) -> int:
        """How many animals there are."""
        return len(np.unique(self.animal[self.truth >= 0]))

    def compute_probabilities(
        self,
        scores: Float64[np.ndarray, "units classes"],
        *,
        prior: Float64[np.ndarray, " classes"] | None = None,
        neighbours: Int64[np.ndarray, "units nearest"] | None = None,
    ) -> Float64[np.ndarray, "units classes"]:
        """Calibrated probabilities of scores.

        Parameters
        ----------
        scores
            Of the classifier, shape (units, classes).
        prior
            How common the classes are, where it is not as in the training data.
        neighbours
            Take the mean over these rows.
        """
        wanted = self.prevalence if prior is None else prior
        own = temper(scores, wanted, self.sharpness, self.lapse)
        if neighbours is None:
            return own
        return temper(vote(own, neighbours, wanted), wanted, self.voted_sharpness, self.voted_lapse)

    @staticmethod
    def count_needed_animals(coverage: float) -> int:
        """How many animals it takes for sets of this coverage to hold for new ones."""
        return max(ENOUGH_ANIMALS, math.ceil(coverage / (1 - coverage) - ROUNDING))

    def find_set_threshold(
        self, coverage: float, *, prior: Float64[np.ndarray, " classes"] | None = None, smooth: bool = False
    ) -> float:
        """How probable a class must be to be plausible.

        The true classes of the calibration units reach it in the share `coverage` of units, counted over animals of
        equal weight; with enough animals, one more animal is counted in which none does (Lee, Barber and Willett
        2023, arXiv 2306.06342, hierarchical conformal prediction).
        """
        of, truth, weight = self._known(prior, smooth)
        reached = of[np.arange(len(truth)), truth]
        animals = round(weight.sum())  # one that has only classes that the prior excludes says nothing
        animals += animals >= self.count_needed_animals(coverage)
        order = np.argsort(-reached, kind="stable")
        share = np.cumsum(weight[order]) / animals
        at = int(np.searchsorted(share, coverage - ROUNDING))
        return float(reached[order[at]]) if at < len(order) else 0.0

    def find_confidence(self, *, prior: Float64[np.ndarray, " classes"] | None = None, smooth: bool = False) -> float:
        """How probable the best class must be, so that few of those named are wrong; infinite if that cannot be.

        Of the calibration units whose best class reaches it, at most `FEWER` times as many are wrong as of all.
        """
        of, truth, weight = self._known(prior, smooth)
        best = of.max(axis=1)
        order = np.argsort(-best, kind="stable")
        named = np.cumsum(weight[order])
        wrong = np.cumsum((weight * (of.argmax(axis=1) != truth))[order]) / np.maximum(named, LEAST)
        last = np.r_[np.diff(best[order]) != 0, True]  # units of one probability are named together
        for fewer in FEWER:
            enough = np.flatnonzero(last & (wrong <= fewer * wrong[-1] + ROUNDING) & (named >= SOME * named[-1]))
            if len(enough):
                return float(best[order[enough[-1]]])
        return np.inf

    def _known(
        self, prior: Float64[np.ndarray, " classes"] | None, smooth: bool
    ) -> tuple[Float64[np.ndarray, "known classes"], Int64[np.ndarray, " known"], Float64[np.ndarray, " known"]]:
        """Probabilities of the units whose class is known, that class, and weights that sum to 1 in each animal."""
        known = self.truth >= 0
        of = self.compute_probabilities(self.scores, prior=prior, neighbours=self.neighbours if smooth else None)
        weight = np.ones(known.sum()) if prior is None else (prior / self.prevalence)[self.truth[known]]
        _, animal = np.unique(self.animal[known], return_inverse=True)
        total = np.bincount(animal, weight)
        return of[known], self.truth[known], weight / np.where(total > 0, total, 1.0)[animal]


def temper(
    scores: Float64[np.ndarray, "units classes"],
    prior: Float64[np.ndarray, " classes"],
    sharpness: float,
    lapse: float,
) -> Float64[np.ndarray, "units classes"]:
    """Probabilities of scores, see `Calibration`; a prior of 0 is a probability of 0."""
    with np.errstate(divide="ignore"):
        logits = sharpness * scores + np.log(prior)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray((1 - lapse) * shares / shares.sum(axis=1, keepdims=True) + lapse * prior / prior.sum())


def average_neighbours(
    probabilities: Float64[np.ndarray, "units classes"], neighbours: Int64[np.ndarray, "units nearest"]
) -> Float64[np.ndarray, "units classes"]:
    """Mean over the neighbours of each unit that have probabilities; NaN for a unit that has none itself."""
    votes = np.where((neighbours >= 0)[:, :, None], probabilities[neighbours], np.nan)
    counted = np.asarray(np.isfinite(votes).all(axis=2))
    total = np.where(counted[:, :, None], votes, 0.0).sum(axis=1)
    mean = total / np.maximum(counted.sum(axis=1), 1)[:, None]
    return np.where(np.isfinite(probabilities), mean, np.nan)


def vote(
    probabilities: Float64[np.ndarray, "units classes"],
    neighbours: Int64[np.ndarray, "units nearest"],
    prior: Float64[np.ndarray, " classes"],
) -> Float64[np.ndarray, "units classes"]:
    """What neighbours say together, as scores: log of their mean probability over the prior."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.log(np.maximum(average_neighbours(probabilities, neighbours), LEAST) / prior)
    return np.where(prior > 0, scores, np.where(np.isnan(probabilities), np.nan, 0.0))


def weigh_animals(animal: Int64[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
    """Weights that sum to 1, with which every animal counts the same."""
    _, at, count = np.unique(animal, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(count) * count[at]))


def fit_temperature(
    scores: Float64[np.ndarray, "rows classes"],
    truth: Int64[np.ndarray, " rows"],
    animal: Int64[np.ndarray, " rows"],
    prevalence: Float64[np.ndarray, " classes"],
) -> tuple[float, float]:
    """Sharpness and lapse of the highest likelihood, animals weighing the same.

    The lapse stands for the few units that are wrong with confidence: without it, they alone would set the sharpness.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    weights, rows = weigh_animals(animal), np.arange(len(truth))

    def loss(values: Float64[np.ndarray, " parameters"]) -> float:
        log_sharpness = float(np.clip(values[0], -SHARPEST, SHARPEST))
        reached = temper(scores, prevalence, math.exp(log_sharpness), float(expit(values[1])))[rows, truth]
        weak = 1e-3 * (values[0] ** 2 + (values[1] + 4) ** 2)  # holds them where the data say nothing
        return float(-(weights * np.log(np.maximum(reached, 1e-300))).sum() + weak)

    best = minimize(loss, [0.0, -4.0], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-8}).x
    return math.exp(float(np.clip(best[0], -SHARPEST, SHARPEST))), float(expit(best[1]))
