"""Effects of the spikes of a unit on other units within milliseconds: excitation, inhibition, common input.

Such effects are visible in pairs of units, but not in sums over the population. After spikes of an inhibitory unit,
some other units fall silent. After spikes of an excitatory unit, some other units fire.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from neurid_company.clock import TICK_S, Clock
from neurid_company.timing import Sample

LAG_EDGES = (1, 3, 6, 10, 19)
GROUPS = len(LAG_EDGES) - 1
REACH = LAG_EDGES[-1]
QUANTILES = np.array([0, 0.03, 0.1, 0.3, 0.7, 0.9, 0.97, 1])
DIM = 3 * GROUPS * (len(QUANTILES) + 1)
MOST_TARGETS = 256
COARSEST_S = 1.5e-3


def choose_targets(clock: Clock, most: int) -> Int64[np.ndarray, " targets"]:
    """Return the rows of the `most` units with the most spikes, in ascending order.

    If units have the same number of spikes, those that fired earlier are used.
    """
    fired = np.flatnonzero(clock.counts > 0)
    when = np.add.reduceat(clock.tick, clock.splits[fired]) if len(fired) else fired
    return np.sort(fired[np.lexsort((when, -clock.counts[fired]))[:most]])


def describe(clock: Clock, resolution_s: float) -> Float64[np.ndarray, "units features"]:
    """Compute quantiles and the mean of the firing of other units after a spike, before it, and of the difference.

    Counts in a group of lags are compared with those of independent trains. The difference is expressed in standard
    deviations, scaled to 2,000 spikes of the unit.
    """
    found = np.full((len(clock), DIM), np.nan)
    targets = choose_targets(clock, MOST_TARGETS)
    if len(clock) < 3 or len(targets) < 3 or resolution_s > COARSEST_S:
        return found
    pool = _Pool(clock, targets)
    for unit in np.flatnonzero(clock.counts >= 10):
        found[unit] = pool.describe(int(unit))
    return found


class _Pool:
    """The spikes of all targets in one train."""

    def __init__(self, clock: Clock, targets: Int64[np.ndarray, " targets"]) -> None:
        self.clock, self.targets = clock, targets
        ticks = np.concatenate([clock.tick[clock.rows(int(unit))] for unit in targets])
        owner = np.repeat(np.arange(len(targets)), clock.counts[targets])
        order = np.argsort(ticks, kind="stable")
        self.ticks, self.owner = ticks[order], owner[order]
        self.group = np.full(2 * REACH + 1, 2 * GROUPS)
        for group, (near, far) in enumerate(pairwise(LAG_EDGES)):
            self.group[REACH + near : REACH + far] = group
            self.group[REACH - far + 1 : REACH - near + 1] = GROUPS + group
        width_s = np.diff(LAG_EDGES) * TICK_S
        self.expected = (clock.counts[targets] / clock.duration_s)[:, None] * np.r_[width_s, width_s]

    def describe(self, unit: int) -> Float64[np.ndarray, " features"]:
        sample = Sample.of(self.clock, unit).ticks
        low = np.searchsorted(self.ticks, sample - REACH + 1)
        number = np.searchsorted(self.ticks, sample + REACH) - low
        near = np.arange(number.sum()) + np.repeat(low - (np.cumsum(number) - number), number)
        group = self.group[self.ticks[near] - np.repeat(sample, number) + REACH]
        places = 2 * GROUPS + 1
        counts = np.bincount(self.owner[near] * places + group, minlength=len(self.targets) * places)
        others = self.targets != unit
        found = counts.reshape(-1, places)[others, : 2 * GROUPS].astype(np.float64)
        expected = len(sample) * self.expected[others]
        change = (found - expected) / np.sqrt(expected + 0.5)
        turn = (found[:, :GROUPS] - found[:, GROUPS:]) / np.sqrt(2 * expected[:, :GROUPS] + 0.5)
        scores = np.concatenate([change, turn], axis=1) / np.sqrt(len(sample) / 2000)
        scores = np.arcsinh(scores)
        return np.r_[np.quantile(scores, QUANTILES, axis=0).ravel(), scores.mean(axis=0)]
