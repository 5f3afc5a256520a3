"""The activity of the units of a population: spike trains, or fluorescence traces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nwb_neurid.errors import InvalidPopulation
from nwb_neurid.intervals import EDGE_S, Intervals, bounds, find_intervals

TraceKind: TypeAlias = Literal["dff", "fluorescence", "deconvolved"]
TRACE_KINDS: tuple[TraceKind, ...] = ("dff", "fluorescence", "deconvolved")
"""The kinds of traces. If a source has several kinds, the first kind in this order is chosen."""

ACTIVITIES = frozenset({"spikes", *TRACE_KINDS})

SPIKES_AT_ONCE = 2**16
"""Number of spikes that are processed at a time, so that they fit into the cache of a CPU."""

AnyArray = TypeVar("AnyArray", bound=np.ndarray)


def frozen_view(array: AnyArray) -> AnyArray:
    """Return a read-only view of the same data."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Spikes:
    """Spike trains of units, concatenated in one array.

    Parameters
    ----------
    times_s
        Spike times in seconds of the session clock, shape (spikes,), ascending within a unit.
    splits
        Indices that split the times into trains, shape (units + 1,). The spikes of the unit in row `u` are
        `times_s[splits[u]:splits[u + 1]]`.
    resolution_s
        Resolution of the spike times as stated by the source, in seconds; 0 if the source states none.

    Raises
    ------
    InvalidPopulation
        If the splits do not cover all times, or if times are not finite or not ascending within a unit.

    Examples
    --------
    >>> spikes = Spikes.of([np.array([0.1, 0.4]), np.array([0.2])])
    >>> len(spikes), spikes.train_s(0), spikes.counts()
    (2, array([0.1, 0.4]), array([2, 1]))
    """

    times_s: Float64[np.ndarray, " spikes"]
    splits: Int64[np.ndarray, " units_and_one"]
    resolution_s: float = 0.0

    def __post_init__(self) -> None:
        times, splits = self.times_s, self.splits
        if len(splits) == 0 or splits[0] != 0 or splits[-1] != len(times) or np.any(np.diff(splits) < 0):
            raise InvalidPopulation(
                f"splits must increase from 0 to the number of spikes ({len(times)}), got {splits}."
            )
        if (at := _first_fall(times, splits)) is not None:
            unit = int(np.searchsorted(splits, at, "right")) - 1
            raise InvalidPopulation(
                f"Spike times must be sorted within each unit; in row {unit}, {times[at + 1]} s comes after "
                f"{times[at]} s."
            )
        if not np.isfinite(self._ends()).all():
            raise InvalidPopulation("Spike times must be finite; some are NaN or infinite.")
        object.__setattr__(self, "times_s", frozen_view(times))
        object.__setattr__(self, "splits", frozen_view(splits))

    @classmethod
    def of(cls, trains_s: Sequence[Float64[np.ndarray, " _"]], *, resolution_s: float = 0.0) -> "Spikes":
        """Make spikes from one array for each unit.

        Parameters
        ----------
        trains_s
            Spike times of each unit in seconds of the session clock, ascending.
        resolution_s
            Resolution of the spike times as stated by the source, in seconds; 0 if the source states none.

        Returns
        -------
        Spikes
            The spikes, with the units in the same order.

        Raises
        ------
        InvalidPopulation
            If times are not finite or not ascending within a unit.
        """
        splits = np.zeros(len(trains_s) + 1, np.int64)
        np.cumsum([len(train) for train in trains_s], out=splits[1:])
        times = np.concatenate(trains_s) if len(trains_s) else np.empty(0)
        return cls(times_s=times, splits=splits, resolution_s=resolution_s)

    def __len__(self) -> int:
        return len(self.splits) - 1

    @property
    def kind(self) -> str:
        """The kind of activity, as it is called in `EncoderSpec.accepts`."""
        return "spikes"

    def train_s(self, unit: int) -> Float64[np.ndarray, " train"]:
        """Return the spike times of a unit.

        Parameters
        ----------
        unit
            Row of the unit.

        Returns
        -------
        array
            Spike times in seconds of the session clock, ascending, shape (spikes of the unit,).
        """
        return self.times_s[self.splits[unit] : self.splits[unit + 1]]

    def counts(self) -> Int64[np.ndarray, " units"]:
        """Count the spikes of each unit.

        Returns
        -------
        array
            Number of spikes of each unit, shape (units,).
        """
        return np.diff(self.splits)

    def select(self, rows: Int64[np.ndarray, " rows"]) -> "Spikes":
        """Select units.

        Parameters
        ----------
        rows
            Rows, in the desired order.

        Returns
        -------
        Spikes
            The spikes of these units.
        """
        return Spikes.of([self.train_s(int(row)) for row in rows], resolution_s=self.resolution_s)

    def within(self, intervals_s: Intervals, observed: Bool[np.ndarray, "units intervals"] | None = None) -> "Spikes":
        """Drop spikes outside observed time.

        Parameters
        ----------
        intervals_s
            Observed intervals, shape (intervals, 2), in seconds, ascending and disjoint.
        observed
            Whether each unit was observed in each interval, shape (units, intervals); None if all units were observed
            in all intervals.

        Returns
        -------
        Spikes
            The spikes of each unit within the intervals in which this unit was observed.
        """
        if len(intervals_s) == 1 and observed is None and self._are_within(*intervals_s[0].tolist()):
            return self
        trains = []
        for unit in range(len(self)):
            seen = intervals_s if observed is None else intervals_s[observed[unit]]
            train = self.train_s(unit)
            first, stop = bounds(train, seen).T
            whole = (stop - first).sum() == len(train)  # mostly: no array is made then
            trains.append(train if whole else train[find_intervals(train, seen) >= 0])
        if sum(map(len, trains)) == len(self.times_s):
            return self
        return Spikes.of(trains, resolution_s=self.resolution_s)

    def _are_within(self, start_s: float, stop_s: float) -> bool:
        ends = self._ends()
        return bool(np.all((ends >= start_s - EDGE_S) & (ends < stop_s - EDGE_S)))

    def _ends(self) -> Float64[np.ndarray, " ends"]:
        """Return the first and the last spike of every unit that fired."""
        fired = self.counts() > 0
        return self.times_s[np.r_[self.splits[:-1][fired], self.splits[1:][fired] - 1]]


