"""`Model`: an encoder with its weights, and the folder that it is kept in.

A model folder holds `model.json` (what it is), `weights.safetensors` (nothing pickled) and `README.md` (the model
card). Loading one never runs code from it: the encoder comes from an installed plugin.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from nwb_neurid import __version__, registry
from nwb_neurid.checks import problems
from nwb_neurid.contracts import DEVICES, Config, Encoder, EncoderPlugin, EncoderSpec, Progress, State, silent
from nwb_neurid.errors import (
    BrokenPlugin,
    CannotEncode,
    InvalidModel,
    InvalidOption,
    InvalidResults,
    UnknownPlugin,
    UntrainedEncoder,
)
from nwb_neurid.model_folder import Description, card, read_description, read_weights, sha256, write_folder
from nwb_neurid.population import Population
from nwb_neurid.results import UNTRAINED, Embeddings, Json, Provenance


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """An encoder with its weights, ready to embed.

    Parameters
    ----------
    encoder
        Built by its plugin.
    plugin
        Where it comes from.
    training
        What it was trained on, in words; "" where there is nothing to learn.
    distribution
        Name and version of the distribution that the plugin comes from.
    details
        The same in numbers: subjects, sessions, units, hours, steps, and what else the training tells.
    device
        What it was built for: "auto", "cpu" or "cuda".
    weights_sha256
        Hash of the weights as safetensors; "" where there are none.
    """

    encoder: Encoder
    plugin: EncoderPlugin
    training: str = ""
    distribution: str = ""
    details: Mapping[str, Json] = field(default_factory=dict)
    device: str = "auto"
    weights_sha256: str = field(default="", init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights_sha256", sha256(self.encoder.state()))

    @property
    def spec(self) -> EncoderSpec:
        """What it is and needs."""
        return self.plugin.spec_for(self.encoder.config)

    @property
    def name(self) -> str:
        """The name of its encoder."""
        return self.plugin.spec.name

    def embed(self, population: Population, *, pool_groups: bool = False, progress: Progress = silent) -> Embeddings:
        """One vector for each unit that can have one; the others are NaN with a reason.

        Parameters
        ----------
        population
            What to embed.
        pool_groups
            Take all units as one population. Otherwise each group (probe, imaging plane) is one of its own.
        progress
            Told of every window or unit.

        Raises
        ------
        CannotEncode
            If the encoder cannot take this population; all reasons are listed.
        BrokenPlugin
            If the encoder breaks its contract.
        """
        if found := problems(population, self.spec):
            raise CannotEncode(self.name, population.source, found)
        reasons = [population.excluded.get(row, "") for row in range(len(population))]
        vectors = np.full((len(population), self.encoder.dim), np.nan, np.float32)
        n_windows = np.zeros(len(population), np.int32)
        stability = np.full(len(population), np.nan, np.float32)
        parts: list[Provenance] = []
        for group, rows in groups(population, pool_groups):
            if len(rows) < self.spec.min_units:
                for row in rows:
                    reasons[row] = f"group {group} has {len(rows)} of the {self.spec.min_units} units that are needed"
                continue
            part = self._embed_group(population.select(rows), progress)
            vectors[rows], n_windows[rows], stability[rows] = part.vectors, part.n_windows, part.stability
            for row, reason in zip(rows, part.reasons, strict=True):
                reasons[row] = str(reason)
            parts.append(part.provenance)
        return Embeddings.of(
            population,
            vectors,
            n_windows=n_windows,
            stability=stability,
            reasons=reasons,
            provenance=self._provenance(population, parts),
        )

    def _embed_group(self, group: Population, progress: Progress) -> Embeddings:
        who = f"Encoder {self.name!r} ({self.distribution or 'no distribution'})"
        try:
            part = self.encoder.embed(group, progress=progress)
        except InvalidResults as error:
            raise BrokenPlugin(f"{who} gave results that contradict one another: {error}") from error
        wanted = (len(group), self.encoder.dim)
        if not isinstance(part, Embeddings) or part.vectors.shape != wanted:
            got = part.vectors.shape if isinstance(part, Embeddings) else type(part).__name__
            raise BrokenPlugin(f"{who} must return Embeddings with vectors of shape {wanted}, got {got}.")
        if not np.array_equal(part.unit_ids, group.unit_ids):
            raise BrokenPlugin(f"{who} returned its units in another order.")
        return part

    def _provenance(self, population: Population, parts: list[Provenance]) -> Provenance:
        return Provenance(
            encoder=self.name,
            encoder_version=self.plugin.spec.version,
            config=self.encoder.config,
            weights_sha256=self.weights_sha256,
            training=self.training,
            window_s=max((part.window_s for part in parts), default=0.0),
            stitched=any(part.stitched for part in parts),
            notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            source=Path(population.source).name,
            session_id=population.session_id,
            subject_id=population.subject_id,
            software=software(),
        )

    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model folder; a failed write leaves none behind.

        Raises
        ------
        CannotWrite
            If the folder exists and is not to be overwritten, or cannot be written.
        """
        folder = Path(folder)
        about = self.describe()
        write_folder(folder, about, card(about, self.spec, self.encoder.dim), self.encoder.state(), overwrite=overwrite)
        return folder

    def describe(self) -> Description:
        """What `model.json` holds."""
        return Description(
            encoder=self.name,
            encoder_version=self.plugin.spec.version,
            distribution=self.distribution,
            config=dict(self.encoder.config),
            training=self.training,
            details=dict(self.details),
            weights_sha256=self.weights_sha256,
            software=software(),
        )


