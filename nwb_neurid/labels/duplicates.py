"""Find rows that may be the same neuron, so that they are not split between training and test.

Duplicates within one recording are found from spikes or traces. In training, they are also never used as negatives of
each other.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.population import Population, Spikes, Traces

if TYPE_CHECKING:
    from scipy.sparse import csr_array

UNIQUE_IDS = ("unique_id", "unique_neuron_id", "unique_cell_id", "neuron_id", "uuid")
"""Columns that identify a neuron across the recordings of an animal."""

OVERLAP_UM = 5.0
"""Two ROIs count as one cell if their centres are closer than this. A cell measures 10 µm or more.

Masks are not compared. If the centres are farther apart, or the size of a pixel is not known, duplicates are only
identified by correlated traces.
"""

COINCIDENCE_S = 5e-4
"""Two spikes this close in time are one event to a spike sorter."""

SHARE = 0.3
"""Two units may be one neuron if this share of the spikes of the unit with fewer spikes coincides with spikes of the
other.
"""

ABOVE_CHANCE = 5.0
"""The number of coincidences must be at least this many times that of independent units."""

CORRELATION = 0.9
"""Two traces with a higher correlation may be one cell, for example a cell that is visible in two planes."""

_SPIKES = 1_000_000  # at most this many spikes from the start are compared, which is enough
_SAMPLES = 20_000
_ELEMENTS = 2**23  # maximum number of correlations or coincidences in memory at once

Pairs: TypeAlias = tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]
"""The two rows of each pair. The lower row comes first."""


def find_neurons(
    populations: Sequence[Population],
    *,
    found: Sequence[Int64[np.ndarray, " _"]] | None = None,
    progress: Progress = silent,
) -> Int64[np.ndarray, " units"]:
    """Find which rows of all recordings may be one neuron.

    Within a recording, two rows count as one neuron if their spikes coincide far above chance, their traces correlate
    above 0.9, or the centres of their ROIs are within `OVERLAP_UM`. Within an animal, they also count as one neuron if
    they share a unique id (a column of `UNIQUE_IDS`). If a row matches two others, all three count as one neuron.

    Parameters
    ----------
    populations
        The recordings, each with its subject.
    found
        Results of an earlier search within each recording, if the activity is no longer available: the index of the
        neuron of each row, the same for rows of one neuron, shape (units,).
    progress
        Progress callback, called at every recording.

    Returns
    -------
    array
        Index of the neuron of each row, the same for rows of one neuron, shape (units,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes = [len(population) for population in populations]
    first = np.cumsum([0, *sizes])
    pairs = [np.empty((0, 2), np.int64)]
    if found is not None:
        for offset, own in zip(first, found, strict=False):
            _, rows, neuron = np.unique(own, return_index=True, return_inverse=True)
            pairs.append(np.column_stack([np.arange(len(own)), rows[neuron]]) + offset)
    else:
        for offset, population in zip(first, progress(populations, label="duplicates", total=len(sizes)), strict=False):
            pairs.append(_find_pairs(population) + offset)
    pairs.append(_find_pairs_by_id(populations, first))
    left, right = np.concatenate(pairs).T
    units = int(first[-1])
    joined = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(units, units))
    return np.asarray(connected_components(joined, directed=False)[1], np.int64)


def _find_pairs(population: Population) -> Int64[np.ndarray, "pairs 2"]:
    """Find pairs of rows of one recording that may be one neuron."""
    activity = population.activity
    values = activity.values if isinstance(activity, Traces) else np.empty((len(population), 0))
    alike = find_twins(population, values)
    found = [np.empty((0, 2), np.int64) if alike is None else np.column_stack(alike.nonzero()).astype(np.int64)]
    if isinstance(activity, Traces) and population.positions_um is not None:
        from scipy.spatial import KDTree

        placed = np.flatnonzero(np.isfinite(population.positions_um).all(axis=1))
        places = population.positions_um[placed].astype(np.float64)
        if len(placed):
            found.append(placed[KDTree(places).query_pairs(OVERLAP_UM, output_type="ndarray")].reshape(-1, 2))
    return np.concatenate(found)


def _find_pairs_by_id(populations: Sequence[Population], first: Int64[np.ndarray, " recordings"]) -> np.ndarray:
    """Find pairs of rows of one animal that have the same id in a column."""
    seen: dict[tuple[str, str, str], int] = {}
    pairs = []
    for offset, population in zip(first, populations, strict=False):
        for column in UNIQUE_IDS:
            for row, name in enumerate(population.labels.get(column, ())):
                if name:
                    place = int(offset) + row
                    pairs.append((seen.setdefault((population.subject_id, column, str(name)), place), place))
    return np.array(pairs, np.int64).reshape(-1, 2)


