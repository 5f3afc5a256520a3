"""Scores of a cohort: of what is asked for, of all that it is compared with, and how they grow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.contracts import Progress
from nwb_neurid.evaluation import controls
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.curves import over_animals, over_labels, subjects_of
from nwb_neurid.evaluation.heads import Answers, Probing, answers_of
from nwb_neurid.evaluation.models import Asked
from nwb_neurid.evaluation.protocols import INDUCTIVE, TRANSDUCTIVE, Split
from nwb_neurid.evaluation.scores import details_of, guess_scores, scores_of
from nwb_neurid.evaluation.vectors import System, Vectors
from nwb_neurid.results import Json

NEIGHBOURS = "neighbours in activity"
MAJORITY = "majority"
CHANCE = "chance"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Work:
    """A cohort, parted, and whose vectors are to be scored. `cache` keeps vectors by the subjects learnt from."""

    cohort: Cohort
    splits: tuple[Split, ...]
    probing: Probing
    asked: Asked
    progress: Progress
    cache: dict[frozenset[str], Vectors]

    def vectors(self, split: Split, subjects: Sequence[str] | None = None) -> Vectors:
        """Those asked for; where encoders are trained anew, on these subjects, by default on all that train."""
        known = set(subjects_of(self.cohort, split) if subjects is None else subjects)
        if self.probing.protocol != INDUCTIVE:
            known |= set(self.cohort.subject[split.test].tolist())
        key = frozenset(known) if self.asked.steps is not None else frozenset()
        if key not in self.cache:
            self.cache[key] = self.asked.taught(self.cohort, sorted(known), self.progress)
        return self.cache[key]

    def answers(self, *, smooth: bool = False) -> Answers:
        """What is said of the test units by the vectors asked for."""
        probing = replace(self.probing, smooth=smooth)
        vectors = [self.vectors(split) for split in self.splits]
        return answers_of(self.cohort, self.splits, vectors, probing, progress=self.progress)


def scored(work: Work, answers: Answers, others: Sequence[System], *, smooth: bool) -> dict[str, Json]:
    """Scores of what is asked for, and under `baselines` of all that it is compared with."""
    cohort, seed = work.cohort, work.probing.seed
    found = {
        **scores_of(cohort, answers.asked, answers.said, seed),
        **details_of(cohort, answers, work.probing.coverage),
        "baselines": _baselines(work, answers, others),
    }
    if smooth:
        voted = work.answers(smooth=True)
        found["smoothed"] = {
            **scores_of(cohort, voted.asked, voted.said, seed),
            **details_of(cohort, voted, work.probing.coverage),
        }
    return found


def _baselines(work: Work, answers: Answers, others: Sequence[System]) -> dict[str, Json]:
    cohort, seed, asked = work.cohort, work.probing.seed, answers.asked
    found: dict[str, Json] = {}
    for system in work.progress(others, label="comparisons", total=len(others)):
        own = answers_of(cohort, work.splits, [system.vectors] * len(work.splits), work.probing)
        found[system.name] = scores_of(cohort, asked, own.said, seed)
    if work.probing.protocol == TRANSDUCTIVE:
        alike = {at: controls.correlations(each) for at, each in enumerate(cohort.populations)}
        said = _pooled(work, partial(controls.neighbours_say, alike=alike))
        found[NEIGHBOURS] = scores_of(cohort, asked, said, seed)
    found[MAJORITY] = scores_of(cohort, asked, _pooled(work, controls.commonest), seed)
    guesses = np.full((controls.GUESSES, len(asked)), "", dtype=object)
    for split in work.splits:
        guesses[:, split.test] = controls.guessed(cohort, split, seed)
    found[CHANCE] = guess_scores(cohort, asked, guesses.astype(np.str_))
    return found


def _pooled(work: Work, say: Callable[[Cohort, Split], np.ndarray]) -> Shaped[np.ndarray, " units"]:
    said = np.full(len(work.cohort.truth), "", dtype=object)
    for split in work.splits:
        said[split.test] = say(work.cohort, split)
    return said.astype(np.str_)


def curves(
    work: Work, baseline: System | None, fractions: Sequence[float], animals: Sequence[int | str]
) -> dict[str, Json]:
    """Curves over labels and over animals, of what is asked for and of the baseline."""
    found: dict[str, Json] = {}
    own = {work.asked.name: work.vectors}
    if baseline is not None:
        own[baseline.name] = lambda *_: baseline.vectors
    for name, vectors in own.items():
        if fractions:
            points = over_labels(work.cohort, work.splits, vectors, work.probing, fractions, progress=work.progress)
            found["label_fractions"] = {**_mapping(found.get("label_fractions")), name: points}
        if animals:
            learns = work.asked.steps is not None
            if learns and name != work.asked.name:
                continue  # what learns nothing does not grow with what is learnt from
            points = over_animals(
                work.cohort,
                work.splits,
                vectors,
                work.probing,
                animals,
                encoder_learns=learns,
                progress=work.progress,
            )
            found["animals"] = {**_mapping(found.get("animals")), name: points}
    return found


def _mapping(value: Json) -> dict[str, Json]:
    return dict(value) if isinstance(value, dict) else {}
