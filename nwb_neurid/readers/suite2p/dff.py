"""dF/F of fluorescence traces, over the baseline that suite2p subtracts before it deconvolves."""

import numpy as np
from jaxtyping import Float64

FLOOR = 1 - 0.7 / 1.03
"""What is left of the raw baseline of an ROI 3 % brighter than its neuropil when 0.7 of that is subtracted: 0.32.

Chen et al. (2013, Nature 499:295) subtract so much and exclude dimmer ROIs, whose correction is not robust.
"""

Fluorescence = Float64[np.ndarray, "units samples"]


def delta_f_over_f(
    raw: Fluorescence, neuropil: Fluorescence, *, coefficient: float, sigma_frames: float, window_frames: int
) -> Fluorescence:
    """dF/F with neuropil correction, NaN where the raw baseline is not positive.

    With Fc = F - coefficient * Fneu and its maximin baseline B, dF/F = (Fc - B) / max(B, 0.32 * B_F), where B_F is the
    maximin baseline of the raw F. Numerator and B are those of suite2p. B alone is no denominator: where an ROI is
    hardly brighter than its neuropil it comes near zero or below, and dF/F grows without bound. So no ROI counts as
    dimmer than the dimmest whose neuropil correction is trusted, see `FLOOR`; without correction this is
    (F - B) / B.

    Parameters
    ----------
    raw, neuropil
        `F.npy` and `Fneu.npy`.
    coefficient
        How much of the neuropil's fluorescence is subtracted.
    sigma_frames, window_frames
        As for `maximin`.
    """
    corrected = raw - coefficient * neuropil
    baseline = maximin(corrected, sigma_frames=sigma_frames, window_frames=window_frames)
    floor = FLOOR * maximin(raw, sigma_frames=sigma_frames, window_frames=window_frames)
    f0 = np.maximum(baseline, floor)
    with np.errstate(all="ignore"):  # what is not positive becomes NaN in the same step
        return np.where(f0 > 0, (corrected - baseline) / f0, np.nan)


def maximin(traces: Fluorescence, *, sigma_frames: float, window_frames: int) -> Fluorescence:
    """The running maximum of the running minimum of a smoothed trace, as the baseline "maximin" of suite2p 1.1.

    The Gaussian ends at three standard deviations, and a trace goes on as its first and last value beyond its ends.

    Parameters
    ----------
    traces
        Shape (units, samples).
    sigma_frames
        Standard deviation of the Gaussian; 0 for none.
    window_frames
        Width of the window of minimum and maximum; an even one becomes the next odd one.
    """
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

    # A window of twice the trace already sees all of it from everywhere.
    window = min(window_frames, 2 * traces.shape[1]) // 2 * 2 + 1
    smooth = gaussian_filter1d(traces, sigma_frames, mode="nearest", truncate=3.0) if sigma_frames > 0 else traces
    lower = minimum_filter1d(smooth, window, mode="nearest")
    return np.asarray(maximum_filter1d(lower, window, mode="nearest"))
