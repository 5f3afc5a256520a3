"""The models that are asked for, what they are compared with, and their vectors."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nwb_neurid.contracts import Progress
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.errors import CannotEncode, InvalidOption, NeuridWarning
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.controls import rates_of
from nwb_neurid.evaluation.vectors import System, Vectors, concatenated, embedded, taught
from nwb_neurid.model.model import Model, new_model
from nwb_neurid.population import Population
from nwb_neurid.results import UNTRAINED, Json
from nwb_neurid.workflows.fit_labels import as_model

RATE = "rate and duration"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Asked:
    """The models asked for, whose vectors are put side by side.

    Parameters
    ----------
    names, models
        One or several.
    vectors
        Of each model as it is, for all recordings.
    steps, windows, seed
        Train those that can learn anew for each split, for so many steps of so many pairs of windows; None to take them
        as they are, or the number of their recipe.
    pool_groups
        As for `Model.embed`.
    """

    names: tuple[str, ...]
    models: tuple[Model, ...]
    vectors: tuple[Vectors, ...]
    steps: int | None
    windows: int | None
    seed: int
    pool_groups: bool

    @property
    def name(self) -> str:
        """In tables."""
        return " + ".join(self.names)

    def taught(self, cohort: Cohort, subjects: Sequence[str], progress: Progress) -> Vectors:
        """Vectors of the models, those that learn trained on these subjects where that was asked for."""
        parts = []
        for model, own in zip(self.models, self.vectors, strict=True):
            if self.steps is None or not can_learn(model):
                parts.append(own)
                continue
            options = TrainingOptions(steps=self.steps, windows=self.windows, seed=self.seed)
            parts.append(taught(model, cohort, subjects, options, pool_groups=self.pool_groups, progress=progress))
        return parts[0] if len(parts) == 1 else concatenated(parts)


def can_learn(model: Model) -> bool:
    """Whether its encoder has weights at all."""
    return model.plugin.initial_state is not None


def is_trained(model: Model) -> bool:
    """Whether its weights have seen data."""
    return can_learn(model) and not model.training.startswith(UNTRAINED)


def models_of(wanted: Sequence[Model | str | Path], steps: int | None, windows: int | None = None) -> dict[str, Model]:
    """The models by the names that they have in tables.

    Raises
    ------
    InvalidOption
        If none is named, or one is to be trained anew that is trained, or windows are meant for no training.
    NeuridError
        Whatever is wrong with a model.
    """
    if not wanted:
        raise InvalidOption("Name what to evaluate: --model FOLDER or --encoder NAME.")
    if windows is not None and steps is None:
        raise InvalidOption("--windows is how many pairs of windows a step of training takes: name --steps too.")
    found: dict[str, Model] = {}
    for each in wanted:
        model = as_model(each)
        if steps is not None and is_trained(model):
            raise InvalidOption(
                f"--steps trains an encoder anew, but this {model.name} is trained. Name the encoder instead "
                "(--encoder NAME --untrained), or leave --steps out."
            )
        random = can_learn(model) and not is_trained(model) and steps is None
        name = f"untrained {model.name}" if random else model.name
        count = sum(other.plugin is model.plugin for other in found.values())
        found[name if name not in found else f"{name} {count + 1}"] = model
    if steps is not None and not any(map(can_learn, found.values())):
        raise InvalidOption(f"--steps trains an encoder, but {' and '.join(found)} learns nothing.")
    return found


def systems_of(asked: Asked, populations: Sequence[Population], baseline: str, progress: Progress) -> list[System]:
    """What the models asked for are compared with, by name: each alone, untrained ones, the baseline, rates alone."""
    found = {}
    if len(asked.names) > 1 and asked.steps is None:
        found = dict(zip(asked.names, asked.vectors, strict=True))
    for name, model in zip(asked.names, asked.models, strict=True):
        if is_trained(model):
            random = untrained(model, asked.seed)
            found[f"untrained {name}"] = embedded(random, populations, pool_groups=asked.pool_groups, progress=progress)
        elif can_learn(model) and asked.steps is not None:
            found[f"untrained {name}"] = dict(zip(asked.names, asked.vectors, strict=True))[name]
    if baseline and baseline not in (*asked.names, *found):
        plain = new_model(baseline)
        try:
            found[baseline] = embedded(plain, populations, pool_groups=asked.pool_groups, progress=progress)
        except CannotEncode as error:
            warnings.warn(f"No comparison with {baseline}: {error}", NeuridWarning, stacklevel=2)
    found[RATE] = rates_of(populations)
    return [System(name=name, vectors=vectors) for name, vectors in found.items()]


def untrained(model: Model, seed: int) -> Model:
    """The same encoder with random weights."""
    plugin, config = model.plugin, model.encoder.config
    if plugin.initial_state is None:
        return model
    encoder = plugin.build(config, plugin.initial_state(config, seed), model.device)
    return replace(model, encoder=encoder, training=f"{UNTRAINED}, seed {seed}", details={}, heads={})


def record_of(name: str, model: Model) -> dict[str, Json]:
    """What the results say of a model."""
    return {"name": name, **model.identity, "training": model.training, "details": dict(model.details)}
