"""The regular grid of time on which samples lie, and its gaps."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.errors import InvalidSource
from nwb_neurid.intervals import Intervals
from nwb_neurid.readers.trains import LATEST_S

GAP = 1.5
"""A step longer than this many median steps is a gap."""

JITTER = 0.25
"""A step is irregular if it differs from the median step by more than this share of it."""

IRREGULAR = 0.05
"""A series is irregular if more than this share of its steps are irregular."""

RUN_SAMPLES = 4
"""A series is irregular if gaps split it into runs with fewer samples than this on average."""

DRIFT_S = 1.0
"""A series is irregular if its clock deviates from the grid by more than this time and by more than one sample."""

MOST_GAPS = 10
"""A series is irregular if its grid would have more than this many points per sample."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Grid:
    """Positions of the samples of a series on a regular grid of time.

    Parameters
    ----------
    rate_hz
        Grid points per second.
    start_s
        Time of the first grid point, in seconds of the session clock. It is the time of the first sample.
    place
        Grid point of each sample, shape (samples,), ascending from 0. Grid points without a sample are gaps.
    """

    rate_hz: float
    start_s: float
    place: Int64[np.ndarray, " samples"]

    def first(self, samples: int) -> "Grid":
        """Return the grid of the first `samples` samples."""
        return Grid(rate_hz=self.rate_hz, start_s=self.start_s, place=self.place[:samples])

    @property
    def places(self) -> int:
        """Return the number of grid points up to the last sample."""
        return int(self.place[-1]) + 1

    def observed_s(self) -> Intervals:
        """Return the time of the samples, as intervals without gaps."""
        first = np.r_[True, np.diff(self.place) > 1]
        runs = np.column_stack([self.place[first], self.place[np.r_[first[1:], True]] + 1])
        return self.start_s + runs / self.rate_hz

    def agrees(self, other: "Grid") -> bool:
        """Return whether two grids agree to within one sample, over the samples that both grids have."""
        both = min(len(self.place), len(other.place))
        shift = abs(self.start_s - other.start_s) * self.rate_hz
        drift = abs(self.rate_hz / other.rate_hz - 1) * self.place[both - 1]
        return bool(shift < 1 and drift < 1 and np.array_equal(self.place[:both], other.place[:both]))


def fit_grid(times_s: Float64[np.ndarray, " samples"], where: str) -> Grid:
    """Fit a grid with the median step between times. After a gap, samples continue at the nearest grid point.

    Parameters
    ----------
    times_s
        Times of the samples, in seconds of the session clock.
    where
        Name of the times in messages.

    Raises
    ------
    InvalidSource
        If the times do not ascend, or do not lie on a grid.
    """
    if len(times_s) < 2 or not np.all(np.abs(times_s) < LATEST_S) or np.any(np.diff(times_s) <= 0):
        raise InvalidSource(f"{where} must be two or more times in seconds, in ascending order. Validate the file.")
    steps = np.diff(times_s)
    gap = steps > GAP * np.median(steps)
    usual_s = float(steps[~gap].mean())
    if np.mean(np.abs(steps[~gap] / usual_s - 1) > JITTER) > IRREGULAR:
        raise InvalidSource(
            f"{where} are irregular: over {IRREGULAR:.0%} of the steps differ by over {JITTER:.0%} from the usual "
            f"{usual_s:g} s. Resample the series in the file to one rate."
        )
    if (runs := gap.sum() + 1) > 1 and len(times_s) < RUN_SAMPLES * runs:
        raise InvalidSource(
            f"{where} are irregular: {runs - 1} of {len(steps)} steps are gaps, longer than {GAP:g} times the usual "
            f"{usual_s:g} s. Resample the series in the file to one rate."
        )
    place = _places((times_s - times_s[0]) / usual_s, gap)
    if place[-1] >= MOST_GAPS * len(times_s):
        raise InvalidSource(
            f"{where} have gaps of {np.sum(steps[gap] - usual_s):g} s in total around only "
            f"{len(times_s) * usual_s:g} s of samples, too much to fill. Split the series in the file."
        )
    drift_s = np.abs(times_s - times_s[0] - place * usual_s).max()
    if drift_s > max(DRIFT_S, usual_s):
        raise InvalidSource(
            f"{where} are irregular: they drift by {drift_s:g} s from {1 / usual_s:g} samples per second. Resample the "
            "series in the file to one rate."
        )
    return Grid(rate_hz=1 / usual_s, start_s=float(times_s[0]), place=place)


def _places(rough: Float64[np.ndarray, " samples"], gap: np.ndarray) -> Int64[np.ndarray, " samples"]:
    """Round grid positions to whole numbers that increase by one, except over gaps."""
    place = np.zeros(len(rough), np.int64)
    next_place = 0
    for first, stop in pairwise([0, *(np.flatnonzero(gap) + 1).tolist(), len(rough)]):
        start = max(next_place, round(float(rough[first])))
        place[first:stop] = np.arange(start, start + stop - first)
        next_place = start + stop - first
    return place
