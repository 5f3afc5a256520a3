"""Segments of sorted spikes, and the spike train of each unit, which is made from them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Integer, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.activity import Spikes
from nwb_neurid.errors import InvalidPopulation, InvalidSource
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.readers.clock import check_one_clock, check_resolution

LATEST_S = 2.0**32
"""136 years. No clock reaches this time in seconds, but times in samples or nanoseconds do. The resolution of float64
is still 1 µs here.
"""

SPIKES_AT_ONCE, PER_UNIT_AT_ONCE = 2**19, 2**9
"""Number of spikes that are moved at a time, and its minimum for each unit."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Segment:
    """Spikes of a segment of a recording, which may have its own clock.

    Parameters
    ----------
    times
        Spike times in any order, in seconds or in the unit that `to_s` converts, shape (spikes,).
    rows
        The row of the unit that fired each spike, shape (spikes,).
    observed_s
        Start and end of the observation. The shape is (units, 2) if they are stated for each unit, with NaN for units
        that were not observed. It is (1, 2) if they are the same for all units. None if they are not stated.
    clock_start_s
        Start of the clock, if `observed_s` is not stated.
    to_s
        Function that converts times to seconds. It is applied to parts of the times, so that the times in both units
        are never in memory at once.
    """

    times: Shaped[np.ndarray, " spikes"]
    rows: Integer[np.ndarray, " spikes"]
    observed_s: Float64[np.ndarray, "units_or_one 2"] | None = None
    clock_start_s: float = 0.0
    to_s: Callable[[Any], Any] = np.asarray

    def __len__(self) -> int:
        return len(self.times)

    @property
    def is_guessed(self) -> bool:
        """Return whether observed time is estimated from the spikes."""
        return self.observed_s is None and len(self) > 0

    @cached_property
    def extent_s(self) -> Float64[np.ndarray, " 2"]:
        """Return the times of the first and the last spike, or NaN if any time is NaN. The segment must have spikes."""
        ends = np.array([[times.min(), times.max()] for times, _ in self.blocks_s(SPIKES_AT_ONCE)])
        return np.array([ends[:, 0].min(), ends[:, 1].max()])

    def blocks_s(self, at_once: int) -> Iterator[tuple[Float64[np.ndarray, " block"], Integer[np.ndarray, " block"]]]:
        """Iterate over blocks of spikes: times in seconds, and rows."""
        for at in range(0, len(self), at_once):
            yield self.to_s(self.times[at : at + at_once]), self.rows[at : at + at_once]

    def intervals_s(self) -> Float64[np.ndarray, "units_or_one 2"]:
        """Return `observed_s`, or otherwise the time from the first spike to the last."""
        if self.observed_s is not None:
            return self.observed_s
        if len(self) == 0:
            return np.zeros((1, 2))
        return self.extent_s[None] + [0, 2 * EDGE_S]

    def span_s(self) -> Float64[np.ndarray, " 2"]:
        """Return the start and end of the observation of any unit, or (0, 0) if there is none.

        If observed time is taken from the spikes, it starts with the clock.
        """
        intervals = self.intervals_s()
        lasted = intervals[intervals[:, 1] > intervals[:, 0] + EDGE_S]
        if len(lasted) == 0:
            return np.zeros(2)
        start = min(self.clock_start_s, lasted[0, 0]) if self.is_guessed else lasted[:, 0].min()
        return np.array([start, lasted[:, 1].max()])


def spikes_of(
    segments: Sequence[tuple[Segment, float]],
    source: str,
    unit_ids: Shaped[np.ndarray, " units"],
    resolution_s: float,
) -> Spikes:
    """Join the spike trains of all units over segments in the order of time. Each segment has a clock offset.

    Raises
    ------
    InvalidSource
        For the same reasons as in `check_times`, and if the clock restarts.

    Warns
    -----
    NeuridWarning
        If spikes had to be sorted.
    """
    times, splits = _by_unit(segments, len(unit_ids))
    parts = [segment for segment, _ in segments]
    return sort_spikes(
        times, splits, resolution_s, f"{source}: spike times", lambda: check_segments(parts, source, unit_ids)
    )


