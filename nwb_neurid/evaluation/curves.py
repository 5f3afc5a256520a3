"""Learning curves: scores for different numbers of labels and of animals."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import CannotFit, InvalidOption
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.heads import HeadOptions, predict_folds
from nwb_neurid.evaluation.models import Vectors
from nwb_neurid.evaluation.protocols import Split
from nwb_neurid.evaluation.scores import score_predictions
from nwb_neurid.results import Json

ALL = "all"
LEAST = 2
"""Minimum number of units of a class that are kept, even for small fractions."""

Embed: TypeAlias = Callable[[Split, Sequence[str]], Vectors]
"""A function that embeds the cohort for a split, with an encoder that may learn from the given subjects."""


def check_fractions(fractions: Sequence[float]) -> None:
    """Check that every label fraction is above 0 and at most 1.

    Raises
    ------
    InvalidOption
        If a fraction is not.
    """
    if wrong := [value for value in fractions if not 0 < value <= 1]:
        raise InvalidOption(f"--label-fractions must lie above 0 and be at most 1, got {wrong[0]:g}.")


def parse_counts(animals: Sequence[int | str], most: int) -> list[int]:
    """Parse numbers of animals. "all", and numbers above `most`, become `most`.

    Raises
    ------
    InvalidOption
        If a value is neither a number of at least 1 nor "all".
    """
    counts = []
    for value in animals:
        if value != ALL and (not str(value).isdecimal() or int(value) < 1):
            raise InvalidOption(f"--animals must be numbers from 1 on, or all, got {value!r}.")
        counts.append(most if value == ALL else min(int(value), most))
    return sorted(set(counts))


def score_over_labels(
    cohort: Cohort,
    splits: Sequence[Split],
    embed: Embed,
    options: HeadOptions,
    fractions: Sequence[float],
    *,
    progress: Progress = silent,
) -> list[Json]:
    """Score heads that are fitted to shares of the labels. Each share contains the labels of the smaller shares."""
    vectors = [embed(split, list_train_subjects(cohort, split)) for split in splits]
    points: list[Json] = []
    for fraction in progress(sorted(set(fractions)), label="label fractions", total=len(set(fractions))):
        fewer = [
            replace(split, train=_draw_share(cohort, split.train, fraction, (options.seed, at)))
            for at, split in enumerate(splits)
        ]
        units = round(float(np.mean([len(split.train) for split in fewer])), 1)
        scores = _score_point(cohort, fewer, vectors, options, f"{fraction:g} of the labels")
        points.append({"fraction": fraction, "train_units": units, **scores})
    return points


def score_over_animals(
    cohort: Cohort,
    splits: Sequence[Split],
    embed: Embed,
    options: HeadOptions,
    animals: Sequence[int | str],
    *,
    encoder_learns: bool,
    progress: Progress = silent,
) -> list[Json]:
    """Score with fewer animals. Each set of animals contains the smaller sets.

    If the encoder is trained anew, it is trained on this number of animals, and the head on the labels of all animals.
    Otherwise, the head is trained on this number of animals.
    """
    most = min(len(list_train_subjects(cohort, split)) for split in splits)
    counts = parse_counts(animals, most)
    points: list[Json] = []
    for count in progress(counts, label="animals", total=len(counts)):
        fewer, vectors = [], []
        for at, split in enumerate(splits):
            names = list_train_subjects(cohort, split)
            drawn = [names[place] for place in _shuffle(len(names), (options.seed, at))[:count]]
            own = np.isin(cohort.subject[split.train], drawn)
            fewer.append(split if encoder_learns else replace(split, train=split.train[own]))
            vectors.append(embed(split, drawn))
        points.append({"animals": count, **_score_point(cohort, fewer, vectors, options, f"{count} animals")})
    return points


def list_train_subjects(cohort: Cohort, split: Split) -> list[str]:
    """List the subjects whose units are used for training, in ascending order."""
    return list(np.unique(cohort.subject[split.train]).tolist())


def _score_point(
    cohort: Cohort, splits: Sequence[Split], vectors: Sequence[Vectors], options: HeadOptions, what: str
) -> dict[str, Json]:
    try:
        found = predict_folds(cohort, splits, vectors, options)
    except CannotFit as error:
        warn(f"No score with {what}: {error}")
        return {"macro_f1": None, "balanced_accuracy": None}
    scores = score_predictions(cohort, found.tested, found.label, options.seed)
    return {name: scores[name] for name in ("macro_f1", "balanced_accuracy", "intervals_95")}


def _shuffle(count: int, seed: tuple[int, int]) -> list[int]:
    return [int(place) for place in np.random.default_rng(seed).permutation(count)]


def _draw_share(cohort: Cohort, rows: np.ndarray, fraction: float, seed: tuple[int, int]) -> np.ndarray:
    """Draw a share of the rows of each class."""
    shuffled = rows[_shuffle(len(rows), seed)]
    kept = []
    for name in np.unique(cohort.truth[rows]):
        own = shuffled[cohort.truth[shuffled] == name]
        kept.append(own[: max(LEAST, round(fraction * len(own)))])
    return np.sort(np.concatenate(kept))
