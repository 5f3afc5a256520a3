"""Synapses: their targets and weights."""

import numpy as np
from jaxtyping import Float64, Int64

FANOUT = 10
"""Minimum number of synapses of a neuron. In large populations, the number is a tenth of the neurons."""


def draw_synapses(
    rng: np.random.Generator,
    region: Int64[np.ndarray, " units"],
    local: Float64[np.ndarray, " regions"],
    strength: Float64[np.ndarray, " units"],
) -> tuple[Int64[np.ndarray, "units fanout"], Float64[np.ndarray, "units fanout"]]:
    """Draw targets and weights of every neuron.

    Parameters
    ----------
    rng
        Random generator.
    region
        Region of each neuron, shape (units,).
    local
        For each region, the share of synapses of its neurons that stay in the region, shape (regions,). The other
        synapses go to any region.
    strength
        Sum of the weights of each neuron, shape (units,). It is fixed, so that rates do not depend on the number of
        neurons.

    Returns
    -------
    tuple
        Rows of the targets, never the neuron itself, and their weights.
    """
    units = len(region)
    fanout = max(FANOUT, units // 10)
    shape = (units, min(fanout, units - 1))
    targets = np.empty(shape, np.int64)
    for index, part in enumerate(local):
        members = np.flatnonzero(region == index)
        if part == 1 or len(members) > 1:
            targets[members] = members[_draw_others(rng, np.arange(len(members)), len(members), shape[1])]
        if part < 1:
            far = (rng.random((len(members), shape[1])) >= part) | (len(members) < 2)
            targets[members] = np.where(far, _draw_others(rng, members, units, shape[1]), targets[members])
    weights = rng.exponential(size=shape) * (strength / fanout)[:, None]
    return targets, weights


def _draw_others(
    rng: np.random.Generator, own: Int64[np.ndarray, " members"], count: int, fanout: int
) -> Int64[np.ndarray, "members fanout"]:
    """Draw some of `count` places for each neuron, without the place of the neuron itself."""
    places = rng.integers(max(1, count - 1), size=(len(own), fanout))
    places += places >= own[:, None]
    return places