def find_twins(population: Population, values: Shaped[np.ndarray, "units bins"]) -> "csr_array | None":
    """Find pairs of rows of one recording that may be one neuron, by their activity.

    Parameters
    ----------
    population
        The recording, whose spike times are compared.
    values
        Its samples, which are compared if it has traces.

    Returns
    -------
    csr_array or None
        Symmetric Boolean matrix of the pairs, shape (units, units); None if there is no pair.
    """
    from scipy.sparse import coo_array

    if isinstance(population.activity, Spikes):
        left, right = _find_coincident(population)
    else:
        left, right = _find_correlated(np.asarray(values[:, :: 1 + values.shape[1] // _SAMPLES], np.float32))
    if not len(left):
        return None
    both = (np.r_[left, right], np.r_[right, left])
    return coo_array((np.ones(2 * len(left), np.bool_), both), shape=(len(population),) * 2).tocsr()


def _find_coincident(population: Population) -> Pairs:
    """Find units whose spikes coincide at lag zero far more often than those of independent units would."""
    spikes, units = population.spikes, len(population)
    stop_s = _choose_stop_s(population)
    counts = np.array([np.searchsorted(spikes.train_s(unit), stop_s) for unit in range(units)], np.int64)
    times = np.concatenate([spikes.train_s(unit)[: counts[unit]] for unit in range(units)] or [np.empty(0)])
    order = np.argsort(times, kind="stable")
    left, right, together = _count_coincidences(times[order], np.repeat(np.arange(units), counts)[order], units)
    observed_s = max(np.clip(np.diff(np.minimum(population.observed_s, stop_s)), 0, None).sum(), 2 * COINCIDENCE_S)
    width_s = max(2 * COINCIDENCE_S, population.resolution_s())  # with coarse times, all spikes of a step coincide
    by_chance = counts[left] * counts[right] * (width_s / observed_s)
    sparser = np.minimum(counts[left], counts[right])
    alike = (together >= np.maximum(SHARE * sparser, ABOVE_CHANCE * by_chance)) & (together >= ABOVE_CHANCE)
    return left[alike], right[alike]


def _count_coincidences(
    times_s: Float64[np.ndarray, " spikes"], rows: Int64[np.ndarray, " spikes"], units: int
) -> tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """Count the coincidences of all pairs of units that have any.

    Return the lower row, the higher row, and the count of each pair.
    """
    pairs, together = np.empty(0, np.int64), np.empty(0, np.int64)
    waiting: list[Int64[np.ndarray, " found"]] = []
    step = 1
    while len(near := np.flatnonzero(times_s[step:] - times_s[:-step] <= COINCIDENCE_S)) or waiting:
        one, other = rows[near], rows[near + step]
        apart = one != other
        waiting.append((np.minimum(one, other) * units + np.maximum(one, other))[apart])
        if not len(near) or sum(map(len, waiting)) > _ELEMENTS:
            found, count = np.unique(np.concatenate(waiting), return_counts=True)
            pairs, place = np.unique(np.r_[pairs, found], return_inverse=True)
            together = np.bincount(place, np.r_[together, count], len(pairs)).astype(np.int64)
            waiting = []
        step += 1
    return pairs // units, pairs % units, together


def _choose_stop_s(population: Population) -> float:
    """Choose the time up to which spikes are compared. With many spikes, it is a part of the session."""
    share = min(1.0, _SPIKES / max(len(population.spikes.times_s), 1))
    lengths = np.diff(population.observed_s)[:, 0]
    wanted = share * lengths.sum()
    interval = min(int(np.searchsorted(np.cumsum(lengths), wanted)), len(lengths) - 1)
    before = lengths[:interval].sum()
    return float(population.observed_s[interval, 0] + wanted - before) if len(lengths) else 0.0


def _find_correlated(values: Float32[np.ndarray, "units samples"]) -> Pairs:
    """Find units with correlated traces, in blocks of units.

    Traces with a NaN or without variation are not correlated.
    """
    centred = values - values.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    usable = np.isfinite(norms) & (norms > 0)
    centred /= np.where(usable, norms, 1)
    centred[~usable[:, 0]] = 0
    step = max(1, _ELEMENTS // max(1, len(centred)))
    found = [np.empty((2, 0), np.int64)]
    for start in range(0, len(centred), step):
        block = np.triu(centred[start : start + step] @ centred[start:].T > CORRELATION, k=1)
        found.append(np.array(np.nonzero(block)) + start)
    left, right = np.concatenate(found, axis=1)
    return left, right
