"""Inter-spike intervals and autocorrelograms of one unit, in the bins of CellExplorer.

CellExplorer (Petersen et al. 2021, Neuron 109, 3594) stores the intervals and the autocorrelogram of a cell in
logarithmic bins from 1 ms to 10 s (`calc_logISIs`, `calc_logACGs`), and the autocorrelogram in bins of 1 ms up to 0.5
s (`calc_ACG_metrics`). This module computes only values that can also be computed from these histograms. Cells for
which only histograms are known can therefore be embedded as well. Bins finer than the resolution of the spike times,
and lags longer than the runs, are NaN.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nwb_neurid.correlogram import count_pairs
from nwb_neurid.intervals import EDGE_S, find_intervals

EDGES_S = 10 ** (-3 + 0.04 * np.arange(101))
CENTRES_S = 10 ** (-3 + 0.04 * (np.arange(100) + 0.5))
WIDTHS_S = np.diff(EDGES_S)
LINEAR_S = 1e-3
LINEAR_EDGES_S = (np.arange(501) + 0.5) * LINEAR_S

EXACT_S = 0.2
COARSE_S = 5e-3
"""Bin width for lags longer than `EXACT_S`. The bins of these lags in the histogram are several times wider."""

LEAST_ROOM = 0.2
"""A lag is known if at least this share of the spikes is followed by observed time as long as the lag."""

RATE_WINDOW_S = 0.5
QUANTILES = 5
CONDITIONAL_BINS = 25
CONDITIONAL_EDGES_S = EDGES_S[: 3 * CONDITIONAL_BINS + 1 : 3]

Train = Float64[np.ndarray, " spikes"]
Runs = Float64[np.ndarray, "runs 2"]
Histogram = Float64[np.ndarray, " bins"]
Edges = Float64[np.ndarray, " edges"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Histograms:
    """The spike times of one unit as histograms.

    Parameters
    ----------
    intervals
        Inter-spike intervals in the 100 bins of `EDGES_S`, in any unit that is the same for all bins per interval (such
        as counts), shape (100,).
    lags
        Rate of other spikes after a spike in the same bins, in any unit, shape (100,).
    linear
        Rate of other spikes at lags of 1, 2, ... 500 ms, in any unit, shape (500,).
    conditional
        Rate of other spikes after a spike, by the firing rate around that spike (rows, from slow to fast) and by lag,
        shape (5, 25); all NaN if only histograms are known.
    """

    intervals: Histogram
    lags: Histogram
    linear: Float64[np.ndarray, " lags"]
    conditional: Float64[np.ndarray, "quantiles coarse"]


def count_histograms(train_s: Train, runs_s: Runs, resolution_s: float) -> Histograms:
    """Compute the histograms of a spike train.

    Parameters
    ----------
    train_s
        Spike times in seconds, ascending, within `runs_s`.
    runs_s
        The unbroken runs in which the unit was observed, in seconds.
    resolution_s
        Resolution of the times. Bins that are not wider than this are unknown (NaN).

    Returns
    -------
    Histograms
        The histograms, with rates in Hz.
    """
    run = find_intervals(train_s, runs_s)
    steps = np.diff(train_s)[run[1:] == run[:-1]]
    intervals = np.histogram(steps, EDGES_S - EDGE_S)[0].astype(np.float64)
    short = EDGES_S <= EXACT_S
    edges = EDGES_S[: short.sum()]
    lags = np.r_[count_pairs(train_s, runs_s, edges), _count_coarsely(train_s, runs_s, EDGES_S[short.sum() - 1 :])]
    linear = count_pairs(train_s, runs_s, LINEAR_EDGES_S).astype(np.float64)
    lags = _divide(lags, EDGES_S, train_s, runs_s)
    linear = _divide(linear, LINEAR_EDGES_S, train_s, runs_s)
    conditional = _condition(train_s, runs_s)
    for values, edges_s in ((intervals, EDGES_S), (lags, EDGES_S), (linear, LINEAR_EDGES_S)):
        values[np.diff(edges_s) < resolution_s] = np.nan
    conditional[:, np.diff(CONDITIONAL_EDGES_S) < resolution_s] = np.nan
    return Histograms(intervals=intervals, lags=lags, linear=linear, conditional=conditional)


def _count_coarsely(train_s: Train, runs_s: Runs, edges_s: Edges) -> Histogram:
    """Count pairs like `count_pairs`, for lags that are long compared with `COARSE_S`.

    The cost does not grow with the rate.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    found = np.zeros(len(edges_s) - 1)
    longest = int(np.ceil(edges_s[-1] / COARSE_S)) + 1
    run = find_intervals(train_s, runs_s)
    for index, (start, stop) in enumerate(runs_s):
        own = train_s[run == index]
        bins = int(np.ceil((stop - start) / COARSE_S))
        if len(own) < 2 or bins < 2 or stop - start <= edges_s[0]:
            continue
        counts = np.bincount(((own - start + EDGE_S) / COARSE_S).astype(np.int64).clip(0, bins - 1), minlength=bins)
        room = next_fast_len(bins + longest, real=True)  # long enough for a circular convolution
        spectrum = rfft(counts.astype(np.float64), room)
        pairs = np.rint(irfft(spectrum.real**2 + spectrum.imag**2, room)[: min(longest + 1, bins)])
        total = np.r_[0, np.cumsum(pairs)]  # cumulative counts up to half a bin before each lag
        found += np.diff(np.interp(edges_s / COARSE_S + 0.5, np.arange(len(total)), total))
    return found


