"""How scores grow with labels and with animals."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import CannotFit, InvalidOption, NeuridWarning
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.heads import Probing, answers_of
from nwb_neurid.evaluation.protocols import Split
from nwb_neurid.evaluation.scores import scores_of
from nwb_neurid.evaluation.vectors import Vectors
from nwb_neurid.results import Json

ALL = "all"
LEAST = 2
"""Units of a class that are kept however small the fraction is: a class needs two."""

VectorsFor = Callable[[Split, Sequence[str]], Vectors]
"""The vectors of the cohort for a split, of an encoder that may learn from these subjects."""


def check_fractions(fractions: Sequence[float]) -> None:
    """Refuse what is no share.

    Raises
    ------
    InvalidOption
        If one is not above 0 and at most 1.
    """
    if wrong := [value for value in fractions if not 0 < value <= 1]:
        raise InvalidOption(f"--label-fractions must lie above 0 and be at most 1, got {wrong[0]:g}.")


def counts_of(animals: Sequence[int | str], most: int) -> list[int]:
    """Numbers of animals, with "all" and larger ones as the most that there are.

    Raises
    ------
    InvalidOption
        If one is neither a number from 1 on nor "all".
    """
    counts = []
    for value in animals:
        if value != ALL and (not str(value).isdecimal() or int(value) < 1):
            raise InvalidOption(f"--animals must be numbers from 1 on, or all, got {value!r}.")
        counts.append(most if value == ALL else min(int(value), most))
    return sorted(set(counts))


def over_labels(
    cohort: Cohort,
    splits: Sequence[Split],
    vectors_for: VectorsFor,
    probing: Probing,
    fractions: Sequence[float],
    *,
    progress: Progress = silent,
) -> list[dict[str, Json]]:
    """Scores with a part of the labels of the training units; each part holds the smaller ones."""
    vectors = [vectors_for(split, subjects_of(cohort, split)) for split in splits]
    points = []
    for fraction in progress(sorted(set(fractions)), label="label fractions", total=len(set(fractions))):
        fewer = [
            replace(split, train=_thinned(cohort, split.train, fraction, (probing.seed, at)))
            for at, split in enumerate(splits)
        ]
        about = {"fraction": fraction, "train_units": round(float(np.mean([len(split.train) for split in fewer])), 1)}
        points.append({**about, **_scores(cohort, fewer, vectors, probing, f"{fraction:g} of the labels")})
    return points


def over_animals(
    cohort: Cohort,
    splits: Sequence[Split],
    vectors_for: VectorsFor,
    probing: Probing,
    animals: Sequence[int | str],
    *,
    encoder_learns: bool,
    progress: Progress = silent,
) -> list[dict[str, Json]]:
    """Scores with fewer animals; each set holds the smaller ones.

    Where the encoder is trained anew, it learns from so many animals, and the head from the labels of all; where it is
    not, the head learns from so many.
    """
    most = min(len(subjects_of(cohort, split)) for split in splits)
    counts = counts_of(animals, most)
    points = []
    for count in progress(counts, label="animals", total=len(counts)):
        fewer, vectors = [], []
        for at, split in enumerate(splits):
            names = subjects_of(cohort, split)
            chosen = [names[place] for place in _order(len(names), (probing.seed, at))[:count]]
            own = np.isin(cohort.subject[split.train], chosen)
            fewer.append(split if encoder_learns else replace(split, train=split.train[own]))
            vectors.append(vectors_for(split, chosen))
        points.append({"animals": count, **_scores(cohort, fewer, vectors, probing, f"{count} animals")})
    return points


def subjects_of(cohort: Cohort, split: Split) -> list[str]:
    """The subjects whose units train, in ascending order."""
    return list(np.unique(cohort.subject[split.train]).tolist())


def _scores(
    cohort: Cohort, splits: Sequence[Split], vectors: Sequence[Vectors], probing: Probing, what: str
) -> dict[str, Json]:
    try:
        answers = answers_of(cohort, splits, vectors, probing)
    except CannotFit as error:
        warnings.warn(f"No score with {what}: {error}", NeuridWarning, stacklevel=3)
        return {"macro_f1": None, "balanced_accuracy": None}
    found = scores_of(cohort, answers.asked, answers.said, probing.seed)
    return {name: found[name] for name in ("macro_f1", "balanced_accuracy", "intervals_95")}


def _order(count: int, seed: tuple[int, int]) -> list[int]:
    return [int(place) for place in np.random.default_rng(seed).permutation(count)]


def _thinned(cohort: Cohort, rows: np.ndarray, fraction: float, seed: tuple[int, int]) -> np.ndarray:
    """A share of the rows of each class."""
    shuffled = rows[_order(len(rows), seed)]
    kept = []
    for name in np.unique(cohort.truth[rows]):
        own = shuffled[cohort.truth[shuffled] == name]
        kept.append(own[: max(LEAST, round(fraction * len(own)))])
    return np.sort(np.concatenate(kept))
