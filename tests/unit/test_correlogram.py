import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nwb_neurid.correlogram import count_pairs

EDGES_S = np.array([0.0, 0.002, 0.01, 0.05, 0.3])
RUNS_S = np.array([[0.0, 1.0], [1.5, 3.0]])


def count_naively(train_s, runs_s, edges_s):
    counts = np.zeros(len(edges_s) - 1, int)
    for start, stop in runs_s:
        own = train_s[(train_s >= start - 1e-6) & (train_s < stop - 1e-6)]
        lags = (own[None] - own[:, None])[np.triu_indices(len(own), 1)]
        counts += np.histogram(lags, edges_s - 1e-6)[0]
    return counts


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 2999), max_size=60, unique=True))
def test_every_pair_within_a_run_counts_once(milliseconds):
    train_s = np.sort(np.array(milliseconds, float)) / 1000 + 3e-4
    train_s = train_s[(train_s < 1.0) | (train_s >= 1.5)]
    np.testing.assert_array_equal(count_pairs(train_s, RUNS_S, EDGES_S), count_naively(train_s, RUNS_S, EDGES_S))


def test_no_pair_spans_a_gap():
    assert count_pairs(np.array([0.95, 1.55]), RUNS_S, np.array([0.0, 1.0])).sum() == 0


def test_a_lag_on_an_edge_is_in_the_next_bin_at_any_clock():
    for start in (0.0, 12345.678):
        train_s = start + np.array([0.0, 0.01, 0.02])
        counts = count_pairs(train_s, np.array([[start, start + 1]]), np.array([0.0, 0.01, 0.02]))
        assert counts.tolist() == [0, 2]


def test_a_single_spike_and_none_have_no_pairs():
    for train_s in (np.array([0.5]), np.empty(0)):
        assert count_pairs(train_s, RUNS_S, EDGES_S).tolist() == [0, 0, 0, 0]
