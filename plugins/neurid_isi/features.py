"""Statistics of one spike train. A gap in the observation is never counted as an interval."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.intervals import EDGE_S, find_intervals

# Edges are slightly too low, as in other histograms, so that an interval of exactly 10 ms is always in the same bin.
ISI_EDGES_S = np.geomspace(1e-3, 10, 33) - EDGE_S
LAG_EDGES_S = np.r_[0, np.geomspace(1e-3, 0.2, 16) - EDGE_S]
BURST_S = 6e-3 - EDGE_S
FINEST_S = float(np.diff(ISI_EDGES_S).min())
DIM = len(ISI_EDGES_S) - 1 + 5 + len(LAG_EDGES_S) - 1


def _name_bins(kind: str, edges_s: Float64[np.ndarray, " edges"]) -> list[str]:
    edges_ms = [
        np.format_float_positional(1e3 * edge, precision=3, fractional=False, trim="-")
        for edge in np.where(edges_s > 0, edges_s + EDGE_S, 0)
    ]
    return [f"{kind}_{low}_to_{high}_ms" for low, high in pairwise(edges_ms)]


NAMES = (
    *_name_bins("isi", ISI_EDGES_S),
    *("log10_rate_hz", "cv", "cv2", "local_variation", "share_of_isi_under_6_ms"),
    *_name_bins("autocorrelogram", LAG_EDGES_S),
)
"""Names of the dimensions of a vector. The outer bins of intervals also contain all intervals beyond them."""

Train = Float64[np.ndarray, " spikes"]


def compute_features(
    train_s: Train, runs_s: Float64[np.ndarray, "runs 2"], resolution_s: float
) -> Float64[np.ndarray, " dim"]:
    """Compute the statistics of one unit, shape (53,).

    Parameters
    ----------
    train_s
        Its spike times in seconds, ascending, within `runs_s`; at least one.
    runs_s
        The unbroken runs in which it was observed, in seconds.
    resolution_s
        Resolution of the times. Statistics at finer scales are 0, because they would depend on the resolution.

    Returns
    -------
    array
        32 shares of inter-spike intervals in logarithmic bins from 1 ms to 10 s (the outer bins also contain shorter
        and longer intervals); log10 of the rate in Hz; CV; CV2 (Holt et al. 1996); local variation (Shinomoto et al.
        2003); share of intervals under 6 ms; autocorrelogram in 16 bins up to 200 ms, as log2(1 + (pairs found + 1) /
        (pairs expected of a Poisson train of that rate + 1)). If there are too few intervals for a statistic, it has
        the value for a Poisson train.
    """
    run = find_intervals(train_s, runs_s)
    steps = np.diff(train_s)
    unbroken = run[1:] == run[:-1]
    intervals = steps[unbroken]
    clipped = np.clip(intervals, ISI_EDGES_S[0], ISI_EDGES_S[-1])
    histogram = np.histogram(clipped, ISI_EDGES_S)[0] / max(1, len(intervals))
    histogram[np.diff(ISI_EDGES_S) < resolution_s] = 0
    rate_hz = len(train_s) / np.diff(runs_s).sum()
    bursts = np.sum(intervals < BURST_S) / max(1, len(intervals)) if resolution_s < BURST_S else 0.0
    cv = intervals.std() / intervals.mean() if len(intervals) > 1 and intervals.mean() > 0 else 1.0
    pairs = unbroken[1:] & unbroken[:-1]
    cv2, lv = _measure_variation(steps[:-1][pairs], steps[1:][pairs])
    scalars = [np.log10(rate_hz), cv, cv2, lv, bursts]
    return np.r_[histogram, scalars, _compute_autocorrelogram(train_s, run, runs_s, resolution_s)]


def _measure_variation(
    first_s: Float64[np.ndarray, " pairs"], second_s: Float64[np.ndarray, " pairs"]
) -> tuple[float, float]:
    """Measure CV2 and local variation of consecutive intervals.

    Without such intervals, both are 1, as for a Poisson train.
    """
    total = first_s + second_s
    contrast = np.abs(first_s - second_s)[total > 0] / total[total > 0]
    if len(contrast) == 0:
        return 1.0, 1.0
    return 2 * float(contrast.mean()), 3 * float((contrast**2).mean())


def _compute_autocorrelogram(
    train_s: Train,
    run: Int64[np.ndarray, " spikes"],
    runs_s: Float64[np.ndarray, "runs 2"],
    resolution_s: float,
) -> Float64[np.ndarray, " lags"]:
    """Count pairs of spikes by lag, relative to a Poisson train of the same rate in the same runs, as log2(1 + x)."""
    found = np.zeros(len(LAG_EDGES_S) - 1)
    first = np.arange(len(train_s))
    for shift in range(1, len(train_s)):
        first = first[first < len(train_s) - shift]
        lag = train_s[first + shift] - train_s[first]
        near = (lag < LAG_EDGES_S[-1]) & (run[first + shift] == run[first])
        first = first[near]  # if this spike is too far away, so are all later ones
        if len(first) == 0:
            break
        found += np.histogram(lag[near], LAG_EDGES_S)[0]
    length_s = np.diff(runs_s)
    reach_s = np.minimum(LAG_EDGES_S, length_s)
    room_s2 = np.diff(length_s * reach_s - reach_s**2 / 2).sum(axis=0)  # for pairs: integral of length - lag
    rate_hz = len(train_s) / length_s.sum()
    flat = np.log2(1 + (found + 1) / (rate_hz**2 * room_s2 + 1))
    return np.where(np.diff(LAG_EDGES_S) < resolution_s, 0, flat)
