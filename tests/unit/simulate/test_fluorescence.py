"""Fluorescence: one transient for a spike, saturation, and noise that does not move with the spikes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.errors import InvalidOption
from nwb_neurid.simulate.fluorescence import DECAY_S, NOISE_DFF, RISE_S, SATURATED_DFF, SPIKE_DFF, simulate_fluorescence


@pytest.fixture
def without_noise(monkeypatch):
    monkeypatch.setattr("nwb_neurid.simulate.fluorescence.NOISE_DFF", 0.0)


def of(*trains_s, duration_s=10.0, **options):
    splits = np.cumsum([0, *map(len, trains_s)]).astype(np.int64)
    return simulate_fluorescence(np.concatenate(trains_s).astype(float), splits, duration_s, **options)


@given(first_s=st.floats(0, 5), second_s=st.floats(0, 5), rate_hz=st.floats(2, 60))
def test_the_trace_is_the_sum_of_the_kernels_at_the_end_of_each_frame(first_s, second_s, rate_hz):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nwb_neurid.simulate.fluorescence.NOISE_DFF", 0.0)
        train = np.sort([first_s, second_s])
        traces = of(train, rate_hz=rate_hz)
    ends_s = (np.arange(traces.values.shape[1]) + 1) / rate_hz
    after = ends_s[:, None] - train
    kernel = np.where(after >= 0, np.exp(-after / DECAY_S) - np.exp(-after / RISE_S), 0.0)
    at_s = np.linspace(0, 2, 20_001)
    linear = SPIKE_DFF * kernel.sum(axis=1) / (np.exp(-at_s / DECAY_S) - np.exp(-at_s / RISE_S)).max()
    np.testing.assert_allclose(traces.values[0], linear / (1 + linear / SATURATED_DFF), atol=1e-3)


def test_a_spike_rises_fast_and_decays_slowly(without_noise):
    trace = of(np.array([1.0]), rate_hz=200.0).values[0]
    peak = np.argmax(trace)
    assert abs(trace[peak] - SPIKE_DFF / (1 + SPIKE_DFF / SATURATED_DFF)) < 0.002
    assert 0.05 < peak / 200.0 - 1.0 < 0.2
    assert not trace[:199].any()
    half = np.flatnonzero(trace[peak:] < trace[peak] / 2)[0] / 200.0
    assert 0.3 < half < 0.6


def test_traces_saturate(without_noise):
    fast = of(np.arange(0.0, 10.0, 0.001)).values
    assert 0.7 * SATURATED_DFF < fast.max() < SATURATED_DFF


def test_noise_is_larger_where_frames_are_shorter():
    for rate_hz in (4.28, 4 * 4.28):
        silent = of(np.empty(0), duration_s=400.0, rate_hz=rate_hz).values
        np.testing.assert_allclose(silent.std(), NOISE_DFF * np.sqrt(rate_hz / 4.28), rtol=0.05)


def test_one_seed_is_one_noise_and_a_longer_trace_begins_with_the_shorter_one():
    trains = [np.array([0.5]), np.empty(0)]
    first, again, other = (of(*trains, seed=seed).values for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(of(*trains, seed=1, duration_s=5.0).values, first[:, : int(5.0 * 4.28)])


@pytest.mark.parametrize(("rate_hz", "got"), [(0.0, "0"), (-4.0, "-4"), (np.inf, "inf"), (np.nan, "nan")])
def test_a_rate_that_is_none_is_refused(rate_hz, got):
    with pytest.raises(InvalidOption) as refused:
        of(np.empty(0), rate_hz=rate_hz)
    assert str(refused.value) == f"The frame rate to simulate must be finite and above 0 Hz, got {got} Hz."


def test_a_duration_without_a_frame_is_refused():
    with pytest.raises(InvalidOption) as refused:
        of(np.empty(0), duration_s=0.1, rate_hz=4.0)
    assert str(refused.value) == "0.1 s hold no frame at 4 Hz. Simulate 0.25 s or more."
