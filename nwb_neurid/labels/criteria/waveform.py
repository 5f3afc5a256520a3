"""Durations of a mean waveform. They need its sampling rate, and do not depend on its scale."""

import math

import numpy as np
from jaxtyping import Float

OVERSAMPLED_HZ = 1e5
AROUND_TROUGH_MS = 0.25

Waveform = Float[np.ndarray, " samples"]


def measure_trough_to_peak_ms(waveform: Waveform, rate_hz: float) -> tuple[float, bool]:
    """Measure the time from the trough of a spike to the peak after it, as CellExplorer does.

    The waveform is interpolated by a cubic spline to at least 100 kHz, and inverted if its largest deflection is
    positive. Source: `calc_waveform_metrics` of CellExplorer (Petersen et al. 2021, Neuron 109, 3594).

    Parameters
    ----------
    waveform
        Mean waveform on the peak channel, shape (samples,), in any unit; finite, at least 4 samples, not flat.
    rate_hz
        Samples per second.

    Returns
    -------
    duration_ms
        Time from trough to peak in milliseconds.
    cut
        Whether the waveform ends on its way up to the peak, so that the duration is a lower bound.
    """
    from scipy.interpolate import CubicSpline

    ms = 1e3 / rate_hz
    over = math.ceil(OVERSAMPLED_HZ / rate_hz)
    samples = np.arange(len(waveform))
    fine = np.arange((len(waveform) - 1) * over + 1)
    centred = waveform.astype(np.float64) - np.mean(waveform, dtype=np.float64)
    wave = CubicSpline(samples, centred / np.abs(centred).max())(fine / over)
    middle = int(np.abs(centred).argmax()) * over
    reach = round(AROUND_TROUGH_MS / ms * over)
    first, last = max(0, middle - reach), min(len(wave), middle + reach + 1)
    if wave[first:last].mean() > np.r_[wave[:first], wave[last:]].mean():
        wave = -wave
    trough = first + int(wave[first:last].argmin())
    peak = trough + int(wave[trough:].argmax())
    return float((peak - trough) / over * ms), peak == len(wave) - 1


def measure_peak_trough_us(waveform: Waveform, rate_hz: float) -> tuple[float, bool]:
    """Measure the time from the largest deflection to the opposite extreme after it, as bombcell does.

    Source: `compute_waveform_properties` of bombcell (Fabre et al. 2023, Zenodo 8172821).

    Parameters
    ----------
    waveform, rate_hz
        As for `measure_trough_to_peak_ms`.

    Returns
    -------
    duration_us
        The duration in microseconds. It is a whole number of samples.
    cut
        Whether the waveform ends on its way to the second extreme, so that the duration is a lower bound.
    """
    main = int(np.abs(waveform).argmax())
    after = waveform[main:] if waveform[main] < 0 else -waveform[main:]
    steps = int(after.argmax())
    return 1e6 * steps / rate_hz, main + steps == len(waveform) - 1
