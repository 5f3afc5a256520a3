"""Autocorrelograms by firing rate ("3D-ACG"): how a neuron's rhythm changes as it fires slower or faster.

A plain autocorrelogram mixes the states of a neuron, and changes when the animal moves more. Taken apart by the firing
rate around each spike, as for cerebellar cell types in Beau et al. 2025, it keeps what is the neuron's own.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.contracts import Config, EncoderPlugin, EncoderSpec, Progress, State, silent
from nwb_neurid.errors import InvalidModel
from nwb_neurid.intervals import EDGE_S, located
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Json, Provenance

LAG_EDGES_S = np.geomspace(1e-3, 0.5, 17) - EDGE_S
AROUND = 5
"""The rate around a spike is that of so many intervals before it and after it."""

Train = Float64[np.ndarray, " spikes"]


class Acg3d:
    """One autocorrelogram for each level of the firing rate, one after another.

    Parameters
    ----------
    levels
        How many levels, each with the same number of spikes.
    min_spikes
        The fewest spikes of a unit that gets a vector.
    """

    def __init__(self, levels: int, min_spikes: int) -> None:
        self._levels, self._min_spikes = levels, min_spikes

    @property
    def config(self) -> Mapping[str, Json]:
        """What rebuilds it."""
        return {"levels": self._levels, "min_spikes": self._min_spikes}

    @property
    def dim(self) -> int:
        """Length of a vector: levels times lags."""
        return self._levels * (len(LAG_EDGES_S) - 1)

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """The autocorrelograms of each unit; a reason for one with too few spikes."""
        resolution_s = population.resolution_s()
        vectors = np.zeros((len(population), self.dim))
        reasons = []
        for unit in progress(range(len(population)), label="autocorrelograms", total=len(population)):
            train_s, runs_s = population.spikes.train_s(unit), population.runs_s(unit)
            enough = len(train_s) >= self._min_spikes
            reasons.append("" if enough else f"{len(train_s)} of the {self._min_spikes} spikes that are needed")
            if enough:
                vectors[unit] = autocorrelograms(train_s, runs_s, self._levels, resolution_s).ravel()
        masked = f"Spike times are exact to {resolution_s * 1e3:g} ms only: finer lags are masked."
        notes = (masked,) if resolution_s > np.diff(LAG_EDGES_S)[0] else ()
        return Embeddings.of(population, vectors, reasons=reasons, provenance=Provenance(notes=notes))

    def state(self) -> State:
        """Nothing is learned."""
        return {}


def autocorrelograms(
    train_s: Train, runs_s: Float64[np.ndarray, "runs 2"], levels: int, resolution_s: float = 0.0
) -> Float64[np.ndarray, "levels lags"]:
    """Spikes beside the spikes of each level of the firing rate, against a Poisson train, as log2(1 + ratio).

    No pair reaches across a gap in the observation, and what lies beyond the end of a run is not expected there.
    """
    run = located(train_s, runs_s)
    level = levels_of(train_s, run, levels)
    lags = len(LAG_EDGES_S) - 1
    found = np.zeros(levels * lags)
    first = np.arange(len(train_s))
    for shift in range(1, len(train_s)):
        first = first[first < len(train_s) - shift]
        lag_s = train_s[first + shift] - train_s[first]
        first = first[(lag_s < LAG_EDGES_S[-1]) & (run[first + shift] == run[first])]
        if len(first) == 0:
            break
        bin_ = np.searchsorted(LAG_EDGES_S, train_s[first + shift] - train_s[first], "right") - 1
        for spike in (first, first + shift):  # the later spike lies after the first one, and the first before it
            seen = bin_ >= 0
            found += np.bincount(level[spike][seen] * lags + bin_[seen], minlength=len(found))
    rate_hz = len(train_s) / np.diff(runs_s).sum()
    expected = np.zeros((levels, lags))
    for room_s in (runs_s[run, 1] - train_s, train_s - runs_s[run, 0]):
        np.add.at(expected, level, rate_hz * np.diff(np.minimum(LAG_EDGES_S, room_s[:, None])))
    ratio = np.log2(1 + (found.reshape(levels, lags) + 1) / (expected + 1))
    return np.where(np.diff(LAG_EDGES_S) < resolution_s, 0, ratio)


def levels_of(train_s: Train, run: Int64[np.ndarray, " spikes"], levels: int) -> Int64[np.ndarray, " spikes"]:
    """Which level of the firing rate each spike is in, from 0, the slowest; each has the same number of spikes."""
    spike = np.arange(len(train_s))
    begins, stops = np.searchsorted(run, run, "left"), np.searchsorted(run, run, "right") - 1
    before, after = np.maximum(spike - AROUND, begins), np.minimum(spike + AROUND, stops)
    mean_s = (train_s[after] - train_s[before]) / np.maximum(after - before, 1)
    mean_s[after == before] = np.inf  # alone in its run
    slowest_first = np.argsort(-np.round(mean_s, 7), kind="stable")  # equal on every clock, so that ties stay ties
    level = np.empty(len(train_s), np.int64)
    level[slowest_first] = spike * levels // len(train_s)
    return level


def build(config: Config, state: State, device: str) -> Acg3d:  # noqa: ARG001 - NumPy has one device
    """The encoder."""
    known = {"levels", "min_spikes"}
    fits = config.keys() == known and all(type(value) is int and value > 0 for value in config.values())
    if not fits or state:
        raise InvalidModel(
            f"Encoder 'acg3d' has the settings {', '.join(sorted(known))}, positive whole numbers, and no weights; "
            f"got {dict(config)} and {sorted(state)}."
        )
    return Acg3d(**config)  # type: ignore[arg-type]


PLUGIN = EncoderPlugin(
    spec=EncoderSpec(
        name="acg3d",
        version="1",
        summary="Autocorrelograms by firing rate, 1 ms to 0.5 s; no learning",
        citation="Beau et al., A deep learning strategy to identify cell types across species from high-density "
        "extracellular recordings, Cell 2025",
        contract=1,
        accepts=frozenset({"spikes"}),
    ),
    build=build,
    presets={"deciles": {"levels": 10, "min_spikes": 100}, "halves": {"levels": 2, "min_spikes": 20}},
)
