"""`Model`: an encoder with its weights, and the folder in which it is saved.

A model folder contains `model.json` (description), `weights.safetensors` (weights, without pickled objects) and
`README.md` (model card). Loading a model never runs code from its folder, because the encoder comes from an installed
plugin.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nwb_neurid import __version__
from nwb_neurid._system.arrays import hash_arrays
from nwb_neurid._system.bars import automatic
from nwb_neurid._system.display import format_html, format_lines, list_some
from nwb_neurid.contracts import Encoder, EncoderPlugin, EncoderSpec, Progress, silent
from nwb_neurid.contracts.attribution import name_plugin
from nwb_neurid.contracts.compatibility import convert_activity, list_problems
from nwb_neurid.errors import CannotEncode
from nwb_neurid.labels.folder import describe_heads, pack_heads
from nwb_neurid.labels.head import LabelHead, choose_head
from nwb_neurid.labels.prediction import MIN_SPIKES, MIN_WINDOWS, Prior, predict
from nwb_neurid.model.folder import (
    Description,
    describe_card,
    write_folder,
)
from nwb_neurid.model.groups import embed_groups
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json, Predictions, Provenance


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """An encoder with its weights, and the label heads that were fitted to its vectors.

    Parameters
    ----------
    encoder
        The encoder, built by its plugin.
    plugin
        The plugin that provides the encoder.
    training
        Description of the training data, in words; "" if the encoder does not learn.
    distribution
        Name and version of the distribution that provides the plugin.
    details
        Facts about the training as numbers, such as the numbers of subjects, sessions, units, hours and steps.
    device
        The device for which the encoder was built: "auto", "cpu" or "cuda".
    heads
        Label heads that were fitted to vectors of the encoder. The keys are the names of the labels.
    weights_sha256
        SHA-256 hash of the weights as safetensors; "" if the encoder has no weights.

    Raises
    ------
    WrongWeights
        If a head was fitted to vectors of another encoder.
    """

    encoder: Encoder
    plugin: EncoderPlugin
    training: str = ""
    distribution: str = ""
    details: Mapping[str, Json] = field(default_factory=dict)
    device: str = "auto"
    heads: Mapping[str, LabelHead] = field(default_factory=dict)
    weights_sha256: str = field(default="", init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights_sha256", hash_arrays(self.encoder.state()))
        for head in self.heads.values():
            head.check_encoder(self.identity)

    def __repr__(self) -> str:
        return format_lines(*self._summarise())

    def _repr_html_(self) -> str:
        return format_html(*self._summarise())

    def _summarise(self) -> tuple[str, dict[str, str]]:
        """Return a title, and facts for the display."""
        spec, title = self.spec, f"Model({self.name!r}, dim {self.encoder.dim})"
        rates = "" if spec.rate_hz is None else f", {spec.rate_hz[0]:g} to {spec.rate_hz[1]:g} Hz"
        return title, {
            "encoder": f"{self.name} {spec.version}, from {self.distribution or 'no distribution'}",
            "takes": f"{', '.join(sorted(spec.accepts))}{rates}, from {spec.min_observed_s:.3g} s",
            "training": self.training or "none needed",
            "weights": f"SHA-256 {self.weights_sha256[:12]}" if self.weights_sha256 else "",
            "device": self.device,
            "labels": list_some(
                [f"{name} ({list_some(head.classes.tolist(), 4)})" for name, head in self.heads.items()], 4
            )
            or "none: nwb_neurid.fit_labels adds them",
        }

    @property
    def spec(self) -> EncoderSpec:
        """The spec of the encoder."""
        return self.plugin.spec_for(self.encoder.config)

    @property
    def name(self) -> str:
        """The name of the encoder."""
        return self.plugin.spec.name

    @property
    def who(self) -> str:
        """Names of the encoder and of the distribution that provides it, for messages."""
        return name_plugin("Encoder", self.name, self.distribution)

    @property
    def identity(self) -> dict[str, Json]:
        """The name, version and config of the encoder, and the hash of its weights.

        A label head can be used only if it was fitted to vectors of an encoder with the same values.
        """
        spec, config = self.plugin.spec, dict(self.encoder.config)
        return {
            "encoder": spec.name,
            "encoder_version": spec.version,
            "config": config,
            "weights_sha256": self.weights_sha256,
        }

    def embed(self, population: Population, *, pool_groups: bool = False, progress: Progress = automatic) -> Embeddings:
        """Compute one vector for each unit. A unit that cannot be embedded gets NaN and a reason.

        Parameters
        ----------
        population
            The units to embed. Fluorescence and deconvolved activity are converted to dF/F if the encoder accepts
            dF/F, but not the original kind of activity.
        pool_groups
            Embed all units as one population. Otherwise each group (probe, imaging plane) is embedded separately.
        progress
            Progress callback, called at every window or unit. By default, progress bars are shown in a notebook.

        Returns
        -------
        Embeddings
            One row per unit, in the order of `population`; vectors of shape (units, dim), float32.

        Raises
        ------
        CannotEncode
            If the encoder cannot embed this population. The message lists all reasons.
        BrokenPlugin
            If the encoder breaks its contract.
        """
        spec = self.spec
        if found := list_problems(population, spec):
            raise CannotEncode(self.name, population.source, found)
        population = convert_activity(population, spec)
        vectors, parts = embed_groups(self.encoder, spec, population, who=self.who, pool=pool_groups, progress=progress)
        return replace(vectors, provenance=self._provenance(population, parts))

    def _provenance(self, population: Population, parts: list[Provenance]) -> Provenance:
        identity: dict[str, Any] = self.identity
        return Provenance(
            **identity,
            training=self.training,
            window_s=max((part.window_s for part in parts), default=0.0),
            stitched=any(part.stitched for part in parts),
            notes=tuple(dict.fromkeys([*population.notes, *(note for part in parts for note in part.notes)])),
            source=Path(population.source).name,
            session_id=population.session_id,
            subject_id=population.subject_id,
            software=list_software(),
            dimensions=parts[0].dimensions if parts else (),
        )

    def predict(
        self,
        embeddings: Embeddings,
        label: str = "",
        *,
        coverage: float | None = None,
        prior: Prior = None,
        smooth: bool = False,
        population: Population | None = None,
        min_spikes: int = MIN_SPIKES,
        min_windows: int = MIN_WINDOWS,
    ) -> Predictions:
        """Predict a label for each unit with a label head of this model.

        The head may abstain from a unit. It then gives a reason.

        Parameters
        ----------
        embeddings
            Vectors of this model.
        label
            Name of the label, such as "cell_type"; "" if the model has only one head.
        coverage
            Share of units, between 0 and 1, whose prediction set should contain the true class. By default, the
            coverage of the head is used.
        prior
            Assumed frequency of each class in this recording: a mapping from class to share or count, or "uniform" for
            equal shares. By default, the shares of the classes in the training data of the head are used.
        smooth
            Average the probabilities of each unit with the probabilities of its nearest units on the same probe, that
            is, of up to five units within 60 µm. This option is only for brain regions.
        population
            The population of the embedded units. It is needed for `min_spikes` and for `smooth`, which uses groups
            and positions. Heads that compare predictions between parts of the recording need it as well.
        min_spikes, min_windows
            The head abstains from units with fewer than `min_spikes` spikes or fewer than `min_windows` windows.
            `min_spikes` has an effect only if `population` contains spikes.

        Returns
        -------
        Predictions
            One row per unit, in the order of `embeddings`.

        Raises
        ------
        InvalidOption
            If there is no head for this label, if `label` is empty although there are several heads, or if an option
            cannot be used.
        WrongWeights
            If the vectors are from another encoder, or from other weights.

        Examples
        --------
        >>> from nwb_neurid import fit_labels
        >>> from nwb_neurid.simulate import simulate
        >>> recordings = [simulate(20, 30.0, animal=animal).population() for animal in range(3)]
        >>> groups = {"RS": "excitatory", "IB": "excitatory", "CH": "excitatory", "*": "inhibitory"}
        >>> model = fit_labels("isi", recordings[:2], label="cell_type", map=groups)
        >>> predictions = model.predict(model.embed(recordings[2]), "cell_type")
        >>> predictions.classes.tolist(), len(predictions)
        (['excitatory', 'inhibitory'], 20)
        """
        return predict(
            choose_head(self.heads, label),
            embeddings,
            coverage=coverage,
            prior=prior,
            smooth=smooth,
            population=population,
            min_spikes=min_spikes,
            min_windows=min_windows,
            embed=partial(self.embed, progress=silent),
        )

    def save(self, folder: str | Path, *, overwrite: bool = False, like: Sequence[str | Path] = ()) -> Path:
        """Write the model into a folder. If writing fails, an existing model is unchanged.

        The files of an existing model are replaced, and all other files in the folder stay.

        Parameters
        ----------
        folder
            The folder to write.
        overwrite
            Replace an existing model.
        like
            The recordings from which the model was made. The folder gets the same limits on read permissions as these
            recordings.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        CannotWrite
            If the folder exists and `overwrite` is False, or the folder cannot be written.
        """
        folder = Path(folder)
        about = self.describe()
        text = describe_card(about, self.spec, self.encoder.dim, describe_heads(self.heads))
        files = pack_heads(self.heads)
        recordings = [Path(path) for path in like]
        write_folder(folder, about, text, self.encoder.state(), overwrite=overwrite, others=files, like=recordings)
        return folder

    def describe(self) -> Description:
        """Describe the model, as in `model.json`.

        Returns
        -------
        Description
            The encoder, its config, its training, the hash of its weights, and versions of software.
        """
        identity: dict[str, Any] = self.identity
        return Description(
            **identity,
            distribution=self.distribution,
            training=self.training,
            details=dict(self.details),
            software=list_software(),
        )


def list_software() -> dict[str, str]:
    """Return the versions of the software that computes the vectors."""
    loaded = [name for name in ("numpy", "torch") if name in sys.modules]
    return {"nwb-neurid": __version__, **{name: version(name) for name in loaded}}
