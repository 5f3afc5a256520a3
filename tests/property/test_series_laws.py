"""Laws of binned covariates, on any clock.

Times are drawn in whole milliseconds and bins start half a millisecond beside them, where rounding decides nothing.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.population import Series

LAST_MS = 5000

clocks_s = st.sampled_from([0.1, -12.34, 1e5 / 3, 1.6e9]) | st.floats(-1e6, 1e6)
bins_ms = st.sampled_from([1, 20, 33, 100, 1000])
moments_ms = st.lists(st.integers(0, LAST_MS), max_size=60).map(sorted)
numbers = st.floats(-1e6, 1e6, width=32)


def starts_s(bin_ms, clock_s=0.0):
    """Bins without gaps from before the first time to after the last."""
    return (np.arange(-bin_ms, LAST_MS + bin_ms, bin_ms) + 0.5) / 1000 + clock_s


def continuous(times_ms, values, clock_s=0.0):
    values = np.array(values, np.float32).reshape(-1, 1)
    return Series(values=values, times_s=np.array(times_ms, float) / 1000 + clock_s)


def intervals(edges_ms, values, clock_s=0.0):
    """Every other stretch between edges."""
    edges = np.array(edges_ms, float)[: len(edges_ms) // 2 * 2].reshape(-1, 2) / 1000 + clock_s
    values = np.array(values[: len(edges)], np.float32).reshape(-1, 1)
    return Series(values=values, times_s=edges[:, 0].copy(), stops_s=edges[:, 1].copy(), kind="intervals")


@given(times=moments_ms, value=numbers, bin_ms=bins_ms)
def test_a_constant_series_stays_constant(times, value, bin_ms):
    bins = continuous(times, [value] * len(times)).binned(starts_s(bin_ms), bin_ms / 1000)
    known = bins[~np.isnan(bins)]
    np.testing.assert_allclose(known, np.float32(value), rtol=1e-6)
    assert bool(len(known)) == bool(times)


@given(times=moments_ms, data=st.data(), bin_ms=bins_ms)
def test_no_bin_exceeds_the_samples(times, data, bin_ms):
    values = data.draw(st.lists(numbers, min_size=len(times), max_size=len(times)))
    bins = continuous(times, values).binned(starts_s(bin_ms), bin_ms / 1000)
    known = bins[~np.isnan(bins)]
    slack = 1e-6 * max(map(abs, values), default=0)
    assert np.all(known >= min(values, default=0) - slack)
    assert np.all(known <= max(values, default=0) + slack)


@given(times=moments_ms, bin_ms=bins_ms)
def test_every_event_counts_in_one_bin(times, bin_ms):
    counts = Series.of_events(np.array(times, float) / 1000).binned(starts_s(bin_ms), bin_ms / 1000)
    assert counts.sum() == len(times)


@given(times=moments_ms, bin_ms=bins_ms, picked=st.sets(st.integers(0, 40)))
def test_the_events_in_observed_bins_are_those_that_lie_there(times, bin_ms, picked):
    starts = starts_s(bin_ms)
    seen = starts[[index for index in sorted(picked) if index < len(starts)]]
    events = np.array(times, float) / 1000
    counts = Series.of_events(events).binned(seen, bin_ms / 1000)
    inside = (events[:, None] >= seen) & (events[:, None] < seen + bin_ms / 1000)
    np.testing.assert_array_equal(counts[:, 0], inside.sum(axis=0))


@given(edges=st.sets(st.integers(0, LAST_MS), max_size=40).map(sorted), bin_ms=bins_ms, data=st.data())
def test_a_bin_holds_a_value_of_the_interval_around_its_middle(edges, bin_ms, data):
    values = data.draw(st.lists(numbers, min_size=len(edges) // 2, max_size=len(edges) // 2))
    starts = starts_s(bin_ms)
    held = intervals(edges, values).binned(starts, bin_ms / 1000)[:, 0]
    middles = starts + bin_ms / 2000
    expected = np.full(len(middles), np.nan, np.float32)
    for start, stop, value in zip(edges[::2], edges[1::2], values, strict=False):
        expected[(middles > start / 1000 - 1e-6) & (middles < stop / 1000 - 1e-6)] = value
    np.testing.assert_array_equal(held, expected)


@given(
    times=st.sets(st.integers(0, LAST_MS), max_size=60).map(sorted), bin_ms=bins_ms, clock_s=clocks_s, data=st.data()
)
def test_shifting_the_clock_changes_nothing(times, bin_ms, clock_s, data):
    values = data.draw(st.lists(numbers, min_size=len(times), max_size=len(times)))
    made = (
        continuous,
        intervals,
        lambda times, _, clock_s=0.0: Series.of_events(np.array(times, float) / 1000 + clock_s),
    )
    for make in made:
        here = make(times, values).binned(starts_s(bin_ms), bin_ms / 1000)
        there = make(times, values, clock_s).binned(starts_s(bin_ms, clock_s), bin_ms / 1000)
        scale = max(map(abs, values), default=0)
        np.testing.assert_allclose(there, here, rtol=1e-5, atol=1e-3 * scale)  # of a ms, 1.6e9 s keeps 0.2 µs
