"""Times of the samples of a TimeSeries in an NWB file."""

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.readers.nwb.contents import Group, invalid
from nwb_neurid.readers.trains import LATEST_S


def sample_times_s(series: Group, samples: Int64[np.ndarray, " samples"]) -> Float64[np.ndarray, " samples"]:
    """Times of some samples (indices ascending), in seconds of the session clock.

    Raises
    ------
    InvalidSource
        If the series has neither timestamps nor a starting time with a rate.
    """
    times = np.full(len(samples), np.nan)
    timestamps, starting_time = series.dataset("timestamps"), series.dataset("starting_time")
    if timestamps is not None and samples[-1] < len(timestamps):
        times = timestamps.column(samples).astype(np.float64)
    elif starting_time is not None and len(start := starting_time.column()) == 1:
        rate_hz = starting_time.attribute("rate") or 0.0
        times = start + samples / rate_hz if rate_hz > 0 else times
    if not np.isfinite(times).all():
        raise invalid(series.where, "must have a timestamp for each sample, or a starting_time with a rate")
    return times


def times_s(series: Group, samples: int) -> Float64[np.ndarray, " samples"]:
    """Times of a given number of samples, in seconds of the session clock.

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
