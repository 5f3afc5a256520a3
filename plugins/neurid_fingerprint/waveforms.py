"""Measurements on the mean waveform of a unit, independent of scale: shape around the trough, durations and ratios."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64

Sampler: TypeAlias = Callable[[Float64[np.ndarray, " times"]], Float64[np.ndarray, " times"]]

STEP_MS = 0.03
BEFORE_MS, AFTER_MS = 0.51, 0.66
SHAPE_SAMPLES = round((BEFORE_MS + AFTER_MS) / STEP_MS) + 1
LONG_MS = 0.69
FINE_MS = 0.003
LEAST_BEFORE_MS, LEAST_AFTER_MS = 0.15, 0.4

MEASURES = (
    "log10_trough_to_peak_ms",
    "log10_half_width_ms",
    "peak_asymmetry",
    "peak_after",
    "peak_before",
    "end",
    "half_a_ms_later",
)


def measure_waveform(
    waveform: Float[np.ndarray, " samples"], rate_hz: float
) -> tuple[Float64[np.ndarray, " shape"], Float64[np.ndarray, " measures"]] | None:
    """Measure a waveform around its trough.

    Parameters
    ----------
    waveform
        Mean waveform on the peak channel, in its original polarity, shape (samples,); NaN where unknown.
    rate_hz
        Samples per second.

    Returns
    -------
    shape
        The waveform from 0.51 ms before the trough to 0.66 ms after it, in steps of 0.03 ms, scaled so that the trough
        is -1, shape (40,).
    measures
        Values of `MEASURES`, shape (7,). Both are None if the waveform is unknown, flat or too short.
    """
    from scipy.interpolate import CubicSpline

    known = np.asarray(waveform[np.isfinite(waveform)], np.float64)
    ms = 1e3 / rate_hz
    first, last = int(np.ceil(LEAST_BEFORE_MS / ms)), len(known) - int(np.ceil(LEAST_AFTER_MS / ms))
    if last <= first + 1 or known[first:last].min() >= 0:
        return None
    spline = CubicSpline(np.arange(len(known)) * ms, known / np.abs(known).max())
    near = (first + int(known[first:last].argmin())) * ms + np.arange(-1, 1 + FINE_MS, FINE_MS) * ms
    trough_ms = near[spline(near.clip(0, (len(known) - 1) * ms)).argmin()]
    depth = -float(spline(trough_ms))

    def sample(times_ms: Float64[np.ndarray, " times"]) -> Float64[np.ndarray, " times"]:
        return np.asarray(spline((trough_ms + times_ms).clip(0, (len(known) - 1) * ms)) / depth)

    shape = sample(np.arange(SHAPE_SAMPLES) * STEP_MS - BEFORE_MS)
    return shape, _measure(sample)


def _measure(sample: Sampler) -> Float64[np.ndarray, " measures"]:
    after_ms = np.arange(0, LONG_MS + FINE_MS / 2, FINE_MS)
    after, before = sample(after_ms), sample(-np.arange(0, BEFORE_MS + FINE_MS / 2, FINE_MS))
    peak = int(after.argmax())
    width_ms = (_count_below(after) + _count_below(before)) * FINE_MS
    late, early = float(after[peak]), float(before.max())
    return np.array(
        [
            np.log10(max(after_ms[peak], 0.05)),
            np.log10(width_ms + 0.02),
            (late - early) / (abs(late) + abs(early) + 1e-6),
            late,
            early,
            float(after[-1]),
            float(sample(np.array([0.5]))[0]),
        ]
    )


def _count_below(values: Float64[np.ndarray, " times"]) -> int:
    """Count the samples from the trough on that lie below half of its depth."""
    above = np.flatnonzero(values > -0.5)
    return int(above[0]) if len(above) else len(values)
