"""Traces that contain no information, because they are constant or NaN."""

import numpy as np

from nwb_neurid.activity import Traces
from nwb_neurid.intervals import find_intervals
from nwb_neurid.population import Population


def find_flat(population: Population) -> dict[int, str]:
    """Find the rows whose trace is constant in observed time, or has no samples there, and the reasons."""
    traces = population.activity
    if not isinstance(traces, Traces):
        return {}
    starts_s = traces.start_s + np.arange(traces.values.shape[1]) / traces.rate_hz
    inside = find_intervals(starts_s, population.runs_s()) >= 0
    values = traces.values if inside.all() else traces.values[:, inside]
    lowest = np.fmin.reduce(values, axis=1, initial=np.inf)  # fmin and fmax ignore NaN
    highest = np.fmax.reduce(values, axis=1, initial=-np.inf)
    why = {row: "its trace is NaN" for row in np.flatnonzero(lowest > highest).tolist()}
    return why | {row: "its trace is constant" for row in np.flatnonzero(lowest == highest).tolist()}
