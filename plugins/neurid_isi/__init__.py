"""Spike-train statistics as vectors: the baseline for encoders that learn."""

from collections.abc import Mapping

import numpy as np

from neurid_isi.features import DIM, FINEST_S, NAMES, compute_features
from nwb_neurid.contracts import CONTRACT, Config, EncoderPlugin, EncoderSpec, Progress, State, silent
from nwb_neurid.errors import InvalidModel
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json, Provenance


class IsiEncoder:
    """An encoder of single units: interval histogram, rate, irregularity, burstiness and autocorrelogram."""

    @property
    def config(self) -> Mapping[str, Json]:
        """Return {}, because there are no settings."""
        return {}

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return DIM

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """Compute the statistics of every unit. A unit that was silent or not observed gets a reason instead."""
        resolution_s = population.resolution_s()
        vectors = np.zeros((len(population), DIM))
        reasons = []
        for unit in progress(range(len(population)), label="spike-train statistics", total=len(population)):
            reason = _explain_missing(population, unit)
            reasons.append(reason)
            if not reason:
                train_s, runs_s = population.spikes.train_s(unit), population.runs_s(unit)
                vectors[unit] = compute_features(train_s, runs_s, resolution_s)
        coarse = f"Spike times are exact to {resolution_s * 1e3:g} ms only: finer features are masked."
        notes = (coarse,) if resolution_s > FINEST_S else ()
        return Embeddings.of(population, vectors, reasons=reasons, provenance=Provenance(notes=notes, dimensions=NAMES))

    def state(self) -> State:
        """Return {}, because there are no weights."""
        return {}


def _explain_missing(population: Population, unit: int) -> str:
    """Explain why a unit has no vector."""
    if len(population.runs_s(unit)) == 0:
        return "never observed"
    return "" if len(population.spikes.train_s(unit)) else "no spikes in observed time"


def build(config: Config, state: State, device: str) -> IsiEncoder:  # noqa: ARG001 - NumPy has one device
    """Build the encoder, which has no settings and no weights."""
    if config or state:
        raise InvalidModel(f"Encoder 'isi' has no settings and no weights, got {sorted(config)} and {sorted(state)}.")
    return IsiEncoder()


PLUGIN = EncoderPlugin(
    spec=EncoderSpec(
        name="isi",
        version="1",
        summary="Inter-spike intervals, rate, irregularity, bursts and autocorrelogram; no learning",
        citation="CV2: Holt et al. 1996; local variation: Shinomoto et al. 2003",
        contract=CONTRACT,
        accepts=frozenset({"spikes"}),
        default_for=frozenset({"baseline"}),
    ),
    build=build,
)
