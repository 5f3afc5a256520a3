"""Recordings of a size that a simulation would take long for."""

from pathlib import Path

import h5py
import numpy as np


def draw_spikes(units: int, seconds: float, rate_hz: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Spike times of Poisson units, one unit after the other, and how many each has."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rate_hz * seconds, units)
    return np.concatenate([np.sort(rng.uniform(0, seconds, count)) for count in counts]), counts


def replace_spikes(path: Path, times: np.ndarray, counts: np.ndarray, duration_s: float, **storage: object) -> None:
    """Give the units of an NWB file other spikes: `times` in seconds, unit after unit, so many of each."""
    with h5py.File(path, "r+") as file:
        for name, data, how in (("spike_times", times, storage), ("spike_times_index", np.cumsum(counts), {})):
            attrs = dict(file[f"units/{name}"].attrs)
            del file[f"units/{name}"]
            file["units"].create_dataset(name, data=data, **how).attrs.update(attrs)
        file["units/spike_times_index"].attrs["target"] = file["units/spike_times"].ref
        if "units/obs_intervals" in file:
            file["units/obs_intervals"][:] = [0.0, duration_s]
