"""Neighbours of a unit over which probabilities are averaged: the nearest units on the same probe."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64, Shaped

from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population
from nwb_neurid.vocabulary import ALIASES

NEAREST = 5
REACH_UM = 60.0
REGION_LABELS = tuple(ALIASES["brain_region"])
"""Labels that neighbouring units share. Regions are shared by neighbours, but cell types are mixed at every depth."""


def check_smoothable(label_name: str) -> None:
    """Check that a label can be averaged over neighbours.

    Raises
    ------
    InvalidOption
        If the label is not a brain region.
    """
    if label_name not in REGION_LABELS:
        raise InvalidOption(
            f"--smooth averages over neighbours, which share a region but not a {label_name}. Leave it out, or "
            f"choose a label that they share (--label): {', '.join(REGION_LABELS)}."
        )


def find_neighbours(population: Population) -> Int64[np.ndarray, "units nearest"]:
    """Find up to five nearest units within 60 µm on the same probe.

    Returns
    -------
    array
        For each unit, its row and those of its neighbours, shape (units, 6), -1 if there are fewer.

    Raises
    ------
    InvalidOption
        If group or positions of the units are not known.
    """
    group, positions_um = population.group, population.positions_um
    if group is None or positions_um is None or np.isnan(positions_um).all():
        missing = "group (probe)" if group is None else "positions"
        raise InvalidOption(
            f"--smooth averages over neighbouring units on a probe, but the {missing} of the units of "
            f"{population.source or 'this population'} are not known. Leave it out."
        )
    return find_nearest_rows(group, positions_um)


def find_nearest_rows(
    group: Shaped[np.ndarray, " units"], positions_um: Float[np.ndarray, "units 3"]
) -> Int64[np.ndarray, "units nearest"]:
    """Find neighbours like `find_neighbours`. The only neighbour of a unit without a position is the unit itself."""
    from scipy.spatial import KDTree

    found = np.full((len(group), NEAREST + 1), -1, np.int64)
    found[:, 0] = np.arange(len(group))
    placed = np.isfinite(positions_um).all(axis=1)
    for name in dict.fromkeys(group.tolist()):
        rows = np.flatnonzero(placed & (group == name))
        if len(rows) < 2:
            continue
        places = positions_um[rows].astype(np.float64)
        count = min(len(rows), NEAREST + 1)
        distance, near = KDTree(places).query(places, k=count, distance_upper_bound=REACH_UM * (1 + 1e-9))
        for row, own, far in zip(rows, near, distance, strict=True):
            others = [rows[at] for at, um in zip(own, far, strict=True) if np.isfinite(um) and rows[at] != row]
            found[row, 1 : 1 + len(others[:NEAREST])] = others[:NEAREST]
    return found


def stack_rows(found: Sequence[Int64[np.ndarray, "_ nearest"]]) -> Int64[np.ndarray, "units nearest"]:
    """Stack the neighbours of the units of several recordings, as rows of all units together."""
    first = np.cumsum([0, *map(len, found)])
    return np.concatenate([np.where(rows >= 0, rows + at, -1) for rows, at in zip(found, first, strict=False)])
