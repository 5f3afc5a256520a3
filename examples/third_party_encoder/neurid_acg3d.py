"""Autocorrelograms by firing rate ("3D-ACG"): how the rhythm of a neuron depends on its firing rate.

An ordinary autocorrelogram averages over the states of a neuron, and changes if the animal moves more. This encoder
groups the spikes by the firing rate around each spike and computes one autocorrelogram for each group, as Beau et al.
(2025) did to classify cerebellar cells.
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
"""Number of intervals before and after a spike from which the firing rate around this spike is computed."""

Train = Float64[np.ndarray, " spikes"]


class Acg3d:
    """Vectors that consist of one autocorrelogram for each level of the firing rate.

    Parameters
    ----------
    levels
        Number of levels. Each level has the same number of spikes.
    min_spikes
        Minimum number of spikes. A unit with fewer spikes gets no vector.
    """

    def __init__(self, levels: int, min_spikes: int) -> None:
        self._levels, self._min_spikes = levels, min_spikes

    @property
    def config(self) -> Mapping[str, Json]:
        """The settings, from which `build` makes the same encoder."""
        return {"levels": self._levels, "min_spikes": self._min_spikes}

    @property
    def dim(self) -> int:
        """Length of a vector: number of levels times number of lags."""
        return self._levels * (len(LAG_EDGES_S) - 1)

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """Compute the autocorrelograms of each unit. A unit with too few spikes gets a reason instead."""
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
        """The weights: none, because this encoder is not trained."""
        return {}


def autocorrelograms(
    train_s: Train, runs_s: Float64[np.ndarray, "runs 2"], levels: int, resolution_s: float = 0.0
) -> Float64[np.ndarray, "levels lags"]:
    """Compute the autocorrelogram at each level of the firing rate, as log2(1 + ratio).

    The ratio is the number of pairs of spikes divided by the number that is expected for a Poisson train. Only pairs
    within one interval of observed time are counted and expected.
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
        for spike in (first, first + shift):  # each pair is counted at the levels of both its spikes
            seen = bin_ >= 0
            found += np.bincount(level[spike][seen] * lags + bin_[seen], minlength=len(found))
    rate_hz = len(train_s) / np.diff(runs_s).sum()
    expected = np.zeros((levels, lags))
    for room_s in (runs_s[run, 1] - train_s, train_s - runs_s[run, 0]):
        np.add.at(expected, level, rate_hz * np.diff(np.minimum(LAG_EDGES_S, room_s[:, None])))
    ratio = np.log2(1 + (found.reshape(levels, lags) + 1) / (expected + 1))
    return np.where(np.diff(LAG_EDGES_S) < resolution_s, 0, ratio)


def levels_of(train_s: Train, run: Int64[np.ndarray, " spikes"], levels: int) -> Int64[np.ndarray, " spikes"]:
    """Assign each spike to a level of the firing rate. Level 0 is the lowest. All levels have equally many spikes."""
    spike = np.arange(len(train_s))
    begins, stops = np.searchsorted(run, run, "left"), np.searchsorted(run, run, "right") - 1
    before, after = np.maximum(spike - AROUND, begins), np.minimum(spike + AROUND, stops)
    mean_s = (train_s[after] - train_s[before]) / np.maximum(after - before, 1)
    mean_s[after == before] = np.inf  # the only spike of its run
    slowest_first = np.argsort(-np.round(mean_s, 7), kind="stable")  # rounded, so that ties do not depend on the clock
    level = np.empty(len(train_s), np.int64)
    level[slowest_first] = spike * levels // len(train_s)
    return level


def build(config: Config, state: State, device: str) -> Acg3d:  # noqa: ARG001 - NumPy has one device
    """Make the encoder from its settings."""
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
