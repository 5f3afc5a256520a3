"""`evaluate`: read recordings, part what is known from what is tested, fit heads, score."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nwb_neurid.contracts import Progress, ReadOptions, silent
from nwb_neurid.evaluation.assessment import Work, curves, scored
from nwb_neurid.evaluation.curves import check_fractions, counts_of, subjects_of
from nwb_neurid.evaluation.heads import Probing
from nwb_neurid.evaluation.models import Asked, is_trained, models_of, record_of, systems_of
from nwb_neurid.evaluation.protocols import TRANSDUCTIVE, check_encoder, check_protocol, splits_of
from nwb_neurid.evaluation.recordings import Wanted, gathered, scorable
from nwb_neurid.evaluation.results import Evaluation
from nwb_neurid.evaluation.vectors import System, embedded
from nwb_neurid.labels.calibration import NOMINAL, note_few_animals
from nwb_neurid.labels.fitting import check_head
from nwb_neurid.labels.neighbours import check_smoothable
from nwb_neurid.model.model import Model, software
from nwb_neurid.population import Population
from nwb_neurid.results import Json

BASELINE = "isi"


def evaluate(
    model: Model | str | Path | Sequence[Model | str | Path],
    sources: Sequence[object],
    *,
    label: str,
    protocol: str,
    train: Sequence[object] = (),
    test_subjects: Sequence[str] = (),
    map: Mapping[str, str] | str | Path | None = None,
    subjects: Mapping[str, str] | str | Path | None = None,
    head: str = "linear",
    coverage: float = 0.9,
    folds: int = 5,
    seed: int = 0,
    smooth: bool = False,
    label_fractions: Sequence[float] = (),
    animals: Sequence[int | str] = (),
    steps: int | None = None,
    windows: int | None = None,
    baseline: str = BASELINE,
    reading: ReadOptions | None = None,
    pool_groups: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """How well the vectors of a model tell what units are, under one of the protocols of the NuCLR paper.

    Parameters
    ----------
    model
        A model, its folder, or the name of an encoder that needs no training; or several, whose vectors are put side
        by side.
    sources
        Recordings with labels, each whatever `nwb_neurid.read` takes, or a `Population`.
    label
        Which of their labels: "cell_type", "brain_region", or the name of a column of text.
    protocol
        "transductive", "transductive-zero-shot" or "inductive-zero-shot".
    train
        Further recordings, which only train the head.
    test_subjects
        Test these subjects only; in the zero-shot protocols the others train.
    map, subjects, head, coverage
        As for `nwb_neurid.fit_labels`.
    folds
        Over neurons if the protocol is transductive, over subjects otherwise.
    seed
        Of folds, heads, guesses and training. One seed, one result.
    smooth
        Also score probabilities that are averaged over neighbours on the probe; for regions only.
    label_fractions
        Also score heads that are fitted to these shares of the labels.
    animals
        Also score so many animals, numbers or "all": to train the head, or the encoder if `steps` is given.
    steps
        Train encoders that learn anew for each split, for so many steps, without labels: on the training subjects,
        and in the transductive protocols on the test subjects as well.
    windows
        Pairs of windows in each of these steps; the number of the encoder's recipe by default.
    baseline
        An encoder that needs no training to compare with; "" for none.
    reading
        For the readers.
    pool_groups, progress
        As for `Model.embed`.

    Raises
    ------
    Leak
        If something of the test units would be known in training.
    CannotFit
        If the labels cannot be told apart, or there are too few subjects.
    InvalidOption
        If an option cannot be, or a recording has no subject.
    NeuridError
        Whatever is wrong with a recording or a model.

    Warns
    -----
    NeuridWarning
        Of what is doubtful in the labels, as `nwb_neurid.fit_labels` does, and of what is left out.
    """
    check_protocol(protocol)
    check_fractions(label_fractions)
    counts_of(animals, 1)
    check_head(head, coverage)
    if smooth:
        check_smoothable(label)
    named = models_of([model] if isinstance(model, Model | str | Path) else list(model), steps, windows)
    wanted = Wanted(
        sources=sources, train=train, label=label, map=map, subjects=subjects, reading=reading or ReadOptions()
    )
    cohort, aliases = gathered(list(named.values()), wanted, progress)
    tested = {*test_subjects} or {*cohort.subject[(cohort.truth != "") & ~cohort.helps_only].tolist()}
    names = sorted({name for subject in tested for name in aliases.get(subject, {subject})})
    for name, each in named.items():
        check_encoder(name, each.details, protocol, names, learns=is_trained(each))
    asked = _asked(named, cohort.populations, steps, windows, seed, pool_groups, progress)
    others = systems_of(asked, cohort.populations, baseline, progress)
    seen = [System(name="", vectors=own).seen for own in asked.vectors] + [system.seen for system in others]
    units = scorable(cohort, np.all(seen, axis=0))
    work = Work(
        cohort=cohort,
        splits=tuple(splits_of(cohort, units, protocol, folds=folds, seed=seed, test_subjects=test_subjects)),
        probing=Probing(protocol=protocol, kind=head, coverage=coverage, seed=seed),
        asked=asked,
        progress=progress,
        cache={},
    )
    answers = work.answers()
    plain = next((system for system in others if system.name == baseline), None)
    scores = {
        **scored(work, answers, others, smooth=smooth),
        **curves(work, plain, label_fractions, animals),
        **_about(work, named),
    }
    return Evaluation(cohort=cohort, answers=answers, splits=work.splits, scores=scores)


def _asked(
    named: Mapping[str, Model],
    populations: Sequence[Population],
    steps: int | None,
    windows: int | None,
    seed: int,
    pool_groups: bool,
    progress: Progress,
) -> Asked:
    models = tuple(named.values())
    return Asked(
        names=tuple(named),
        models=models,
        vectors=tuple(embedded(each, populations, pool_groups=pool_groups, progress=progress) for each in models),
        steps=steps,
        windows=windows,
        seed=seed,
        pool_groups=pool_groups,
    )


def _about(work: Work, named: Mapping[str, Model]) -> dict[str, Json]:
    """How the scores came to be."""
    subject, probing = work.cohort.subject, work.probing
    stitched = [each.provenance.stitched for own in work.asked.vectors for each in own]
    return {
        "name": work.asked.name,
        "label": work.cohort.label,
        "protocol": probing.protocol,
        "head": probing.kind,
        "seed": probing.seed,
        "steps": work.asked.steps,
        "windows": work.asked.windows,
        "stitched": any(stitched),
        "splits": [
            {
                "train_units": len(split.train),
                "test_units": len(split.test),
                "train_subjects": np.unique(subject[split.train]).tolist(),
                "test_subjects": np.unique(subject[split.test]).tolist(),
            }
            for split in work.splits
        ],
        "notes": _notes(work),
        "models": [record_of(name, each) for name, each in named.items()],
        "software": software(),
    }


def _notes(work: Work) -> list[Json]:
    """What a reader must know of the coverage that is promised."""
    if work.probing.protocol == TRANSDUCTIVE:
        return [f"{NOMINAL}: calibrated on other neurons of the animals that are tested."]
    animals = min(len(subjects_of(work.cohort, split)) for split in work.splits)
    return [*note_few_animals(animals, work.probing.coverage)]
