"""Laws of populations and of the windows cut from them, on any clock.

Recordings are drawn in whole ticks of an amplifier's clock, where what is right can be told without rounding.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.population import Population, Spikes
from nwb_neurid.training import WindowOptions, cut

pytestmark = pytest.mark.filterwarnings("ignore:.* spikes lie outside observed_s")  # by design

TICK_HZ = 30_000
CELL = 150  # ticks, 5 ms: observation begins and ends at whole cells
CELLS = 800
DURATION_S = CELLS * CELL / TICK_HZ

clocks_s = st.sampled_from([0.1, -12.34, 1e5 / 3, 1.6e9]) | st.floats(-1e6, 1e6)
moments_s = st.floats(-1, DURATION_S + 1)


@dataclass(frozen=True)
class Recording:
    """Spikes in ticks, an array for each unit, and which cells each unit was observed in, shape (units, cells)."""

    trains: list[np.ndarray]
    seen: np.ndarray

    def population(self, clock_s=0.0, *, trains=None, splits=()):
        """The recording on a session clock that starts at `clock_s`, its observed time split at more cells."""
        changes = np.flatnonzero(np.any(self.seen[:, 1:] != self.seen[:, :-1], axis=0)) + 1
        edges = np.unique(np.r_[0, changes, CELLS, splits]).astype(int)
        by_any = self.seen[:, edges[:-1]].any(axis=0)
        seen = self.seen[:, edges[:-1]][:, by_any]
        return Population(
            unit_ids=np.arange(len(self.trains)),
            activity=Spikes.of([train / TICK_HZ + clock_s for train in trains or self.trains]),
            observed_s=np.column_stack([edges[:-1], edges[1:]])[by_any] * CELL / TICK_HZ + clock_s,
            unit_observed=None if seen.all() else seen,
        )

    def observed_trains(self):
        """The spikes in observed cells, in ticks."""
        return [train[seen[train // CELL]] for train, seen in zip(self.trains, self.seen, strict=True)]

    def counts(self, bin_cells):
        """Counts in the whole bins of each run in which any unit was observed, and the cells at which bins start."""
        by_any = np.r_[False, self.seen.any(axis=0), False].astype(int)
        begins, ends = np.flatnonzero(np.diff(by_any) == 1), np.flatnonzero(np.diff(by_any) == -1)
        starts = [
            begin + bin_ * bin_cells
            for begin, end in zip(begins, ends, strict=True)
            for bin_ in range((end - begin) // bin_cells)
        ]
        counts = [
            [np.sum((train >= start * CELL) & (train < (start + bin_cells) * CELL)) for start in starts]
            for train in self.observed_trains()
        ]
        return np.array(counts, int).reshape(len(self.trains), len(starts)), np.array(starts, int)


@st.composite
def recordings(draw):
    """A few units with gaps common to all and absences of their own; many spikes lie on the edges of cells."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rates = draw(st.lists(st.sampled_from([0, 3, 40, 400]), min_size=1, max_size=4))
    seen = np.ones((len(rates), CELLS), bool)
    span = st.tuples(st.integers(0, CELLS - 1), st.integers(1, 300))
    for first, cells in draw(st.lists(span, max_size=4)):
        seen[:, first : first + cells] = False
    for unit, (first, cells) in draw(st.lists(st.tuples(st.integers(0, len(rates) - 1), span), max_size=4)):
        seen[unit, first : first + cells] = False
    trains = []
    for rate in rates:
        ticks = rng.integers(0, CELLS * CELL, rate)
        trains.append(np.unique(np.where(rng.random(rate) < 0.3, ticks // CELL * CELL, ticks)))
    return Recording(trains, seen)


def assert_same(left, right):
    np.testing.assert_array_equal(left.unit_ids, right.unit_ids)
    np.testing.assert_array_equal(left.observed_s, right.observed_s)
    np.testing.assert_array_equal(left.spikes.times_s, right.spikes.times_s)
    np.testing.assert_array_equal(left.spikes.splits, right.spikes.splits)
    np.testing.assert_array_equal(observation(left), observation(right))


def observation(population):
    shape = len(population), len(population.observed_s)
    return np.ones(shape, bool) if population.unit_observed is None else population.unit_observed


@given(recording=recordings(), edges=st.tuples(moments_s, moments_s, moments_s, moments_s))
def test_slicing_twice_is_slicing_by_the_overlap(recording, edges):
    population, (a, b, c, d) = recording.population(), edges
    assert_same(population.slice(a, b).slice(c, d), population.slice(max(a, c), min(b, d)))


@given(recording=recordings(), edges=st.lists(moments_s, max_size=12), data=st.data())
def test_restricting_and_selecting_commute(recording, edges, data):
    population = recording.population()
    ascending = np.sort(edges)[: len(edges) // 2 * 2].reshape(-1, 2)
    rows = np.array(data.draw(st.lists(st.integers(0, len(population) - 1), max_size=6)), int)
    assert_same(population.restrict(ascending).select(rows), population.select(rows).restrict(ascending))


@given(recording=recordings(), moment_s=moments_s)
def test_two_parts_are_the_whole(recording, moment_s):
    population = recording.population()
    parts = population.slice(-2.0, moment_s), population.slice(moment_s, 9.0)
    counts = [part.spikes.counts() for part in parts]
    np.testing.assert_array_equal(sum(counts), population.spikes.counts())
    np.testing.assert_allclose(sum(part.duration_s for part in parts), population.duration_s, atol=2e-6)


@given(recording=recordings(), data=st.data())
def test_a_permutation_and_its_inverse_change_nothing(recording, data):
    population = recording.population()
    order = np.array(data.draw(st.permutations(range(len(population)))))
    assert_same(population.select(order).select(np.argsort(order)), population)


@given(recording=recordings(), clock_s=clocks_s)
def test_spikes_outside_observed_time_change_nothing(recording, clock_s):
    with_them = recording.population(clock_s)
    assert_same(with_them, recording.population(clock_s, trains=recording.observed_trains()))
    wanted = [len(train) for train in recording.observed_trains()]
    np.testing.assert_array_equal(with_them.spikes.counts(), wanted)


@given(recording=recordings(), bin_cells=st.sampled_from([1, 4, 7, 100]), clock_s=clocks_s)
def test_every_spike_counts_in_its_bin_whatever_the_clock(recording, bin_cells, clock_s):
    population, bin_s = recording.population(clock_s), bin_cells * CELL / TICK_HZ
    counts, starts = recording.counts(bin_cells)
    np.testing.assert_array_equal(population.binned(bin_s), counts)
    np.testing.assert_allclose(population.bin_starts_s(bin_s) - clock_s, starts * CELL / TICK_HZ, atol=1e-6)


@given(recording=recordings(), clock_s=clocks_s)
def test_no_interval_crosses_a_gap(recording, clock_s):
    population = recording.population(clock_s)
    for unit, (train, seen) in enumerate(zip(recording.observed_trains(), recording.seen, strict=True)):
        unbroken = [
            after - before for before, after in pairwise(train) if seen[before // CELL : after // CELL + 1].all()
        ]
        intervals = population.intervals_s(unit)
        np.testing.assert_allclose(intervals, np.array(unbroken) / TICK_HZ, atol=1e-6)


@given(recording=recordings(), splits=st.lists(st.integers(0, CELLS), max_size=5), clock_s=clocks_s)
def test_touching_intervals_are_no_gap(recording, splits, clock_s):
    whole, split = recording.population(clock_s), recording.population(clock_s, splits=splits)
    np.testing.assert_array_equal(whole.runs_s(), split.runs_s())
    np.testing.assert_array_equal(whole.binned(0.02), split.binned(0.02))
    np.testing.assert_allclose(whole.unit_duration_s(), split.unit_duration_s(), atol=1e-6)
    for unit in range(len(whole)):
        np.testing.assert_array_equal(whole.intervals_s(unit), split.intervals_s(unit))


@given(recording=recordings(), token_bins=st.integers(1, 5), tokens=st.integers(1, 8), clock_s=clocks_s)
def test_windows_are_equal_disjoint_and_of_observed_time(recording, token_bins, tokens, clock_s):
    options = WindowOptions(bin_s=0.02, token_bins=token_bins, tokens=tokens)
    windows = cut(recording.population(clock_s), options)
    counts, starts = recording.counts(4)
    run = np.cumsum(np.diff(starts, prepend=-1) != 4)
    assert np.all(np.diff(windows.first) >= options.bins)
    assert np.all(windows.first + options.bins <= windows.values.shape[1])
    if windows.stitched:
        kept = [column for column in range(len(run)) if in_a_whole_token(run, column, token_bins)]
        kept = kept or list(range(len(run)))
        counts, starts = counts[:, kept], starts[kept]
    else:
        assert all(len(set(run[first : first + options.bins])) == 1 for first in windows.first)
    np.testing.assert_array_equal(windows.values, counts)
    for first, active in zip(windows.first, windows.active, strict=True):
        columns = slice(first, first + options.bins)
        cells = (starts[columns, None] + np.arange(4)).ravel()
        observed = recording.seen[:, cells].all(axis=1)
        np.testing.assert_array_equal(active, observed & counts[:, columns].any(axis=1))


def in_a_whole_token(run, column, token_bins):
    """Whether the token that a column would be in, counted from the start of its run, fits into the run."""
    own = np.flatnonzero(run == run[column])
    token = (column - own[0]) // token_bins
    return own[0] + (token + 1) * token_bins <= own[-1] + 1


@given(recording=recordings(), token_bins=st.integers(1, 5), tokens=st.integers(1, 8))
def test_windows_are_stitched_only_where_half_of_the_time_would_be_lost(recording, token_bins, tokens):
    options = WindowOptions(bin_s=0.02, token_bins=token_bins, tokens=tokens)
    windows = cut(recording.population(), options)
    _, starts = recording.counts(4)
    lengths = np.unique(np.cumsum(np.diff(starts, prepend=-1) != 4), return_counts=True)[1]
    whole, could_be = sum(lengths // options.bins), len(starts) // options.bins
    if windows.stitched:
        assert whole < could_be / 2
    else:
        assert len(windows) == whole
