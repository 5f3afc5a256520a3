"""Train a model on populations."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from nwb_neurid._system.text import counted
from nwb_neurid.contracts import Progress, silent
from nwb_neurid.contracts.attribution import attribute_errors
from nwb_neurid.contracts.compatibility import convert_activity, list_problems
from nwb_neurid.contracts.training import Binned, BinsRecordings, Trainable, TrainingLog, TrainingOptions
from nwb_neurid.errors import CannotTrain, InvalidOption
from nwb_neurid.model.groups import split_groups
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.results import Json

STEPS = 1000
"""Default number of training steps."""


def fit(
    model: Model,
    populations: Sequence[Population | Binned],
    options: TrainingOptions,
    *,
    pool_groups: bool = False,
    keep: Callable[[Model, TrainingLog], None] | None = None,
    progress: Progress = silent,
) -> tuple[Model, TrainingLog]:
    """Train a copy of a model on populations, which need no labels.

    Parameters
    ----------
    model
        The model whose weights are the starting point. It is not changed.
    populations
        The populations to train on, or groups that `bin_groups` returned. Excluded units are left out.
    options
        Number of steps, random seed, checkpoints and other options.
    pool_groups
        Train on all units of a population together. Otherwise each group (probe, imaging plane) is separate.
    keep
        Callback, called with the model in its present state whenever a checkpoint was written.
    progress
        Progress callback, called at every step.

    Returns
    -------
    Model, TrainingLog
        The trained model, without label heads, and the log.

    Raises
    ------
    InvalidOption
        If the encoder does not learn.
    CannotTrain
        If none of the populations can be trained on; every reason is listed.
    """
    config = model.encoder.config
    with attribute_errors(lambda: model.who, "failed while it was built"):
        encoder = model.plugin.build(config, model.encoder.state(), model.device)
    if not isinstance(encoder, Trainable):
        raise InvalidOption(f"Encoder {model.name!r} needs no training: embed with it directly.")
    parts: list[Population | Binned] = []
    left_out: list[str] = []
    for population in populations:
        if isinstance(population, Binned):
            parts.append(population)
            continue
        own, problems = _split(population, model, pool_groups)
        parts += own
        left_out += problems
    if not parts:
        raise CannotTrain(left_out or ["no recording was given."])

    def describe_trained(log: TrainingLog) -> Model:
        details = _collect_details(parts, options, log)
        return replace(
            model, encoder=encoder, training=_describe_training(parts, details, log), details=details, heads={}
        )

    if keep is not None:
        options = replace(options, saved=lambda log: keep(describe_trained(log), log))
    with attribute_errors(lambda: model.who, "failed while it was trained"):
        # `Binned` is there only for encoders that made it
        log = encoder.fit(cast("list[Population]", parts), options, progress=progress)
    return describe_trained(log), replace(log, notes=(*left_out, *log.notes))


def bin_groups(model: Model, population: Population, *, pool_groups: bool = False) -> tuple[list[Binned], list[str]]:
    """Bin a population group by group, for `fit`.

    Parameters
    ----------
    model
        The model to train.
    population
        The recording.
    pool_groups
        As for `fit`.

    Returns
    -------
    tuple
        The groups of the population, and the reason why it cannot be used for training. Either the groups or the
        reason is empty.

    Raises
    ------
    InvalidOption
        If the encoder cannot be trained on binned recordings alone.
    """
    encoder = model.encoder
    if not isinstance(encoder, BinsRecordings):
        raise InvalidOption(
            f"Encoder {model.name!r} does not train on binned activity alone, so it cannot use --cache. Leave it out."
        )
    parts, problems = _split(population, model, pool_groups)
    with attribute_errors(lambda: model.who, "failed while it binned"):
        return [encoder.bin(part) for part in parts], problems


def _split(population: Population, model: Model, pool_groups: bool) -> tuple[list[Population], list[str]]:
    """Return the groups of a population that can be used for training, or the reasons why none can."""
    if found := list_problems(population, model.spec):
        return [], [f"{population.source or 'a recording'}: {problem}." for problem in found]
    converted = convert_activity(population, model.spec)
    return [converted.select(rows) for _, rows in split_groups(converted, pool_groups)], []


def _collect_details(
    parts: Sequence[Population | Binned], options: TrainingOptions, log: TrainingLog
) -> dict[str, Json]:
    """Collect details of the training for `model.json`."""
    last = log.loss[np.isfinite(log.loss)][-50:]
    return {
        "subjects": sorted({part.subject_id for part in parts} - {""}),
        "sessions": sorted({part.session_id for part in parts} - {""}),
        "populations": len(parts),
        "populations_without_subject": sum(not part.subject_id for part in parts),
        "units": sum(len(part) for part in parts),
        "hours": round(sum({(part.source, part.session_id): part.duration_s for part in parts}.values()) / 3600, 3),
        "steps": len(log.loss),
        "steps_planned": log.steps,
        "seed": options.seed,
        "loss": round(float(last.mean()), 4) if len(last) else None,
        "seconds": round(log.seconds, 1),
    }


def _describe_training(parts: Sequence[Population | Binned], details: dict[str, Json], log: TrainingLog) -> str:
    done = len(log.loss)
    steps = counted(done, "step") if log.finished else f"interrupted after {done} of {log.steps} steps"
    what = f"{counted(sum(map(len, parts)), 'unit')} of {counted(len(parts), 'population')}"
    return f"{steps}, seed {details['seed']}, on {what}, {details['hours']} hours of recordings"