def new_model(
    encoder: str, *, preset: str | None = None, untrained: bool = False, seed: int = 0, device: str = "auto"
) -> Model:
    """A model without trained weights, of an installed encoder.

    Parameters
    ----------
    encoder
        Its name, or `name@distribution`.
    preset
        One of its presets; the first by default.
    untrained
        Accept random weights, where the encoder learns.
    seed
        Of the random weights.
    device
        "auto", "cpu" or "cuda".

    Raises
    ------
    UntrainedEncoder
        If the encoder learns and `untrained` is not set.
    InvalidOption
        If there is no such preset or device.
    UnknownPlugin, DuplicatePlugin, BrokenPlugin, IncompatiblePlugin
        If the encoder cannot be loaded.
    """
    encoders = registry.encoders()
    plugin = encoders.load(encoder)
    config = plugin.presets.get(preset or next(iter(plugin.presets)))
    if config is None:
        raise InvalidOption(f"Encoder {encoder!r} has no preset {preset!r}. It has: {', '.join(plugin.presets)}.")
    state: Mapping[str, np.ndarray] = {}
    training = ""
    if plugin.initial_state is not None:
        if not untrained:
            raise UntrainedEncoder(
                f"Encoder {encoder!r} learns, and no trained model was named. Name one (--model FOLDER), or take "
                "random weights (--untrained): their vectors mean little."
            )
        state, training = plugin.initial_state(config, seed), f"{UNTRAINED}, seed {seed}"
    return _built(plugin, config, state, device, training, encoders.distribution(encoder))


def import_model(encoder: str, checkpoint: Path, settings: Mapping[str, Json]) -> Model:
    """A model from a checkpoint of the method's original code.

    Raises
    ------
    InvalidOption
        If the encoder cannot import checkpoints.
    WrongWeights, InvalidModel
        If the checkpoint does not hold what the encoder needs.
    """
    encoders = registry.encoders()
    plugin = encoders.load(encoder)
    if plugin.import_checkpoint is None:
        raise InvalidOption(f"Encoder {encoder!r} has no checkpoints to import.")
    config, state = plugin.import_checkpoint(checkpoint, settings)
    training = f"imported from {checkpoint.name}, which does not state what it was trained on"
    return _built(plugin, config, state, "cpu", training, encoders.distribution(encoder))


def load_model(folder: str | Path, *, device: str = "auto") -> Model:
    """The model of a folder.

    Raises
    ------
    InvalidModel
        If the folder is not a model folder, or of a format or encoder that is not known here.
    WrongWeights
        If the weights are damaged or do not fit.
    """
    folder = Path(folder)
    about = read_description(folder)
    encoders = registry.encoders()
    exact = f"{about.encoder}@{about.distribution.partition(' ')[0]}"
    name = exact if exact in encoders else about.encoder  # listed so where several distributions provide it
    try:
        plugin = encoders.load(name)
    except UnknownPlugin as error:
        needed = about.distribution or "a distribution that it does not name"
        raise InvalidModel(
            f"{folder} needs encoder {name!r}, which comes with {needed}: install that. {error}"
        ) from None
    state = read_weights(folder, about.weights_sha256)
    built = _built(plugin, about.config, state, device, about.training, encoders.distribution(name))
    return replace(built, details=about.details)


def _built(plugin: EncoderPlugin, config: Config, state: State, device: str, training: str, distribution: str) -> Model:
    """A model of these parts; an encoder that has no use for a device would not notice a wrong one."""
    if device not in DEVICES:
        raise InvalidOption(f"device must be one of {', '.join(DEVICES)}, got {device!r}.")
    encoder = plugin.build(config, state, device)
    return Model(encoder=encoder, plugin=plugin, training=training, distribution=distribution, device=device)


def software() -> dict[str, str]:
    """Versions of what computes the vectors."""
    loaded = [name for name in ("numpy", "torch") if name in sys.modules]
    return {"nwb-neurid": __version__, **{name: version(name) for name in loaded}}


def groups(population: Population, pool_groups: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Rows of each group without the excluded ones, groups in the order of their first unit."""
    rows = np.array([row for row in range(len(population)) if row not in population.excluded], np.int64)
    if pool_groups or population.group is None:
        yield "", rows
        return
    groups = population.group[rows]
    for name in dict.fromkeys(groups.tolist()):
        yield str(name), rows[groups == name]
