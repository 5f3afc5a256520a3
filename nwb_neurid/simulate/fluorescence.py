"""The fluorescence of a calcium indicator for simulated spikes.

Source of the scale: Chen, T.-W. et al. (2013), "Ultrasensitive fluorescent proteins for imaging neuronal activity",
Nature 499, 295-300. The kernel lies between GCaMP6f, which rises in 50 to 75 ms, and GCaMP6s, which is slower.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Traces

FRAME_HZ = 4.28
"""Default frame rate. It is typical of one plane of an imaged volume, as in Bugeon et al. (2022)."""

RISE_S, DECAY_S = 0.05, 0.5
SPIKE_DFF = 0.2
SATURATED_DFF = 5.0
NOISE_DFF = 0.15
NOISE_HZ = 4.28
"""Frame rate at which the noise is `NOISE_DFF`. Shorter frames collect less light and have more noise."""


def simulate_fluorescence(
    times_s: Float64[np.ndarray, " spikes"],
    splits: Int64[np.ndarray, " units_and_one"],
    duration_s: float,
    *,
    rate_hz: float = FRAME_HZ,
    seed: int | Sequence[int] = 0,
) -> Traces:
    """Simulate the dF/F of neurons from their spikes.

    The response to a spike rises with the time constant `RISE_S`, decays with `DECAY_S` and peaks at `SPIKE_DFF`.
    Responses add up, and saturate towards `SATURATED_DFF`. Each frame has independent Gaussian noise.

    Parameters
    ----------
    times_s
        Spike times in seconds from 0, shape (spikes,), ascending within a unit.
    splits
        Indices that split the times into trains, shape (units + 1,). The spikes of unit `u` are
        `times_s[splits[u]:splits[u + 1]]`.
    duration_s
        Duration in seconds. Only whole frames are made, and each shows the fluorescence at its end.
    rate_hz
        Frame rate in Hz.
    seed
        Random seed of the noise.

    Returns
    -------
    Traces
        dF/F, shape (units, frames).

    Raises
    ------
    InvalidOption
        If the rate is not positive and finite, or the duration is shorter than a frame.
    """
    frames = count_frames(duration_s, rate_hz)
    calcium = _decay(times_s, splits, frames, rate_hz, DECAY_S) - _decay(times_s, splits, frames, rate_hz, RISE_S)
    linear = SPIKE_DFF * calcium / _find_peak()
    noise = np.random.default_rng(seed).standard_normal((frames, len(splits) - 1)).T
    noise *= NOISE_DFF * np.sqrt(rate_hz / NOISE_HZ)
    values: Float32[np.ndarray, "units samples"] = (linear / (1 + linear / SATURATED_DFF) + noise).astype(np.float32)
    return Traces(values=values, rate_hz=rate_hz, kind="dff")


def count_frames(duration_s: float, rate_hz: float) -> int:
    """Count the whole frames of a duration in seconds.

    Raises
    ------
    InvalidOption
        If the rate is not positive and finite, or there is no whole frame.
    """
    if not 0 < rate_hz < np.inf:
        raise InvalidOption(f"The frame rate to simulate must be finite and above 0 Hz, got {rate_hz:g} Hz.")
    frames = int(duration_s * rate_hz + 1e-6)
    if frames == 0:
        raise InvalidOption(f"{duration_s:g} s hold no frame at {rate_hz:g} Hz. Simulate {1 / rate_hz:g} s or more.")
    return frames


def _decay(
    times_s: Float64[np.ndarray, " spikes"],
    splits: Int64[np.ndarray, " units_and_one"],
    frames: int,
    rate_hz: float,
    time_constant_s: float,
) -> Float64[np.ndarray, "units frames"]:
    """Sum one exponential of amplitude 1 per spike, at the end of each frame. It is exact at any frame rate."""
    units = len(splits) - 1
    frame = (times_s * rate_hz).astype(np.int64)
    inside = frame < frames
    row = np.repeat(np.arange(units), np.diff(splits))
    left = np.exp(-((frame + 1) / rate_hz - times_s) / time_constant_s)
    cells = (frame * units + row)[inside]
    sums = np.bincount(cells, left[inside], frames * units).astype(np.float64)  # whole numbers without a spike
    sums = sums.reshape(frames, units)
    decay = np.exp(-1 / (rate_hz * time_constant_s))
    for before, now in pairwise(sums):
        now += decay * before
    return sums.T


def _find_peak() -> float:
    """Find the largest value of the difference of the two exponentials."""
    at_s = RISE_S * DECAY_S / (DECAY_S - RISE_S) * np.log(DECAY_S / RISE_S)
    return float(np.exp(-at_s / DECAY_S) - np.exp(-at_s / RISE_S))
