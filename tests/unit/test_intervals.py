"""Sets of time: against marks on a grid, where the same sets are easy to get right."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.intervals import EDGE_S, divided, intersected, located, merged, rows_of, shortened, subtracted

CELLS = 40
CELL_S = 0.1

clocks = st.sampled_from([0.0, -7.3, 1234.567, 1e6 + 1 / 3, 1.6e9])


@st.composite
def any_intervals(draw):
    """Intervals in cells of the grid, in any order: overlapping, touching, empty or backwards ones among them."""
    cell = st.integers(0, CELLS)
    return np.array(draw(st.lists(st.tuples(cell, cell), max_size=8)), int).reshape(-1, 2)


@st.composite
def disjoint_intervals(draw):
    """Ascending and disjoint intervals in cells of the grid, some of which touch."""
    edges = sorted(draw(st.sets(st.integers(0, CELLS), max_size=16)))
    pairs = np.column_stack([edges[:-1], edges[1:]]).astype(int).reshape(-1, 2)
    kept = draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    return pairs[np.array(kept, bool)]


def in_seconds(cells, clock_s):
    return cells * CELL_S + clock_s


def marks(intervals_s, clock_s):
    """For each cell of the grid, whether its middle lies in one of the intervals."""
    middles = (np.arange(CELLS) + 0.5) * CELL_S + clock_s
    return np.array([any(start <= middle < stop for start, stop in intervals_s) for middle in middles], bool)


def ascends(intervals_s):
    return np.all(intervals_s[:, 0] < intervals_s[:, 1]) and np.all(intervals_s[1:, 0] >= intervals_s[:-1, 1])


@given(cells=any_intervals(), clock_s=clocks)
def test_merged_time_is_the_same_time_in_unbroken_runs(cells, clock_s):
    intervals_s = in_seconds(cells, clock_s)
    runs = merged(intervals_s)
    np.testing.assert_array_equal(marks(runs, clock_s), marks(intervals_s, clock_s))
    assert ascends(runs)
    assert np.all(runs[1:, 0] - runs[:-1, 1] > CELL_S / 2), "runs that touch are one"
    np.testing.assert_array_equal(merged(runs), runs)


@given(left=disjoint_intervals(), right=any_intervals(), clock_s=clocks)
def test_an_intersection_is_what_lies_in_both(left, right, clock_s):
    left_s, right_s = in_seconds(left, clock_s), in_seconds(right, clock_s)
    pieces = intersected(left_s, right_s)
    np.testing.assert_array_equal(marks(pieces, clock_s), marks(left_s, clock_s) & marks(right_s, clock_s))
    assert ascends(pieces)


@given(left=disjoint_intervals(), right=any_intervals(), clock_s=clocks)
def test_a_difference_is_what_lies_in_the_first_alone(left, right, clock_s):
    left_s, right_s = in_seconds(left, clock_s), in_seconds(right, clock_s)
    pieces = subtracted(left_s, right_s)
    np.testing.assert_array_equal(marks(pieces, clock_s), marks(left_s, clock_s) & ~marks(right_s, clock_s))
    assert ascends(pieces)


@given(left=disjoint_intervals(), right=any_intervals(), clock_s=clocks)
def test_every_piece_lies_in_the_row_that_it_is_said_to_be_of(left, right, clock_s):
    left_s = in_seconds(left, clock_s)
    for cut in (intersected, subtracted):
        pieces = cut(left_s, in_seconds(right, clock_s))
        rows = rows_of(pieces, left_s)
        assert np.all(left_s[rows, 0] <= pieces[:, 0])
        assert np.all(pieces[:, 1] <= left_s[rows, 1])


def test_a_piece_of_little_more_than_a_microsecond_is_still_of_its_row():
    whole = np.array([[0.0, 1.0], [1.0, 2.0]])
    sliver = intersected(whole, np.array([[1.0 - 1.5e-6, 1.0]]))
    np.testing.assert_array_equal(rows_of(sliver, whole), [0])


def test_time_that_never_ends_can_be_taken_and_taken_away():
    observed = np.array([[0.0, 10.0], [20.0, 30.0]])
    np.testing.assert_array_equal(intersected(observed, np.array([[-np.inf, 5.0]])), [[0, 5]])
    np.testing.assert_array_equal(subtracted(observed, np.array([[25.0, np.inf]])), [[0, 10], [20, 25]])
    np.testing.assert_array_equal(subtracted(observed, np.array([[-np.inf, 25.0]])), [[25, 30]])
    assert subtracted(observed, np.array([[-np.inf, np.inf]])).shape == (0, 2)


def test_no_time_stays_no_time():
    none, some = np.empty((0, 2)), np.array([[0.0, 1.0]])
    for result in (merged(none), intersected(none, some), intersected(some, none), subtracted(none, some)):
        assert result.shape == (0, 2)
    np.testing.assert_array_equal(subtracted(some, none), some)


def test_what_is_no_longer_than_a_microsecond_is_rounding():
    sliver = np.array([[1.0, 1.0 + EDGE_S / 2]])
    assert len(merged(sliver)) == 0
    assert len(intersected(np.array([[0.0, 2.0]]), sliver)) == 0
    np.testing.assert_array_equal(merged(np.array([[0.0, 1.0], [1.0 + EDGE_S / 2, 2.0]])), [[0, 2]])


@given(intervals=disjoint_intervals(), halves=st.lists(st.integers(-4, 2 * CELLS + 4), max_size=60), clock_s=clocks)
def test_times_are_located_as_one_by_one(intervals, halves, clock_s):
    times_s, intervals_s = np.sort(halves) * CELL_S / 2 + clock_s, in_seconds(intervals, clock_s)
    expected = [
        next((row for row, (start, stop) in enumerate(intervals) if 2 * start <= half < 2 * stop), -1)
        for half in sorted(halves)
    ]
    np.testing.assert_array_equal(located(times_s, intervals_s), np.array(expected, int))


def test_an_edge_is_taken_a_microsecond_early():
    intervals = np.array([[1.0, 2.0], [3.0, 4.0]])
    times = np.array([1 - 2e-6, 1 - 0.5e-6, 1.0, 2 - 2e-6, 2 - 0.5e-6, 3 - 0.5e-6, 4 - 2e-6, 4.0])
    np.testing.assert_array_equal(located(times, intervals), [-1, 0, 0, 0, -1, 1, 1, -1])


@given(intervals=disjoint_intervals(), clock_s=clocks, cells=st.integers(1, CELLS + 1))
def test_shortened_intervals_are_the_first_so_many_seconds(intervals, clock_s, cells):
    found = marks(shortened(in_seconds(intervals, clock_s), cells * CELL_S), clock_s)
    expected = marks(in_seconds(intervals, clock_s), clock_s)
    expected &= np.cumsum(expected) <= cells
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_stretches_have_the_same_duration_and_are_all_of_it(count):
    intervals_s = np.array([[0.0, 2.0], [2.0, 3.5], [10.0, 17.0]])
    stretches = divided(intervals_s, count)
    assert len(stretches) == count
    np.testing.assert_allclose([np.diff(each, axis=1).sum() for each in stretches], 10.5 / count)
    np.testing.assert_allclose(merged(np.concatenate(stretches)), merged(intervals_s))
    assert all((first[-1, 1] <= second[0, 0]) for first, second in pairwise(stretches))
