"""Behaviour and stimulus, as `Series` on the session clock."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nwb_neurid.activity import frozen_view
from nwb_neurid.errors import InvalidPopulation
from nwb_neurid.intervals import EDGE_S, bounds

GAP_STEPS = 3.0
"""If two samples are more than this many median steps apart, the time between them counts as not observed."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Series:
    """One covariate: continuous samples, events, or one value for each interval.

    Parameters
    ----------
    values
        Values of the series, shape (samples, channels). In a continuous series, a row contains one sample, with NaN for
        missing values. In a series of events, a row contains the number of events in each channel at one time. In a
        series of intervals, a row contains the values in one interval, with NaN for unknown values.
    times_s
        Times of the samples or events, or start times of the intervals, in seconds of the session clock, shape
        (samples,), ascending.
    stops_s
        Ends of the intervals, in seconds, shape (samples,). Intervals must not overlap. None for samples and events.
    kind
        "continuous", "events" or "intervals".
    unit
        Unit of the values, as stated in the source.
    channels
        Names of the channels; () if they have none. Each category of a categorical variable is a channel with the
        values 0 and 1.

    Raises
    ------
    InvalidPopulation
        If the parts contradict one another, or times are not finite or do not ascend.

    Examples
    --------
    >>> speed = Series(values=np.float32([[1.0], [3.0], [5.0], [7.0]]), times_s=np.arange(4.0), unit="cm/s")
    >>> speed
    Series(continuous, 4 rows, 1 channels)
    >>> speed.binned(np.array([0.0, 2.0]), 2.0).ravel()
    array([2., 6.], dtype=float32)
    """

    values: Float32[np.ndarray, "samples channels"]
    times_s: Float64[np.ndarray, " samples"]
    stops_s: Float64[np.ndarray, " samples"] | None = None
    kind: Literal["continuous", "events", "intervals"] = "continuous"
    unit: str = ""
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_shapes()
        times, stops = self.times_s, self.stops_s
        if not np.isfinite(times).all() or np.any(times[1:] < times[:-1]):
            raise InvalidPopulation("times_s of a series must be finite and in ascending order.")
        if stops is not None and not (
            np.isfinite(stops).all() and np.all(stops > times) and np.all(times[1:] >= stops[:-1] - EDGE_S)
        ):
            raise InvalidPopulation("stops_s must be finite, each after its start and none after the next start.")
        for name in ("values", "times_s", "stops_s"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen_view(array))

    def _check_shapes(self) -> None:
        if self.kind not in {"continuous", "events", "intervals"}:
            raise InvalidPopulation(f"kind must be 'continuous', 'events' or 'intervals', got {self.kind!r}.")
        if (self.kind == "intervals") != (self.stops_s is not None):
            raise InvalidPopulation(
                f"Intervals must have stops_s, and other kinds must not; the kind is {self.kind!r}."
            )
        if self.values.ndim != 2:
            raise InvalidPopulation(f"values must have shape (samples, channels), got {self.values.shape}.")
        for name, times in (("times_s", self.times_s), ("stops_s", self.stops_s)):
            if times is not None and times.shape != self.values.shape[:1]:
                raise InvalidPopulation(
                    f"{name} must have one time for each of {len(self.values)} rows of values, got shape {times.shape}."
                )
        if self.channels and len(self.channels) != self.values.shape[1]:
            raise InvalidPopulation(
                f"channels must name each of {self.values.shape[1]} channels, got {len(self.channels)} names."
            )

    @classmethod
    def of_events(cls, times_s: Float64[np.ndarray, " events"]) -> "Series":
        """Make a series of events of one channel.

        Parameters
        ----------
        times_s
            Times of the events, in seconds of the session clock, shape (events,), ascending.

        Returns
        -------
        Series
            A series with one event at each time.
        """
        return cls(values=np.ones((len(times_s), 1), np.float32), times_s=times_s, kind="events")

    def __len__(self) -> int:
        return len(self.times_s)

    def __repr__(self) -> str:
        return f"Series({self.kind}, {len(self)} rows, {self.values.shape[1]} channels)"

    @property
    def step_s(self) -> float:
        """Median time from one sample to the next, in seconds; NaN if there are fewer than two samples."""
        return float(np.median(np.diff(self.times_s))) if len(self) > 1 else np.nan

    def binned(self, starts_s: Float64[np.ndarray, " bins"], bin_s: float) -> Float32[np.ndarray, "bins channels"]:
        """Bin the series.

        For a continuous series, the value of a bin is the mean of the samples in it. If the sampling is coarser than
        the bins, a bin may contain no sample. Its value is then interpolated linearly at the bin centre, unless there
        is a gap between the neighbouring samples. For a series of events, the value of a bin is the number of events.
        For a series of intervals, it is the value at the bin centre. Bins in which nothing was observed are NaN. In a
        series of events, they are 0.

        Parameters
        ----------
        starts_s
            Starts of the bins, in seconds of the session clock, in any order, as returned by
            `Population.bin_starts_s`.
        bin_s
            Width of the bins, in seconds.

        Returns
        -------
        array
            Value of each bin, shape (bins, channels), float32.

        Raises
        ------
        InvalidPopulation
            If `bin_s` is not positive.
        """
        if not bin_s > 0:
            raise InvalidPopulation(f"bin_s must be positive, got {bin_s}.")
        if self.stops_s is not None:
            return self._held(starts_s + bin_s / 2, self.stops_s)
        ends = bounds(self.times_s, np.column_stack([starts_s, starts_s + bin_s]))
        if self.kind == "events":
            return _sums(self.values, ends).astype(np.float32)
        known = ~np.isnan(self.values)
        count = np.diff(ends) if known.all() else _sums(known, ends)
        means = np.full((len(ends), self.values.shape[1]), np.nan, np.float32)
        np.divide(_sums(self.values, ends, known), count, out=means, where=count > 0, casting="same_kind")
        empty = np.flatnonzero(ends[:, 0] == ends[:, 1])
        if len(empty):
            means[empty] = self._between(starts_s[empty] + bin_s / 2, ends[empty, 0])
        return means

    def _held(
        self, moments_s: Float64[np.ndarray, " bins"], stops_s: Float64[np.ndarray, " samples"]
    ) -> Float32[np.ndarray, "bins channels"]:
        """Return the values of the intervals that contain these times."""
        row = np.searchsorted(self.times_s - EDGE_S, moments_s, "right") - 1
        held = np.full((len(moments_s), self.values.shape[1]), np.nan, np.float32)
        inside = row >= 0
        inside[inside] = moments_s[inside] < stops_s[row[inside]] - EDGE_S
        held[inside] = self.values[row[inside]]
        return held

    def _between(
        self, moments_s: Float64[np.ndarray, " bins"], after: Int64[np.ndarray, " bins"]
    ) -> Float32[np.ndarray, "bins channels"]:
        """Interpolate at times between two samples, of which `after` is the later one. NaN in gaps and outside."""
        found = np.full((len(moments_s), self.values.shape[1]), np.nan, np.float32)
        within = np.flatnonzero((after > 0) & (after < len(self)))
        right = after[within]
        left = right - 1
        step = self.times_s[right] - self.times_s[left]
        near = step <= GAP_STEPS * self.step_s + EDGE_S
        within, left, right, step = within[near], left[near], right[near], step[near]
        share = np.clip((moments_s[within] - self.times_s[left]) / step, 0, 1)[:, None].astype(np.float32)
        found[within] = self.values[left] * (1 - share) + self.values[right] * share
        return found


def _sums(
    values: Float32[np.ndarray, "samples channels"] | Bool[np.ndarray, "samples channels"],
    ends: Int64[np.ndarray, "bins 2"],
    where: Bool[np.ndarray, "samples channels"] | None = None,
) -> Float64[np.ndarray, "bins channels"]:
    """Sum the rows in each range of `ends`. With `where`, only values at which it is true are summed."""
    if len(ends) == 0 or len(values) == 0:
        return np.zeros((len(ends), values.shape[1]))
    low, high = int(ends.min()), int(ends.max())
    padded = np.zeros((high - low + 1, values.shape[1]))  # `reduceat` takes no index behind the last row
    np.copyto(padded[:-1], values[low:high], where=True if where is None else where[low:high])
    sums = np.add.reduceat(padded, (ends - low).ravel(), axis=0)[::2]
    sums[ends[:, 0] == ends[:, 1]] = 0
    return sums
