"""The models that are evaluated, their vectors, and the baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32

from nwb_neurid._system.text import join_some
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import Progress, silent
from nwb_neurid.contracts.compatibility import list_problems
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.errors import CannotEncode, InvalidOption
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.controls import embed_rates
from nwb_neurid.model.fitting import fit
from nwb_neurid.model.making import new_model
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.results import UNTRAINED, Embeddings, Json
from nwb_neurid.workflows.models import resolve_model

RATE = "rate and duration"

Vectors: TypeAlias = tuple[Embeddings, ...]
"""The vectors of every recording of a cohort."""


def stack_vectors(vectors: Vectors) -> Float32[np.ndarray, "units dim"]:
    """Stack the vectors of all recordings."""
    return np.concatenate([each.vectors for each in vectors])


def find_embedded(vectors: Vectors) -> Bool[np.ndarray, " units"]:
    """Find the units of the cohort that have a vector."""
    return np.isfinite(stack_vectors(vectors)).all(axis=1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ModelSet:
    """The models that are evaluated. If there are several, their vectors are concatenated.

    Parameters
    ----------
    models
        The models, by their names in tables.
    vectors
        For each of these names, the vectors of all recordings, computed by the model without further training.
    steps, windows, seed
        Number of steps, number of pairs of windows per step, and random seed, if the models are trained anew for each
        split. With `steps` None, models are not trained. With `windows` None, the number in the encoder's recipe is
        used.
    pool_groups
        As for `Model.embed`.
    """

    models: Mapping[str, Model]
    vectors: Mapping[str, Vectors]
    steps: int | None = None
    windows: int | None = None
    seed: int = 0
    pool_groups: bool = False

    @property
    def name(self) -> str:
        """The name of this set of vectors in tables."""
        return " + ".join(self.models)

    def embed(self, cohort: Cohort, subjects: Sequence[str], progress: Progress) -> Vectors:
        """Embed a cohort. Models that are trained anew are trained on these subjects."""
        parts = []
        for name, model in self.models.items():
            if self.steps is None or not can_learn(model):
                parts.append(self.vectors[name])
                continue
            options = TrainingOptions(steps=self.steps, windows=self.windows, seed=self.seed)
            known = [population for population in cohort.populations if population.subject_id in set(subjects)]
            trained, _ = fit(model, known, options, pool_groups=self.pool_groups, progress=progress)
            parts.append(embed_recordings(trained, cohort.populations, pool_groups=self.pool_groups, progress=progress))
        return parts[0] if len(parts) == 1 else join_vectors(parts)


def can_learn(model: Model) -> bool:
    """Return whether the encoder of a model has weights."""
    return model.plugin.initial_state is not None


def is_trained(model: Model) -> bool:
    """Return whether the weights of a model were trained on data."""
    return can_learn(model) and not model.training.startswith(UNTRAINED)


def name_models(given: Sequence[Model | str | Path], steps: int | None, windows: int | None = None) -> dict[str, Model]:
    """Load the models, and name them for tables.

    Raises
    ------
    InvalidOption
        If no model is given, `steps` is given for a trained model or for models that do not learn, or `windows` is
        given without `steps`.
    NeuridError
        If a model cannot be loaded.
    """
    if not given:
        raise InvalidOption("Choose what to evaluate: --model FOLDER or --encoder NAME.")
    if windows is not None and steps is None:
        raise InvalidOption(
            "--windows is the number of pairs of windows per training step: add --steps, or leave out --windows."
        )
    found: dict[str, Model] = {}
    for each in given:
        model = resolve_model(each)
        if steps is not None and is_trained(model):
            raise InvalidOption(
                f"--steps trains an encoder from scratch, but this {model.name} is already trained. Use --encoder "
                "NAME --untrained instead, or leave out --steps."
            )
        random = can_learn(model) and not is_trained(model) and steps is None
        name = f"untrained {model.name}" if random else model.name
        count = sum(other.plugin is model.plugin for other in found.values())
        found[name if name not in found else f"{name} {count + 1}"] = model
    if steps is not None and not any(map(can_learn, found.values())):
        raise InvalidOption(
            f"--steps trains an encoder, but {' and '.join(found)} needs no training. Leave out --steps."
        )
    return found


def embed_cohort(
    models: Mapping[str, Model], cohort: Cohort, steps: int | None, *, pool_groups: bool, progress: Progress
) -> dict[str, Vectors]:
    """Embed a cohort with each model, or use the vectors of the dataset from which it was made.

    Raises
    ------
    InvalidOption
        If the recordings are needed, but only a dataset is given.
    CannotEncode
        If a model cannot embed any of the recordings.
    """
    if not cohort.stored:
        return {
            name: embed_recordings(each, cohort.populations, pool_groups=pool_groups, progress=progress)
            for name, each in models.items()
        }
    if steps is not None or len(models) > 1:
        what = "Training (--steps)" if steps is not None else "Evaluating several models"
        raise InvalidOption(
            f"{what} needs the recordings, but a dataset holds only the vectors of one model. Pass recordings."
        )
    return {name: tuple(each.embeddings for each in cohort.stored) for name in models}


def embed_recordings(
    model: Model, populations: Sequence[Population], *, pool_groups: bool = False, progress: Progress = silent
) -> Vectors:
    """Embed every recording. Recordings that the encoder cannot embed get no vectors.

    Raises
    ------
    CannotEncode
        If the encoder cannot embed any of the recordings.

    Warns
    -----
    NeuridWarning
        If the encoder cannot embed some of the recordings.
    """
    found: list[Embeddings] = []
    refused: dict[str, list[str]] = {}
    for population in progress(populations, label=f"embedding ({model.name})", total=len(populations)):
        if why := list_problems(population, model.spec):
            for each in why:
                refused.setdefault(each, []).append(population.source or "a recording")
            nothing = np.zeros((len(population), model.encoder.dim))
            found.append(Embeddings.of(population, nothing, reasons=["; ".join(why)] * len(population)))
        else:
            found.append(model.embed(population, pool_groups=pool_groups, progress=progress))
    if refused and all((each.reasons != "").all() for each in found):
        why = [f"{name}: {each}" for each, names in refused.items() for name in names]
        raise CannotEncode(model.name, "these recordings", why)
    for each, names in refused.items():
        who = names[0] if len(names) == 1 else f"{len(names)} recordings ({join_some(names)})"
        warn(f"Left out: {who}: {each}.")
    return tuple(found)


def join_vectors(parts: Sequence[Vectors]) -> Vectors:
    """Concatenate the vectors of several encoders, unit by unit. A unit that lacks any vector gets no vector."""
    joined = []
    for own in zip(*parts, strict=True):
        reasons = own[0].reasons.astype(object)
        for other in own[1:]:
            reasons = np.where(reasons == "", other.reasons.astype(object), reasons)
        wide = np.hstack([part.vectors for part in own])
        wide[reasons != ""] = np.nan
        windowed = [part for part in own if part.provenance.window_s > 0] or own  # others count no windows
        least = np.min([part.n_windows for part in windowed], axis=0)
        encoders = " + ".join(part.provenance.encoder for part in own)
        window_s = max(part.provenance.window_s for part in own)
        joined.append(
            replace(
                own[0],
                vectors=wide,
                reasons=reasons.astype(np.str_),
                n_windows=np.where(reasons == "", least, 0).astype(np.int32),
                stability=np.where(reasons == "", own[0].stability, np.nan).astype(np.float32),
                provenance=replace(own[0].provenance, window_s=window_s, encoder=encoders, dimensions=()),
            )
        )
    return tuple(joined)


def embed_baselines(models: ModelSet, cohort: Cohort, baseline: str, progress: Progress) -> dict[str, Vectors]:
    """Compute the vectors of the baselines: each model alone, random weights, the baseline encoder, firing rates alone.

    Warns
    -----
    NeuridWarning
        If the baseline cannot embed any of the recordings.
    """
    if cohort.stored:
        warn(
            "A dataset of vectors keeps no activity: compared with guessing, the most frequent class, and rate and "
            "duration alone. For the other comparisons, evaluate the recordings."
        )
        return {RATE: embed_rates(cohort)}
    populations = cohort.populations
    found: dict[str, Vectors] = {}
    if len(models.models) > 1 and models.steps is None:
        found |= models.vectors
    for name, model in models.models.items():
        if is_trained(model):
            random = reset_weights(model, models.seed)
            found[f"untrained {name}"] = embed_recordings(
                random, populations, pool_groups=models.pool_groups, progress=progress
            )
        elif can_learn(model) and models.steps is not None:
            found[f"untrained {name}"] = models.vectors[name]
    if baseline and baseline not in (*models.models, *found):
        try:
            found[baseline] = embed_recordings(
                new_model(baseline), populations, pool_groups=models.pool_groups, progress=progress
            )
        except CannotEncode as error:
            warn(f"No comparison with {baseline}: {error}")
    return {**found, RATE: embed_rates(cohort)}


def reset_weights(model: Model, seed: int) -> Model:
    """Build the same encoder with random weights."""
    plugin, config = model.plugin, model.encoder.config
    if plugin.initial_state is None:
        return model
    encoder = plugin.build(config, plugin.initial_state(config, seed), model.device)
    return replace(model, encoder=encoder, training=f"{UNTRAINED}, seed {seed}", details={}, heads={})


def describe_model(name: str, model: Model) -> dict[str, Json]:
    """Describe a model for the scores."""
    return {"name": name, **model.identity, "training": model.training, "details": dict(model.details)}