def sort_spikes(
    times_s: Float64[np.ndarray, " spikes"],
    splits: Int64[np.ndarray, " units_and_one"],
    resolution_s: float,
    where: str,
    check: Callable[[], None],
) -> Spikes:
    """Make spike trains of times that lie unit after unit. Trains that are not in ascending order are sorted.

    Parameters
    ----------
    times_s
        Spike times in seconds.
    splits
        Index at which each unit begins, and index at which the last unit ends.
    resolution_s
        Resolution that the source states, in seconds; 0 for none.
    where
        Name of the spike times in messages.
    check
        Function that raises an error about an invalid time. It checks all times, and is called only if a time is
        invalid.

    Raises
    ------
    InvalidSource
        If times are invalid, or the clock restarts.

    Warns
    -----
    NeuridWarning
        If spikes had to be sorted, or contradict the resolution.
    """
    try:
        spikes = Spikes(times_s=times_s, splits=splits, resolution_s=resolution_s)
    except InvalidPopulation:
        check()
        check_one_clock(times_s, splits, where)
        trains = np.split(times_s, splits[1:-1])
        unsorted = sum(bool(np.any(np.diff(train) < 0)) for train in trains)
        warn(f"{where} were not in ascending order in {unsorted} of {len(trains)} units, and were sorted.")
        spikes = Spikes.of([np.sort(train) for train in trains], resolution_s=resolution_s)
    if len(times_s) and not lie_at_a_time(np.array(extent_s(spikes))):
        check()
    believed = check_resolution(spikes, resolution_s, where)
    return spikes if believed == resolution_s else replace(spikes, resolution_s=believed)


def extent_s(spikes: Spikes) -> tuple[float, float]:
    """Return the times of the first and the last spike of all segments, in seconds. There must be a spike."""
    fired = spikes.counts() > 0
    first, last = spikes.splits[:-1][fired], spikes.splits[1:][fired] - 1
    return float(spikes.times_s[first].min()), float(spikes.times_s[last].max())


def _by_unit(
    segments: Sequence[tuple[Segment, float]], units: int
) -> tuple[Float64[np.ndarray, " spikes"], Int64[np.ndarray, " units_and_one"]]:
    """Group the times by unit, in their original order, and return them with the index at which each unit begins.

    Spikes are processed in blocks, so that only the result needs memory for all spikes. Memory access is the slowest
    part.
    """
    at_once = max(SPIKES_AT_ONCE, units * PER_UNIT_AT_ONCE)
    splits = np.zeros(units + 1, np.int64)
    for segment, _ in segments:
        for at in range(0, len(segment), at_once):
            splits[1:] += np.bincount(segment.rows[at : at + at_once], minlength=units)
    splits = np.cumsum(splits)
    times, filled = np.empty(splits[-1]), splits[:-1].tolist()
    for segment, shift_s in segments:
        for times_s, rows in segment.blocks_s(at_once):
            own, starts = _block_by_unit(times_s + shift_s if shift_s else times_s, rows, units)
            for unit, (start, stop) in enumerate(pairwise(starts.tolist())):
                to = filled[unit] + stop - start
                times[filled[unit] : to] = own[start:stop]
                filled[unit] = to
    return times, splits


def _block_by_unit(
    times_s: Float64[np.ndarray, " spikes"], rows: Integer[np.ndarray, " spikes"], units: int
) -> tuple[Float64[np.ndarray, " spikes"], Integer[np.ndarray, " units_and_one"]]:
    """Like `_by_unit`, for one block of spikes.

    SciPy converts rows of a sparse matrix to columns by counting, which takes a quarter of the time of sorting.
    """
    from scipy.sparse import csr_array

    ends = np.arange(len(times_s) + 1, dtype=np.int32)
    by_unit = csr_array((times_s, rows.astype(np.int32), ends), shape=(len(times_s), units)).tocsc()
    return by_unit.data, by_unit.indptr


def check_segments(segments: Sequence[Segment], source: str, unit_ids: Shaped[np.ndarray, " units"]) -> None:
    """Refuse segments with invalid spike times. Raises the same error as `check_times`."""
    for segment in segments:
        times_s, rows = segment.to_s(segment.times), segment.rows
        check_times(times_s, f"{source}: spike times", lambda at, rows=rows: f"of unit {unit_ids[rows[at]]}")  # type: ignore[misc]


def check_times(times_s: Float64[np.ndarray, " spikes"], where: str, name_unit: Callable[[int], str]) -> None:
    """Refuse spike times that are not valid times.

    Raises
    ------
    InvalidSource
        If a spike time is NaN, infinite, or more than 136 years from 0. `name_unit` returns the unit of the spike at an
        index, for the message.
    """
    wrong = np.flatnonzero(~(np.abs(times_s) < LATEST_S))
    if len(wrong):
        raise InvalidSource(
            f"{where} must be finite seconds, {len(wrong)} of {len(times_s)} are not, the first "
            f"{name_unit(int(wrong[0]))}: {times_s[wrong[0]]} s. Correct them."
        )


def lie_at_a_time(times_s: Float64[np.ndarray, "..."]) -> bool:
    """Return whether all times are valid."""
    return bool(np.all(np.abs(times_s) < LATEST_S))
