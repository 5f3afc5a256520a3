"""Sets of time as arrays of half-open intervals [start, stop), in seconds.

Every edge is taken `EDGE_S` early. A spike on an edge is then on the same side of it whatever the session clock
starts at: without this, shifting the clock moves a third of the spikes on 20 ms edges across them, by rounding
alone.
"""

import numpy as np
from jaxtyping import Float64, Int64

EDGE_S = 1e-6

Intervals = Float64[np.ndarray, "intervals 2"]


def merged(intervals_s: Float64[np.ndarray, "any 2"]) -> Float64[np.ndarray, "runs 2"]:
    """The same time as unbroken runs: sorted, and joined where they overlap or touch. Empty ones go."""
    kept = intervals_s[intervals_s[:, 1] > intervals_s[:, 0] + EDGE_S]
    if len(kept) == 0:
        return np.empty((0, 2))
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    reach = np.maximum.accumulate(kept[:, 1])
    first = np.r_[True, kept[1:, 0] > reach[:-1] + EDGE_S]
    last = np.r_[first[1:], True]
    return np.column_stack([kept[first, 0], reach[last]])


def intersected(left_s: Float64[np.ndarray, "left 2"], right_s: Float64[np.ndarray, "right 2"]) -> Intervals:
    """The time that lies in both, in pieces: seams of `left_s` stay, and `rows_of` tells which row a piece is of."""
    right_s = merged(right_s)
    first = np.searchsorted(right_s[:, 1], left_s[:, 0], "right")
    last = np.searchsorted(right_s[:, 0], left_s[:, 1], "left")
    count = np.maximum(last - first, 0)
    rows = np.repeat(np.arange(len(left_s)), count)
    offset = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    partner = first[rows] + offset
    start = np.maximum(left_s[rows, 0], right_s[partner, 0])
    stop = np.minimum(left_s[rows, 1], right_s[partner, 1])
    lasts = stop > start + EDGE_S
    return np.column_stack([start[lasts], stop[lasts]])


def subtracted(left_s: Float64[np.ndarray, "left 2"], right_s: Float64[np.ndarray, "right 2"]) -> Intervals:
    """The time of `left_s` that does not lie in `right_s`, in pieces as `intersected` gives them."""
    right_s = merged(right_s)
    outside = np.column_stack([np.r_[-np.inf, right_s[:, 1]], np.r_[right_s[:, 0], np.inf]])
    return intersected(left_s, outside)


def shortened(intervals_s: Float64[np.ndarray, "any 2"], duration_s: float) -> Intervals:
    """The first so many seconds of these intervals, which are sorted and disjoint."""
    lengths = np.diff(intervals_s, axis=1)[:, 0]
    left = np.clip(duration_s - (np.cumsum(lengths) - lengths), 0, lengths)
    kept = left > EDGE_S
    return np.column_stack([intervals_s[kept, 0], intervals_s[kept, 0] + left[kept]])


def rows_of(pieces_s: Intervals, intervals_s: Float64[np.ndarray, "rows 2"]) -> Int64[np.ndarray, " intervals"]:
    """Index of the interval that each piece was cut from. The intervals are sorted and disjoint."""
    return np.searchsorted(intervals_s[:, 0], pieces_s[:, 0], "right") - 1


def bounds(times_s: Float64[np.ndarray, " times"], intervals_s: Intervals) -> Int64[np.ndarray, "intervals 2"]:
    """First and last + 1 index of the times in each interval. The times ascend."""
    return np.searchsorted(times_s, intervals_s - EDGE_S)


def located(times_s: Float64[np.ndarray, " times"], intervals_s: Intervals) -> Int64[np.ndarray, " times"]:
    """Index of the interval that holds each time, -1 where none does. Both ascend, and the intervals are disjoint."""
    edges = bounds(times_s, intervals_s).ravel()
    index = np.full(2 * len(intervals_s) + 1, -1)
    index[1::2] = np.arange(len(intervals_s))
    return np.repeat(index, np.diff(edges, prepend=0, append=len(times_s)))
