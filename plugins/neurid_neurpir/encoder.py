"""NeurPIR with behaviour through CEBRA."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from neurid_neurpir.cebra_time import SPAN, learn
from neurid_neurpir.config import NetworkConfig
from neurid_neurpir.latents import Latents
from nwb_neurid.contracts import Progress, State, TrainingLog, TrainingOptions, silent
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json
from nwb_neurid.training import TorchEncoder


class CebraFirst:
    """An encoder whose latents are trained first, before the rest of its network.

    If the encoder was trained before, its latents are not trained again, because the rest of the network depends on
    them.

    Parameters
    ----------
    encoder
        The encoder without the training of latents.
    latents
        The latents in its network.
    config
        Config of the network, with the covariates that it uses.
    """

    def __init__(self, encoder: TorchEncoder, latents: Latents, config: NetworkConfig) -> None:
        self._encoder, self._latents, self._config = encoder, latents, config

    @property
    def config(self) -> Mapping[str, Json]:
        """Return the settings from which the plugin rebuilds the encoder."""
        return self._encoder.config

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return self._encoder.dim

    def state(self) -> State:
        """Return the weights, including those of CEBRA."""
        return self._encoder.state()

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """Embed like `TorchEncoder.embed`."""
        return self._encoder.embed(population, progress=progress)

    def fit(
        self, populations: Sequence[Population], options: TrainingOptions, *, progress: Progress = silent
    ) -> TrainingLog:
        """Train the latents, and then everything else. If a training is resumed, the latents are in its checkpoint.

        Raises
        ------
        InvalidOption
            If CEBRA is not installed.
        CannotTrain, WrongWeights
            As for `TorchEncoder.fit`.
        """
        resumed = options.resume and options.checkpoint is not None and options.checkpoint.exists()
        notes: tuple[str, ...] = ()
        if not (resumed or bool(self._latents.learnt.any())):
            notes = self._learn(populations, options, progress)
        log = self._encoder.fit(populations, options, progress=progress)
        return replace(log, notes=(*log.notes, *notes))

    def _learn(
        self, populations: Sequence[Population], options: TrainingOptions, progress: Progress
    ) -> tuple[str, ...]:
        """Train the latents, and return notes."""
        config = self._config
        learnt = learn(
            self._latents,
            populations,
            bin_s=config.step_s,
            roles=config.behaviour,
            masked=config.masked,
            seed=options.seed,
            progress=progress,
        )
        span_s = SPAN * self._latents.stride * config.step_s
        behaviour = ", ".join(config.behaviour)
        unheard = f"CEBRA, since no recording has {span_s:g} s of behaviour without a gap ({behaviour})."
        return () if learnt else (unheard,)
