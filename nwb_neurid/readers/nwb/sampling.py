"""The regular grid of time on which the samples of a series of NWB lie."""

import numpy as np

from nwb_neurid.readers.grid import Grid, fit_grid
from nwb_neurid.readers.nwb.contents import Group, invalid
from nwb_neurid.readers.trains import LATEST_S


def read_grid(series: Group, samples: int) -> Grid:
    """Read the grid of a series with a given number of samples, from its timestamps, or its starting time and rate.

    Raises
    ------
    InvalidSource
        If the series has neither, or timestamps do not lie on a grid.
    """
    if (timestamps := series.dataset("timestamps")) is not None:
        if len(timestamps) != samples:
            raise invalid(
                timestamps.where, f"must have one time for each of {samples} samples, but has {len(timestamps)}"
            )
        return fit_grid(timestamps.column().astype(np.float64), timestamps.where)
    starting_time = series.dataset("starting_time")
    start = np.empty(0) if starting_time is None else starting_time.column().astype(np.float64)
    rate_hz = (starting_time.attribute("rate") or 0.0) if starting_time is not None else 0.0
    if len(start) != 1 or not 0 < rate_hz < np.inf or not abs(start[0]) + samples / rate_hz < LATEST_S:
        raise invalid(series.where, "must have a timestamp for each sample, or a starting_time with a rate")
    return Grid(rate_hz=rate_hz, start_s=float(start[0]), place=np.arange(samples))
