"""Calibrated probabilities, and prediction sets that contain the true label for a given share of units.

Probabilities and sets are computed from scores of units of held-out animals. Every animal has the same weight.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid._system.text import counted
from nwb_neurid.errors import InvalidOption

ENOUGH_ANIMALS = 9
"""Minimum number of animals for which prediction sets may hold for new animals (at a coverage of 0.9)."""

FEWER = (0.3, 0.5)
"""Largest error rate among labelled units, as a share of the error rate if all units were labelled. The second value is
used if no threshold meets the first.
"""

SOME = 0.05
"""Minimum share of units that must be labelled."""

SHARPEST = 3.0  # largest logarithm of the inverse temperature
ROUNDING = 1e-9
LEAST = 1e-12  # smallest mean probability; smaller ones are set to this value

NOMINAL = "Nominal coverage, not guaranteed for new animals"


def check_coverage(coverage: float) -> None:
    """Check that a coverage is above 0 and below 1.

    Raises
    ------
    InvalidOption
        If it is not.
    """
    if not 0 < coverage < 1:
        raise InvalidOption(f"coverage must lie above 0 and below 1, such as 0.9, got {coverage}.")


def note_few_animals(animals: int, coverage: float) -> tuple[str, ...]:
    """Return a note if a coverage was calibrated on too few animals. The tuple is empty if there are enough."""
    needed = Calibration.count_needed_animals(coverage)
    if animals >= needed:
        return ()
    return (f"{NOMINAL}: calibrated on {counted(animals, 'animal')} (a guarantee needs {needed}).",)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Calibration:
    """Scores of the training units by classifiers that had not seen their animals, and the calibration fitted to them.

    Parameters
    ----------
    scores
        Shape (rows, classes).
    truth
        The class of each row, shape (rows,); -1 if it is not known, for rows that are only neighbours of others.
    animal
        Index of the animal of each row, shape (rows,), from 0.
    neighbours
        For each row, the row itself and those of the nearest units, shape (rows, nearest), -1 if there are fewer; None
        if positions are not known.
    prevalence
        Share of each class in the training data, shape (classes,).
    sharpness, lapse
        Inverse temperature and lapse rate: a class has the probability
        (1 - lapse) * softmax(sharpness * score + log prevalence) + lapse * prevalence.
    voted_sharpness, voted_lapse
        The same for averages over neighbours, whose score is log(mean probability / prevalence).
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
        """Return the number of animals."""
        return len(np.unique(self.animal[self.truth >= 0]))

    @property
    def balanced_accuracy(self) -> float:
        """Return the mean recall of the classes, computed with classifiers that had not seen the animal."""
        truth, predicted, _ = self._predict_known()
        return float(np.mean([np.mean(predicted[truth == name] == name) for name in np.unique(truth)]))

    @property
    def guessing_limit(self) -> float:
        """Return the balanced accuracy below which classifiers are no better than guessing, at about 95% confidence.

        The expected balanced accuracy of guessing is 1 divided by the number of classes. Its spread is estimated from
        the variation of recall between animals, because units of one animal are similar. A class that comes from one
        animal counts as one unit. If there is only one animal, the spread is computed from the number of units. The
        limit then says nothing about other animals.
        """
        truth, predicted, animal = self._predict_known()
        names = np.unique(truth)
        is_alone = len(np.unique(animal)) == 1
        variance = 0.0
        for name in names:
            own = truth == name
            hits, share = predicted[own] == name, np.mean(predicted == name)
            _, at, units = np.unique(animal[own], return_inverse=True, return_counts=True)
            far = np.square((units / units.sum()) * (np.bincount(at, hits) / units - hits.mean())).sum()
            independent = share * (1 - share) / (1 if len(units) == 1 and not is_alone else units.sum())
            variance += max(independent, far * len(units) / max(len(units) - 1, 1))
        return float(1 / len(names) + 1.96 * np.sqrt(variance) / len(names))

    def _predict_known(self) -> tuple[Int64[np.ndarray, " known"], ...]:
        """Return the class, the predicted class and the animal of the units whose class is known."""
        known = self.truth >= 0
        return self.truth[known], self.scores[known].argmax(axis=1), self.animal[known]

    def compute_probabilities(
        self,
        scores: Float64[np.ndarray, "units classes"],
        *,
        prior: Float64[np.ndarray, " classes"] | None = None,
        neighbours: Int64[np.ndarray, "units nearest"] | None = None,
    ) -> Float64[np.ndarray, "units classes"]:
        """Compute calibrated probabilities from scores.

        Parameters
        ----------
        scores
            Scores of the classifier, shape (units, classes).
        prior
            Share of each class in the new data, shape (classes,); by default that of the training data.
        neighbours
            Average the probabilities over these rows, shape (units, nearest), -1 if there are fewer.

        Returns
        -------
        array
            Shape (units, classes).
        """
        wanted = self.prevalence if prior is None else prior
        own = temper(scores, wanted, self.sharpness, self.lapse)
        if neighbours is None:
            return own
        return temper(vote(own, neighbours, wanted), wanted, self.voted_sharpness, self.voted_lapse)

    @staticmethod
    def count_needed_animals(coverage: float) -> int:
        """Compute how many animals are needed to guarantee sets of this coverage for new animals."""
        return max(ENOUGH_ANIMALS, math.ceil(coverage / (1 - coverage) - ROUNDING))

    def find_set_threshold(
        self, coverage: float, *, prior: Float64[np.ndarray, " classes"] | None = None, smooth: bool = False
    ) -> float:
        """Find the threshold of the prediction set, which contains all classes whose probability reaches it.

        For a share `coverage` of the calibration units, the probability of the true class reaches the threshold. All
        animals have equal weight. If there are enough animals, one additional animal is counted, in which no true class
        reaches the threshold.
        Source: hierarchical conformal prediction, Lee, Barber and Willett 2023, arXiv 2306.06342.
        """
        of, truth, weight = self._weigh_known(prior, smooth)
        reached = of[np.arange(len(truth)), truth]
        animals = round(weight.sum())  # without animals that only have classes that the prior excludes
        animals += animals >= self.count_needed_animals(coverage)
        order = np.argsort(-reached, kind="stable")
        share = np.cumsum(weight[order]) / animals
        at = int(np.searchsorted(share, coverage - ROUNDING))
        return float(reached[order[at]]) if at < len(order) else 0.0

    def find_confidence(self, *, prior: Float64[np.ndarray, " classes"] | None = None, smooth: bool = False) -> float:
        """Find the confidence threshold: the most probable class is predicted if its probability reaches it.

        Among the calibration units that reach the threshold, the error rate is at most `FEWER` times that of all units.
        The second value of `FEWER` is used if no threshold meets the first. The threshold is infinite if no threshold
        meets either.
        """
        of, truth, weight = self._weigh_known(prior, smooth)
        best = of.max(axis=1)
        order = np.argsort(-best, kind="stable")
        named = np.cumsum(weight[order])
        wrong = np.cumsum((weight * (of.argmax(axis=1) != truth))[order]) / np.maximum(named, LEAST)
        last = np.r_[np.diff(best[order]) != 0, True]  # units with equal probabilities must be labelled together
        for fewer in FEWER:
            enough = np.flatnonzero(last & (wrong <= fewer * wrong[-1] + ROUNDING) & (named >= SOME * named[-1]))
            if len(enough):
                return float(best[order[enough[-1]]])
        return np.inf

    def _weigh_known(
        self, prior: Float64[np.ndarray, " classes"] | None, smooth: bool
    ) -> tuple[Float64[np.ndarray, "known classes"], Int64[np.ndarray, " known"], Float64[np.ndarray, " known"]]:
        """Return probabilities and class of the units of known class, and weights that sum to 1 in each animal."""
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
    """Compute probabilities from scores, see `Calibration`. A prior of 0 gives a probability of 0."""
    with np.errstate(divide="ignore"):
        logits = sharpness * scores + np.log(prior)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray((1 - lapse) * shares / shares.sum(axis=1, keepdims=True) + lapse * prior / prior.sum())


