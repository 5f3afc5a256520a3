"""Autocorrelograms: counts of pairs of spikes of one unit, by their lag."""

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.intervals import EDGE_S, find_intervals


def count_pairs(
    train_s: Float64[np.ndarray, " spikes"],
    runs_s: Float64[np.ndarray, "runs 2"],
    edges_s: Float64[np.ndarray, " edges"],
) -> Int64[np.ndarray, " lags"]:
    """Count pairs of spikes by their lag. Pairs across a gap in the observation are not counted.

    Parameters
    ----------
    train_s
        Spike times of one unit in seconds, ascending, within `runs_s`.
    runs_s
        The unbroken runs in which the unit was observed, in seconds, as returned by `Population.runs_s`.
    edges_s
        Edges of the bins of lags in seconds, ascending, shape (lags + 1,). A lag up to 1 µs below an edge counts in the
        next bin.

    Returns
    -------
    array
        Number of pairs in each bin of lags, shape (lags,).

    Examples
    --------
    >>> import numpy as np
    >>> train_s = np.array([0.1, 0.2, 0.4])
    >>> count_pairs(train_s, np.array([[0.0, 1.0]]), np.array([0.0, 0.15, 0.25, 0.35])).tolist()
    [1, 1, 1]
    """
    run = find_intervals(train_s, runs_s)
    edges = edges_s - EDGE_S
    found = np.zeros(len(edges_s) + 1, np.int64)
    first = np.arange(len(train_s))
    for shift in range(1, len(train_s)):
        first = first[first < len(train_s) - shift]
        lag = train_s[first + shift] - train_s[first]
        near = (lag < edges[-1]) & (run[first + shift] == run[first])
        first = first[near]  # where this spike is too far, so are all later ones
        if len(first) == 0:
            break
        found += np.bincount(np.searchsorted(edges, lag[near], side="right"), minlength=len(found))
    return found[1:-1]
