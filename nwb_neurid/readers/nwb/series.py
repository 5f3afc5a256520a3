"""Times of the samples of a TimeSeries in an NWB file."""

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.readers.grid import Grid, fit_grid
from nwb_neurid.readers.nwb.contents import Group, invalid
from nwb_neurid.readers.trains import LATEST_S


def sample_times_s(series: Group, samples: Int64[np.ndarray, " samples"]) -> Float64[np.ndarray, " samples"]:
    """Return the times of some samples (indices in ascending order), in seconds of the session clock.

    Raises
    ------
    InvalidSource
        If the series has neither timestamps nor a starting time with a rate.
    """
    timestamps = series.dataset("timestamps")
    if timestamps is not None and samples[-1] < len(timestamps):
        rows = [timestamps.column(slice(at, at + 1)) for at in samples.tolist()]  # the first and the last sample
        times = np.concatenate(rows).astype(np.float64)
    else:
        start_s, rate_hz = _read_rate(series)
        times = start_s + samples / rate_hz
    if not np.isfinite(times).all():
        raise invalid(series.where, NO_TIMES)
    return times


def times_s(series: Group, samples: int) -> Float64[np.ndarray, " samples"]:
    """Return the times of the first `samples` samples, in seconds of the session clock.

    Raises
    ------
    InvalidSource
        If the series does not state them, or its timestamps do not ascend in seconds.
    """
    if (timestamps := series.dataset("timestamps")) is None:
        return sample_times_s(series, np.arange(samples))
    times = timestamps.column().astype(np.float64)
    if len(times) != samples or not np.all(np.abs(times) < LATEST_S) or np.any(times[1:] < times[:-1]):
        raise invalid(
            timestamps.where, f"must be in seconds and ascending order, one time for each of {samples} samples"
        )
    return times


def read_grid(series: Group, samples: int) -> Grid:
    """Read the grid of a series with a given number of samples, from its timestamps, or its starting time and rate.

    Raises
    ------
    InvalidSource
        If the series has neither timestamps nor a starting time, or if timestamps do not lie on a grid.
    """
    if (timestamps := series.dataset("timestamps")) is not None:
        if len(timestamps) != samples:
            raise invalid(
                timestamps.where, f"must have one time for each of {samples} samples, but has {len(timestamps)}"
            )
        return fit_grid(timestamps.column().astype(np.float64), timestamps.where)
    start_s, rate_hz = _read_rate(series)
    if not abs(start_s) + samples / rate_hz < LATEST_S:
        raise invalid(series.where, NO_TIMES)
    return Grid(rate_hz=rate_hz, start_s=start_s, place=np.arange(samples))


NO_TIMES = "must have a timestamp for each sample, or a starting_time with a rate"


def _read_rate(series: Group) -> tuple[float, float]:
    """Return the starting time and the rate."""
    starting_time = series.dataset("starting_time")
    start = np.empty(0) if starting_time is None else starting_time.column().astype(np.float64)
    rate_hz = 0.0 if starting_time is None else starting_time.attribute("rate") or 0.0
    if len(start) != 1 or not 0 < rate_hz < np.inf:
        raise invalid(series.where, NO_TIMES)
    return float(start[0]), rate_hz
