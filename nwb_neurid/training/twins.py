"""Pairs of rows that may be one neuron recorded twice, which are no negatives of one another."""

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from nwb_neurid.population import Population, Spikes

COINCIDENCE_S = 5e-4
"""Two spikes this close are one event to a spike sorter."""

SHARE = 0.3
"""Share of the spikes of the sparser unit that coincide with the other's, from which on the two may be one."""

ABOVE_CHANCE = 5.0
"""How many times the coincidences of independent units there must be at least."""

CORRELATION = 0.9
"""Correlation of two traces from which on they may be one cell, as where a cell is seen in two planes."""

_SPIKES = 1_000_000  # the first ones; enough to tell
_SAMPLES = 20_000


def twins(population: Population, values: Shaped[np.ndarray, "units bins"]) -> Bool[np.ndarray, "units units"] | None:
    """Which pairs of rows may be one neuron; None where none does.

    Parameters
    ----------
    population
        Whose spike times tell it.
    values
        Its bins, by which traces are compared.
    """
    if isinstance(population.activity, Spikes):
        found = _coincident(population)
    else:
        found = _correlated(np.asarray(values[:, :: 1 + values.shape[1] // _SAMPLES], np.float32))
    np.fill_diagonal(found, val=False)
    return found if found.any() else None


def _coincident(population: Population) -> Bool[np.ndarray, "units units"]:
    """Units whose spikes fall together at lag zero far more often than those of independent units would."""
    spikes, units = population.spikes, len(population)
    stop_s = _stop_s(population)
    counts = np.array([np.searchsorted(spikes.train_s(unit), stop_s) for unit in range(units)], np.int64)
    times = np.concatenate([spikes.train_s(unit)[: counts[unit]] for unit in range(units)] or [np.empty(0)])
    order = np.argsort(times, kind="stable")
    times, rows = times[order], np.repeat(np.arange(units), counts)[order]
    together = np.zeros(units * units, np.int64)
    step = 1
    while len(near := np.flatnonzero(times[step:] - times[:-step] <= COINCIDENCE_S)):
        together += np.bincount(rows[near] * units + rows[near + step], minlength=units * units)
        step += 1
    pairs = together.reshape(units, units)
    pairs = pairs + pairs.T
    observed_s = max(np.clip(np.diff(np.minimum(population.observed_s, stop_s)), 0, None).sum(), 2 * COINCIDENCE_S)
    width_s = max(2 * COINCIDENCE_S, population.resolution_s())  # on a coarse grid, all spikes of a step coincide
    by_chance = np.outer(counts, counts) * (width_s / observed_s)
    sparser = np.minimum(counts[:, None], counts)
    return (pairs >= np.maximum(SHARE * sparser, ABOVE_CHANCE * by_chance)) & (pairs >= ABOVE_CHANCE)


def _stop_s(population: Population) -> float:
    """Until when to look: a part of the session in proportion, where there are many spikes."""
    share = min(1.0, _SPIKES / max(len(population.spikes.times_s), 1))
    lengths = np.diff(population.observed_s)[:, 0]
    wanted = share * lengths.sum()
    interval = min(int(np.searchsorted(np.cumsum(lengths), wanted)), len(lengths) - 1)
    before = lengths[:interval].sum()
    return float(population.observed_s[interval, 0] + wanted - before) if len(lengths) else 0.0


def _correlated(values: Float32[np.ndarray, "units samples"]) -> Bool[np.ndarray, "units units"]:
    """Units whose traces go together; those with a NaN or without variation are left alone."""
    centred = values - values.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    usable = np.isfinite(norms) & (norms > 0)
    centred = np.where(usable, centred / np.where(usable, norms, 1), 0)
    return np.asarray(centred @ centred.T > CORRELATION)
