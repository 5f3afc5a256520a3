"""The shape of mean waveforms: voltage at fixed times from the trough, as a share of the largest deflection."""

import numpy as np
from jaxtyping import Float64

from neurid_company.config import WAVEFORM_DIM
from nwb_neurid.population import Population

TIMES_S = np.linspace(-0.4e-3, 1.1e-3, WAVEFORM_DIM)


def describe(population: Population) -> Float64[np.ndarray, "units shape"]:
    """Compute the shapes of waveforms, with a largest absolute value of at most 1.

    They are zeros if unknown or flat.
    """
    found = np.zeros((len(population), WAVEFORM_DIM))
    waveforms, rate_hz = population.waveforms_uv, population.waveform_rate_hz
    if waveforms is None or not rate_hz or waveforms.shape[1] < 2:
        return found
    centred = waveforms.astype(np.float64) - np.median(waveforms, axis=1, keepdims=True)
    size = np.abs(centred).max(axis=1)
    samples = np.arange(centred.shape[1])
    for unit in np.flatnonzero(np.isfinite(size) & (size > 0)):
        trough = int(np.abs(centred[unit]).argmax())
        at = trough + TIMES_S * rate_hz
        found[unit] = np.interp(at, samples, centred[unit]) / size[unit]
    return found
