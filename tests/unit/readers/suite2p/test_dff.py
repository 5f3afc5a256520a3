"""dF/F: the definition by loops, and the laws that it keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.dff import FLOOR, compute_dff, find_baseline

seeds = st.integers(0, 10_000)
windows = st.integers(1, 60)


def walks(seed, units=2, frames=80):
    return np.random.default_rng(seed).normal(0, 1, (units, frames)).cumsum(axis=1) + 50


@given(seed=seeds, sigma=st.sampled_from([0.0, 0.4, 1.0, 3.7, 10.0]), window=windows, frames=st.integers(1, 50))
def test_maximin_is_its_definition(suite2p, seed, sigma, window, frames):
    traces = walks(seed, frames=frames)
    expected = [suite2p.maximin_by_loops(trace, sigma, window // 2 * 2 + 1) for trace in traces]
    np.testing.assert_allclose(find_baseline(traces, sigma_frames=sigma, window_frames=window), expected, rtol=1e-12)


@given(seed=seeds, window=windows)
def test_without_smoothing_the_baseline_lies_below_the_trace_and_is_its_own_baseline(seed, window):
    traces = walks(seed)
    baseline = find_baseline(traces, sigma_frames=0.0, window_frames=window)
    assert np.all(baseline <= traces)
    np.testing.assert_array_equal(find_baseline(baseline, sigma_frames=0.0, window_frames=window), baseline)


def test_a_window_longer_than_the_trace_is_its_minimum():
    traces = walks(3)
    baseline = find_baseline(traces, sigma_frames=0.0, window_frames=10**15)
    np.testing.assert_array_equal(baseline, np.broadcast_to(traces.min(axis=1, keepdims=True), traces.shape))


@given(seed=seeds, scale=st.floats(1e-3, 1e3), coefficient=st.floats(0, 1))
def test_dff_knows_no_units_of_fluorescence(seed, scale, coefficient):
    raw, neuropil = walks(seed), walks(seed + 1)
    options = {"coefficient": coefficient, "sigma_frames": 2.0, "window_frames": 21}
    expected = compute_dff(raw, neuropil, **options)
    np.testing.assert_allclose(compute_dff(scale * raw, scale * neuropil, **options), expected, rtol=1e-9, atol=1e-12)


def transients(seed, units=3, frames=400):
    """Bursts of 5 frames, at least 40 apart: the minimum over 30 frames sees between them."""
    rng = np.random.default_rng(seed)
    traces = np.zeros((units, frames))
    for trace in traces:
        for start in range(20, frames - 40, 50):
            trace[start + rng.integers(5) :][:5] = rng.uniform(0.1, 8)
    return traces


@given(seed=seeds, baseline=st.floats(10, 1e4))
def test_transients_on_a_constant_baseline_are_recovered(seed, baseline):
    expected = transients(seed)
    raw = baseline * (1 + expected)
    found = compute_dff(raw, np.zeros_like(raw), coefficient=0.7, sigma_frames=2.0, window_frames=31)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(seed=seeds)
def test_what_neuropil_adds_is_taken_away_again(seed):
    cell = 300 * (1 + transients(seed))
    neuropil = walks(seed, *cell.shape)
    options = {"sigma_frames": 2.0, "window_frames": 31}
    alone = compute_dff(cell, np.zeros_like(cell), coefficient=0.0, **options)
    within = compute_dff(cell + 0.7 * neuropil, neuropil, coefficient=0.7, **options)
    np.testing.assert_allclose(within, alone, atol=1e-9)


@given(seed=seeds, excess=st.floats(-0.4, 0.03))
def test_an_roi_as_dim_as_its_neuropil_stays_bounded(seed, excess):
    """Its corrected baseline nears zero and passes it; the denominator stays at 0.32 of the raw baseline."""
    neuropil = np.full((3, 400), 100.0)
    raw = 100 * (1 + excess) + 50 * transients(seed)
    found = compute_dff(raw, neuropil, coefficient=0.7, sigma_frames=2.0, window_frames=31)
    np.testing.assert_allclose(found, 50 * transients(seed) / (FLOOR * 100 * (1 + excess)), atol=1e-9)


def test_the_floor_is_what_an_roi_of_three_percent_keeps():
    assert pytest.approx((103 - 0.7 * 100) / 103) == FLOOR


def test_where_the_raw_baseline_is_not_positive_there_is_no_dff():
    raw = np.array([[5.0, 5, -1, 5, 5], [0.0, 0, 3, 0, 0]])
    found = compute_dff(raw, np.zeros_like(raw), coefficient=0.7, sigma_frames=0.0, window_frames=3)
    np.testing.assert_array_equal(np.isnan(found), [[False, False, True, False, False], [True] * 5])
    found = compute_dff(raw, np.zeros_like(raw), coefficient=0.7, sigma_frames=0.0, window_frames=11)
    assert np.isnan(found).all()