def average_neighbours(
    probabilities: Float64[np.ndarray, "units classes"], neighbours: Int64[np.ndarray, "units nearest"]
) -> Float64[np.ndarray, "units classes"]:
    """Average over the neighbours of each unit that have probabilities. A unit without probabilities gets NaN."""
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
    """Score classes by neighbours: log(mean probability of the neighbours / prior)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.log(np.maximum(average_neighbours(probabilities, neighbours), LEAST) / prior)
    return np.where(prior > 0, scores, np.where(np.isnan(probabilities), np.nan, 0.0))


def weigh_animals(animal: Int64[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
    """Compute weights that sum to 1 and give every animal the same weight."""
    _, at, count = np.unique(animal, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(count) * count[at]))


def fit_temperature(
    scores: Float64[np.ndarray, "rows classes"],
    truth: Int64[np.ndarray, " rows"],
    animal: Int64[np.ndarray, " rows"],
    prevalence: Float64[np.ndarray, " classes"],
) -> tuple[float, float]:
    """Fit inverse temperature and lapse rate by maximum likelihood, with equal weight of the animals.

    The lapse rate accounts for the few units that are confidently misclassified. Without it, these units alone would
    determine the temperature.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    weights, rows = weigh_animals(animal), np.arange(len(truth))

    def compute_loss(values: Float64[np.ndarray, " parameters"]) -> float:
        log_sharpness = float(np.clip(values[0], -SHARPEST, SHARPEST))
        reached = temper(scores, prevalence, math.exp(log_sharpness), float(expit(values[1])))[rows, truth]
        weak = 1e-3 * (values[0] ** 2 + (values[1] + 4) ** 2)  # weak prior for values that the data do not determine
        return float(-(weights * np.log(np.maximum(reached, 1e-300))).sum() + weak)

    best = minimize(compute_loss, [0.0, -4.0], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-8}).x
    return math.exp(float(np.clip(best[0], -SHARPEST, SHARPEST))), float(expit(best[1]))
