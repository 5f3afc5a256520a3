"""Sets of time as arrays of half-open intervals [start, stop), in seconds.

When times are assigned to intervals, every edge is moved earlier by `EDGE_S`. A spike on an edge is then always
assigned to the same side of the edge, no matter where the session clock starts. Without this, a shift of the clock
would move a third of the spikes on the edges of 20 ms bins to the other side, because of rounding.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

EDGE_S = 1e-6

Intervals = Float64[np.ndarray, "intervals 2"]


def merged(intervals_s: Float64[np.ndarray, "any 2"]) -> Float64[np.ndarray, "runs 2"]:
    """Join intervals that overlap or touch.

    Parameters
    ----------
    intervals_s
        Intervals in any order, shape (any, 2), in seconds.

    Returns
    -------
    array
        Unbroken runs that cover the same time, ascending, shape (runs, 2). Intervals of up to 1 µs are dropped.

    Examples
    --------
    >>> merged(np.array([[5.0, 6.0], [0.0, 1.0], [1.0, 2.0]]))
    array([[0., 2.],
           [5., 6.]])
    """
    kept = intervals_s[intervals_s[:, 1] > intervals_s[:, 0] + EDGE_S]
    if len(kept) < 2:
        return kept
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    reach = np.maximum.accumulate(kept[:, 1])
    first = np.r_[True, kept[1:, 0] > reach[:-1] + EDGE_S]
    last = np.r_[first[1:], True]
    return np.column_stack([kept[first, 0], reach[last]])


def intersected(left_s: Float64[np.ndarray, "left 2"], right_s: Float64[np.ndarray, "right 2"]) -> Intervals:
    """Intersect two sets of intervals.

    Parameters
    ----------
    left_s
        Ascending and disjoint intervals, shape (left, 2), in seconds.
    right_s
        Intervals in any order, shape (right, 2), in seconds.

    Returns
    -------
    array
        The time that lies in both sets, shape (intervals, 2). Intervals of `left_s` that touch are not joined. The
        function `rows_of` finds the interval of `left_s` from which each piece was cut.

    Examples
    --------
    >>> intersected(np.array([[0.0, 2.0], [2.0, 4.0]]), np.array([[1.0, 3.0]]))
    array([[1., 2.],
           [2., 3.]])
    """
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
    """Subtract one set of intervals from another.

    Parameters
    ----------
    left_s
        Ascending and disjoint intervals, shape (left, 2), in seconds.
    right_s
        Intervals in any order, shape (right, 2), in seconds.

    Returns
    -------
    array
        The time of `left_s` that does not lie in `right_s`, shape (intervals, 2). As in `intersected`, intervals of
        `left_s` that touch are not joined.

    Examples
    --------
    >>> subtracted(np.array([[0.0, 4.0]]), np.array([[1.0, 2.0]]))
    array([[0., 1.],
           [2., 4.]])
    """
    right_s = merged(right_s)
    outside = np.column_stack([np.r_[-np.inf, right_s[:, 1]], np.r_[right_s[:, 0], np.inf]])
    return intersected(left_s, outside)


def shortened(intervals_s: Float64[np.ndarray, "any 2"], duration_s: float) -> Intervals:
    """Shorten intervals to a total duration.

    Parameters
    ----------
    intervals_s
        Ascending and disjoint intervals, shape (any, 2), in seconds.
    duration_s
        Total duration to keep, over all intervals, in seconds.

    Returns
    -------
    array
        The first intervals, up to the total duration, shape (intervals, 2). The last interval may be shortened.

    Examples
    --------
    >>> shortened(np.array([[0.0, 2.0], [5.0, 9.0]]), 3.0)
    array([[0., 2.],
           [5., 6.]])
    """
    lengths = np.diff(intervals_s, axis=1)[:, 0]
    left = np.clip(duration_s - (np.cumsum(lengths) - lengths), 0, lengths)
    kept = left > EDGE_S
    return np.column_stack([intervals_s[kept, 0], intervals_s[kept, 0] + left[kept]])


def divided(intervals_s: Float64[np.ndarray, "any 2"], count: int) -> list[Intervals]:
    """Divide intervals into consecutive stretches of equal duration.

    Parameters
    ----------
    intervals_s
        Ascending and disjoint intervals, shape (any, 2), in seconds.
    count
        Number of stretches.

    Returns
    -------
    list of array
        The intervals of each stretch, shape (intervals, 2).

    Examples
    --------
    >>> divided(np.array([[0.0, 2.0], [5.0, 9.0]]), 2)
    [array([[0., 2.],
           [5., 6.]]), array([[6., 9.]])]
    """
    total_s = float(np.diff(intervals_s, axis=1).sum())
    until = [shortened(intervals_s, total_s * share) for share in np.arange(1, count) / count]
    until = [np.empty((0, 2)), *until, intervals_s]
    return [subtracted(after, before) for before, after in pairwise(until)]


def rows_of(pieces_s: Intervals, intervals_s: Float64[np.ndarray, "rows 2"]) -> Int64[np.ndarray, " intervals"]:
    """Find the interval from which each piece was cut.

    Parameters
    ----------
    pieces_s
        The pieces that `intersected` or `subtracted` returned, shape (pieces, 2), in seconds.
    intervals_s
        The intervals from which the pieces were cut, ascending and disjoint, shape (rows, 2), in seconds.

    Returns
    -------
    array
        Index of the interval from which each piece was cut, shape (pieces,).

    Examples
    --------
    >>> rows_of(np.array([[1.0, 2.0], [2.0, 3.0]]), np.array([[0.0, 2.0], [2.0, 4.0]]))
    array([0, 1])
    """
    return np.searchsorted(intervals_s[:, 0], pieces_s[:, 0], "right") - 1


def bounds(times_s: Float64[np.ndarray, " times"], intervals_s: Intervals) -> Int64[np.ndarray, "intervals 2"]:
    """Find the range of times that lie in each interval.

    Parameters
    ----------
    times_s
        Ascending times, shape (times,), in seconds.
    intervals_s
        Intervals, shape (intervals, 2), in seconds.

    Returns
    -------
    array
        For each interval, the index of its first time, and the index of its last time plus 1, shape (intervals, 2).

    Examples
    --------
    >>> bounds(np.array([0.5, 1.5, 2.5]), np.array([[0.0, 1.0], [1.0, 3.0]]))
    array([[0, 1],
           [1, 3]])
    """
    return np.searchsorted(times_s, intervals_s - EDGE_S)


def find_intervals(times_s: Float64[np.ndarray, " times"], intervals_s: Intervals) -> Int64[np.ndarray, " times"]:
    """Find the interval that contains each time.

    Parameters
    ----------
    times_s
        Ascending times, shape (times,), in seconds.
    intervals_s
        Ascending and disjoint intervals, shape (intervals, 2), in seconds.

    Returns
    -------
    array
        Index of the interval that contains each time, shape (times,); -1 if no interval contains the time.

    Examples
    --------
    >>> find_intervals(np.array([0.5, 1.5, 2.5]), np.array([[0.0, 1.0], [2.0, 3.0]]))
    array([ 0, -1,  1])
    """
    edges = bounds(times_s, intervals_s).ravel()
    index = np.full(2 * len(intervals_s) + 1, -1)
    index[1::2] = np.arange(len(intervals_s))
    return np.repeat(index, np.diff(edges, prepend=0, append=len(times_s)))


located = find_intervals
"""The former name of `find_intervals`, which plugins may still use."""
