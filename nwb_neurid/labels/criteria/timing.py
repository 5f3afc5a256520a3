"""Measurements of criteria on spike trains, within observed time."""

import numpy as np
from jaxtyping import Float64

from nwb_neurid.correlogram import count_pairs
from nwb_neurid.intervals import find_intervals

Train = Float64[np.ndarray, " spikes"]
Runs = Float64[np.ndarray, "runs 2"]

NARROW_S, NARROW_BINS = 5e-4, 100
WIDE_S, WIDE_BINS = 1e-3, 400
BASELINE_BINS = slice(100, 400)

START = np.array([20, 1, 30, 2, 0.5, 5, 1.5, 2.0])
LOWEST = np.array([1, 0.1, 0, 0, -30, 0, 0.1, 0.0])
HIGHEST = np.array([500, 50, 500, 15, 50, 20, 5, 100.0])
"""Upper bounds of tau_decay, tau_rise, c, d, asymptote, refractory, tau_burst and h, as in CellExplorer's `fit_ACG`."""


def correlate_narrowly(train_s: Train, runs_s: Runs) -> Float64[np.ndarray, " lags"]:
    """Compute the autocorrelogram of CellExplorer, which is the input of `fit_rise_ms`.

    Parameters
    ----------
    train_s, runs_s
        Spike times and unbroken runs of observation, in seconds.

    Returns
    -------
    array
        Rate in Hz of other spikes at lags of 0.5, 1, ... 50 ms after a spike, shape (100,); 0 at the first lag, as
        CellExplorer sets it.
    """
    edges_s = (np.arange(1, NARROW_BINS + 2) - 0.5) * NARROW_S
    rate_hz = count_pairs(train_s, runs_s, edges_s) / (len(train_s) * NARROW_S)
    rate_hz[0] = 0.0
    return np.asarray(rate_hz)


def fit_rise_ms(rate_hz: Float64[np.ndarray, " lags"]) -> float:
    """Fit three exponentials to an autocorrelogram and return the time constant of its rise, in milliseconds.

    max(c (exp(-(x - t0) / tau_decay) - d exp(-(x - t0) / tau_rise)) + h exp(-(x - t0) / tau_burst) + e, 0) is fitted by
    least squares within bounds. Source: `fit_ACG` of CellExplorer (Petersen et al. 2021, Neuron 109, 3594).

    Parameters
    ----------
    rate_hz
        The autocorrelogram from `correlate_narrowly`, shape (100,).
    """
    from scipy.optimize import least_squares

    lags_ms = np.arange(1, len(rate_hz) + 1) * NARROW_S * 1e3

    def residuals(values: Float64[np.ndarray, " parameters"]) -> Float64[np.ndarray, " lags"]:
        return _exponentials(values, lags_ms)[0] - rate_hz

    def slopes(values: Float64[np.ndarray, " parameters"]) -> Float64[np.ndarray, "lags parameters"]:
        return _exponentials(values, lags_ms)[1]

    fitted = least_squares(residuals, START, jac=slopes, bounds=(LOWEST, HIGHEST), ftol=1e-6, xtol=1e-6, max_nfev=600)
    return float(fitted.x[1])


def _exponentials(
    values: Float64[np.ndarray, " parameters"], lags_ms: Float64[np.ndarray, " lags"]
) -> tuple[Float64[np.ndarray, " lags"], Float64[np.ndarray, "lags parameters"]]:
    """Compute the fitted function and its derivatives with respect to the parameters."""
    decay, rise, c, d, e, start, burst, h = values
    x = lags_ms - start
    slow, fast, bursts = np.exp(-x / decay), np.exp(-x / rise), np.exp(-x / burst)
    curve = c * (slow - d * fast) + h * bursts + e
    by = np.column_stack(
        [
            c * slow * x / decay**2,
            -c * d * fast * x / rise**2,
            slow - d * fast,
            -c * fast,
            np.ones_like(x),
            c * (slow / decay - d * fast / rise) + h * bursts / burst,
            h * bursts * x / burst**2,
            bursts,
        ]
    )
    by[curve < 0] = 0.0
    return np.maximum(curve, 0.0), by


def measure_suppression_ms(train_s: Train, runs_s: Runs) -> float:
    """Measure how long firing stays below its baseline after a spike, in milliseconds.

    It is NaN if firing never recovers.

    The duration is the first lag at which the autocorrelogram (1 ms bins) reaches its mean over lags of 100 to 400 ms.
    Source: `computeACGprop` of bombcell, after Peters et al. 2021 (Nature 591, 420).

    Parameters
    ----------
    train_s, runs_s
        Spike times and unbroken runs of observation, in seconds.
    """
    edges_s = np.maximum(np.arange(WIDE_BINS + 1) - 0.5, 0) * WIDE_S
    counts = count_pairs(train_s, runs_s, edges_s).astype(np.float64)
    counts[0] = 0.0  # at lag 0, a spike is paired with itself
    recovered = np.flatnonzero(counts >= counts[BASELINE_BINS].mean())
    return float(recovered[0]) if len(recovered) and counts.any() else np.nan


def measure_long_share(train_s: Train, runs_s: Runs, long_s: float) -> float:
    """Measure the share of time that is spent in intervals longer than `long_s`. It is NaN if there are no intervals.

    Source: `computeISIprop` of bombcell, after Yamin et al. 2013 (J. Neurosci. 33, 9385).

    Parameters
    ----------
    train_s, runs_s
        Spike times and unbroken runs of observation, in seconds. No interval spans a gap.
    long_s
        Threshold on the inter-spike interval, in seconds.
    """
    run = find_intervals(train_s, runs_s)
    steps = np.diff(train_s)[run[1:] == run[:-1]]
    return float(steps[steps > long_s].sum() / steps.sum()) if steps.sum() > 0 else np.nan
