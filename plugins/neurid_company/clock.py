"""Spike trains on a common clock in whole milliseconds, from which gaps in the observation are removed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Population

TICK_S = 1e-3
GAP_TICKS = 2500
"""Number of free ticks between two runs. It is larger than any lag at which spikes are counted."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Clock:
    """The spikes of a population.

    Parameters
    ----------
    times_s, run, tick
        Time of each spike in seconds, its run, and its tick of the clock. Spikes are stored unit after unit.
    splits
        The spikes of unit `u` are the spikes from index `splits[u]` up to (not including) `splits[u + 1]`.
    first, ticks
        First tick of each run, and number of its ticks.
    total
        Number of spikes of all units before each tick, followed by the total number.
    observed
        Whether each unit was observed in each run; None if all units were observed in all runs.
    """

    times_s: Float64[np.ndarray, " spikes"]
    run: Int64[np.ndarray, " spikes"]
    tick: Int64[np.ndarray, " spikes"]
    splits: Int64[np.ndarray, " units_and_one"]
    first: Int64[np.ndarray, " runs"]
    ticks: Int64[np.ndarray, " runs"]
    total: Int64[np.ndarray, " ticks_and_one"]
    observed: Bool[np.ndarray, "units runs"] | None

    @classmethod
    def of(cls, population: Population) -> "Clock":
        """Place the spikes of a population on the clock, run by run."""
        partly = population.unit_observed is not None and not population.unit_observed.all()
        runs_s = population.observed_s if partly else population.runs_s()
        spikes = population.spikes
        unit = np.repeat(np.arange(len(population)), spikes.counts())
        run = np.searchsorted(runs_s[:, 0] - EDGE_S, spikes.times_s, side="right") - 1
        inside = run >= 0
        inside[inside] &= spikes.times_s[inside] < runs_s[run[inside], 1] - EDGE_S
        times_s, run, unit = spikes.times_s[inside], run[inside], unit[inside]
        ticks = np.maximum(np.floor((np.diff(runs_s)[:, 0] + EDGE_S) / TICK_S).astype(np.int64), 1)
        first = np.r_[0, np.cumsum(ticks + GAP_TICKS)]
        within = ((times_s - runs_s[run, 0] + EDGE_S) / TICK_S).astype(np.int64)
        tick = first[run] + np.minimum(within, ticks[run] - 1)
        total = np.zeros(int(first[-1]) + 2, np.int64)
        np.cumsum(np.bincount(tick, minlength=len(total) - 1), out=total[1:])
        return cls(
            times_s=times_s,
            run=run,
            tick=tick,
            splits=np.r_[0, np.cumsum(np.bincount(unit, minlength=len(population)))],
            first=first[:-1],
            ticks=ticks,
            total=total,
            observed=population.unit_observed if partly else None,
        )

    def __len__(self) -> int:
        return len(self.splits) - 1

    @property
    def counts(self) -> Int64[np.ndarray, " units"]:
        """Return the number of spikes of each unit."""
        return np.diff(self.splits)

    @property
    def end(self) -> Int64[np.ndarray, " runs"]:
        """Return the tick after the last tick of each run."""
        return self.first + self.ticks

    @property
    def duration_s(self) -> float:
        """Return the observed time of the population, in seconds."""
        return float(self.ticks.sum() * TICK_S)

    def rows(self, unit: int) -> slice:
        """Return the slice of the arrays with the spikes of a unit."""
        return slice(int(self.splits[unit]), int(self.splits[unit + 1]))

    def runs_of(self, unit: int) -> Bool[np.ndarray, " runs"]:
        """Return in which runs a unit was observed."""
        return np.ones(len(self.first), np.bool_) if self.observed is None else self.observed[unit]

    def count(self, unit: int, bin_ticks: int) -> Int64[np.ndarray, " bins"]:
        """Return the spike counts of a unit in the whole bins of the runs in which it was observed."""
        per_run = np.where(self.runs_of(unit), self.ticks // bin_ticks, 0)
        return self._binned(unit, bin_ticks, per_run)

    def count_all(self, bin_ticks: int) -> UInt8[np.ndarray, "units bins"]:
        """Return the spike counts of every unit in the whole bins of all runs. Counts above 255 become 255."""
        per_run = self.ticks // bin_ticks
        counts = np.empty((len(self), int(per_run.sum())), np.uint8)
        for unit in range(len(self)):
            counts[unit] = np.minimum(self._binned(unit, bin_ticks, per_run), 255)
        return counts

    def bins_observed(self, bin_ticks: int) -> Bool[np.ndarray, "units bins"] | None:
        """Return whether each unit was observed in each bin of `count_all`. Return None if all units always were."""
        return None if self.observed is None else np.repeat(self.observed, self.ticks // bin_ticks, axis=1)

    def _binned(self, unit: int, bin_ticks: int, per_run: Int64[np.ndarray, " runs"]) -> Int64[np.ndarray, " bins"]:
        own = self.rows(unit)
        run, tick = self.run[own], self.tick[own]
        within = (tick - self.first[run]) // bin_ticks
        whole = within < per_run[run]
        first = np.cumsum(per_run) - per_run
        return np.bincount((first[run] + within)[whole], minlength=int(per_run.sum()))