def _divide(counts: Histogram, edges_s: Edges, train_s: Train, runs_s: Runs) -> Histogram:
    """Convert pairs to rates in Hz. The rate is NaN at lags for which hardly any spike was observed long enough."""
    length_s = np.diff(runs_s)
    reach_s = np.minimum(edges_s, length_s)
    room = np.diff(length_s * reach_s - reach_s**2 / 2).sum(axis=0) / (np.diff(edges_s) * length_s.sum())
    rate_hz = counts / (len(train_s) * np.diff(edges_s) * np.maximum(room, LEAST_ROOM))
    return np.where(room < LEAST_ROOM, np.nan, rate_hz)


def _condition(train_s: Train, runs_s: Runs) -> Float64[np.ndarray, "quantiles lags"]:
    """Compute the autocorrelogram by the firing rate around its first spike, in quantiles from slow to fast."""
    run = find_intervals(train_s, runs_s)
    window_s = np.array([-RATE_WINDOW_S, RATE_WINDOW_S]) - EDGE_S
    rate = np.diff(np.searchsorted(train_s, train_s[:, None] + window_s))[:, 0]
    quantile = np.empty(len(train_s), np.int64)
    quantile[np.argsort(rate, kind="stable")] = np.arange(len(train_s)) * QUANTILES // max(len(train_s), 1)
    counts = np.zeros((QUANTILES, CONDITIONAL_BINS))
    first, edges = np.arange(len(train_s)), CONDITIONAL_EDGES_S - EDGE_S
    for shift in range(1, len(train_s)):
        first = first[first < len(train_s) - shift]
        lag = train_s[first + shift] - train_s[first]
        near = (lag < edges[-1]) & (run[first + shift] == run[first])
        first, lag = first[near], lag[near]
        if len(first) == 0:
            break
        at = np.searchsorted(edges, lag, side="right") - 1
        known = at >= 0
        counts += np.bincount(quantile[first[known]] * CONDITIONAL_BINS + at[known], minlength=counts.size).reshape(
            counts.shape
        )
    spikes = np.maximum(np.bincount(quantile, minlength=QUANTILES), 1)
    return counts / (spikes[:, None] * np.diff(CONDITIONAL_EDGES_S))
