"""Rows that may be one neuron, so that none of them is trained on while another is tested."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.population import Population, Traces
from nwb_neurid.training.twins import twins

UNIQUE_IDS = ("unique_id", "unique_neuron_id", "unique_cell_id", "neuron_id", "uuid")
"""Columns that name a neuron across the recordings of an animal."""

OVERLAP_UM = 5.0
"""Centres of two ROIs that lie closer than this are taken for one cell, which measures 10 µm and more.

A population holds no masks, so that their overlap itself is not known: where centres lie farther apart, or have no
positions because the size of a pixel is not known, only correlated traces tell.
"""


def neurons_of(populations: Sequence[Population], *, progress: Progress = silent) -> Int64[np.ndarray, " units"]:
    """Which neuron each row of all recordings is.

    Two rows are one neuron if, within a recording, their spikes coincide far above chance, their traces correlate
    above 0.9 or the centres of their ROIs lie within `OVERLAP_UM`, or if, within an animal, they share a unique id (a
    column of `UNIQUE_IDS`). What is one neuron with a third is one neuron.

    Parameters
    ----------
    populations
        The recordings, each with its subject.
    progress
        Told of every recording.

    Returns
    -------
    array
        A number for each row, the same for rows of one neuron, shape (units,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes = [len(population) for population in populations]
    first = np.cumsum([0, *sizes])
    pairs = [np.empty((0, 2), np.int64)]
    for offset, population in zip(first, progress(populations, label="duplicates", total=len(sizes)), strict=False):
        pairs.append(_one_neuron(population) + offset)
    pairs.append(_of_one_id(populations, first))
    left, right = np.concatenate(pairs).T
    units = int(first[-1])
    joined = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(units, units))
    return np.asarray(connected_components(joined, directed=False)[1], np.int64)


def _one_neuron(population: Population) -> Int64[np.ndarray, "pairs 2"]:
    """Pairs of rows of one recording."""
    activity = population.activity
    values = activity.values if isinstance(activity, Traces) else np.empty((len(population), 0))
    alike = twins(population, values)
    found = [np.empty((0, 2), np.int64) if alike is None else np.argwhere(alike)]
    if isinstance(activity, Traces) and population.positions_um is not None:
        from scipy.spatial import KDTree

        placed = np.flatnonzero(np.isfinite(population.positions_um).all(axis=1))
        places = population.positions_um[placed].astype(np.float64)
        if len(placed):
            found.append(placed[KDTree(places).query_pairs(OVERLAP_UM, output_type="ndarray")].reshape(-1, 2))
    return np.concatenate(found)


def _of_one_id(populations: Sequence[Population], first: Int64[np.ndarray, " recordings"]) -> np.ndarray:
    """Pairs of rows of one animal that a column calls by one name."""
    seen: dict[tuple[str, str, str], int] = {}
    pairs = []
    for offset, population in zip(first, populations, strict=False):
        for column in UNIQUE_IDS:
            for row, name in enumerate(population.labels.get(column, ())):
                if name:
                    place = int(offset) + row
                    pairs.append((seen.setdefault((population.subject_id, column, str(name)), place), place))
    return np.array(pairs, np.int64).reshape(-1, 2)