def _first_fall(times_s: Float64[np.ndarray, " spikes"], splits: Int64[np.ndarray, " units_and_one"]) -> int | None:
    """Find the first spike that is out of order within its unit, or next to NaN. None if there is no such spike."""
    starts = np.arange(0, max(len(times_s) - 1, 0), SPIKES_AT_ONCE)
    lasts = splits[(splits > 0) & (splits < len(times_s))] - 1  # spikes that are the last of their unit
    for start, own in zip(starts.tolist(), np.split(lasts, np.searchsorted(lasts, starts[1:])), strict=False):
        part = times_s[start : start + SPIKES_AT_ONCE + 1]
        rises = part[1:] >= part[:-1]
        rises[own - start] = True
        if not rises.all():
            return start + int(np.argmin(rises))
    return None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Traces:
    """Fluorescence traces. All units are sampled at the same times.

    Parameters
    ----------
    values
        Samples of each unit (ROI), shape (units, samples). NaN where there is no sample.
    rate_hz
        Number of samples (frames) per second.
    start_s
        Time of the first sample in seconds of the session clock.
    kind
        "dff" (dF/F), "fluorescence" (raw or neuropil-corrected) or "deconvolved" (inferred spikes).

    Raises
    ------
    InvalidPopulation
        If the rate is not positive or the start is not finite.

    Examples
    --------
    >>> traces = Traces(values=np.zeros((2, 300), np.float32), rate_hz=30.0)
    >>> len(traces), traces.kind
    (2, 'dff')
    """

    values: Float32[np.ndarray, "units samples"]
    rate_hz: float
    start_s: float = 0.0
    kind: Literal["dff", "fluorescence", "deconvolved"] = "dff"

    def __post_init__(self) -> None:
        if not 0 < self.rate_hz < np.inf:
            raise InvalidPopulation(f"rate_hz must be positive and finite, got {self.rate_hz}.")
        if not np.isfinite(self.start_s):
            raise InvalidPopulation(f"start_s must be finite, got {self.start_s}.")
        object.__setattr__(self, "values", frozen_view(self.values))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def resolution_s(self) -> float:
        """Time between two samples, in seconds."""
        return 1 / self.rate_hz

    def select(self, rows: Int64[np.ndarray, " rows"]) -> "Traces":
        """Select units.

        Parameters
        ----------
        rows
            Rows, in the desired order.

        Returns
        -------
        Traces
            The traces of these units.
        """
        return replace(self, values=self.values[rows])

    def within(
        self,
        intervals_s: Intervals,
        observed: Bool[np.ndarray, "units intervals"] | None = None,  # noqa: ARG002 - as in Spikes
    ) -> "Traces":
        """Drop samples before and after observed time.

        Parameters
        ----------
        intervals_s
            Observed intervals, shape (intervals, 2), in seconds, ascending and disjoint.
        observed
            Not used, because all units share the times of the samples.

        Returns
        -------
        Traces
            The samples from the start of the first interval to the end of the last. Samples between intervals are kept,
            but count as unobserved.
        """
        if len(intervals_s) == 0:
            return replace(self, values=self.values[:, :0])
        edges = np.array([intervals_s[0, 0], intervals_s[-1, 1]]) - EDGE_S - self.start_s
        first, last = np.clip(np.ceil(edges * self.rate_hz).astype(int), 0, self.values.shape[1])
        return replace(self, values=self.values[:, first:last], start_s=self.start_s + first / self.rate_hz)
