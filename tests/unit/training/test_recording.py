import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid import Population, Spikes, Traces
from nwb_neurid.labels.duplicates import find_twins
from nwb_neurid.training import WindowOptions
from nwb_neurid.training.recording import Recording

OPTIONS = WindowOptions(bin_s=0.1, token_bins=5, tokens=2)  # windows of 1 s, 10 bins
CPU = torch.device("cpu")


def test_a_pair_shares_no_bin_and_lies_in_reach(make_population):
    recording = Recording(make_population(duration_s=30.0), OPTIONS, CPU)
    # The activity of every bin becomes its own number, which tells where a view begins.
    recording.values = torch.arange(recording.bins)[None].expand(recording.units, -1).clone()
    pairs = recording.draw(np.random.default_rng(0), windows=500, bins=10, farthest=25)
    first, second = pairs.values[:, :, 0, 0].numpy()
    distance = np.abs(first - second)
    assert pairs.values.shape == (2, 500, recording.units, 10)
    assert (distance.min(), distance.max()) == (10, 25)
    assert min(first.min(), second.min()) == 0
    assert max(first.max(), second.max()) == recording.bins - 10


@given(seed=st.integers(0, 100), gap_s=st.floats(3.0, 15.0), length_s=st.floats(0.2, 3.0))
def test_views_lie_in_unbroken_observation(make_population, seed, gap_s, length_s):
    population = make_population(seed=seed, duration_s=20.0, gaps=[(gap_s, gap_s + length_s)])
    recording = Recording(population, OPTIONS, CPU)
    at = population.bin_starts_s(0.1)
    recording.values = torch.from_numpy(at)[None].expand(recording.units, -1).clone()
    pairs = recording.draw(np.random.default_rng(seed), windows=50, bins=10, farthest=200)
    steps = torch.diff(pairs.values, dim=-1)
    assert steps.max() == pytest.approx(0.1, abs=1e-9)


def test_a_unit_is_active_only_where_it_was_observed(make_population):
    population = make_population(duration_s=20.0, rate_hz=30.0, absences={1: [(5.0, 15.0)]})
    recording = Recording(population, OPTIONS, CPU)
    starts = torch.arange(recording.bins, dtype=torch.float32)[None].expand(recording.units, -1)
    counts = recording.values
    recording.values = starts + (counts > 300)  # where each view begins, and never constant
    pairs = recording.draw(np.random.default_rng(1), windows=300, bins=10, farthest=200)
    begins_s = pairs.values[:, :, 1, 0].numpy() * 0.1
    inside = (begins_s > 5 - 0.95) & (begins_s < 15 - 0.05)
    np.testing.assert_array_equal(pairs.active[:, :, 1], ~inside)
    assert pairs.active[:, :, 0].all()


def test_a_silent_unit_and_one_beside_a_nan_are_not_active():
    values = np.random.default_rng(0).normal(size=(4, 300)).astype(np.float32)
    values[1] = 2.0
    values[2, 100:140] = np.nan
    population = Population(
        unit_ids=np.arange(4),
        activity=Traces(values=values, rate_hz=10.0),
        observed_s=np.array([[0.0, 30.0]]),
    )
    recording = Recording(population, OPTIONS, CPU)
    pairs = recording.draw(np.random.default_rng(0), windows=200, bins=10, farthest=300)
    assert pairs.active[:, :, [0, 3]].all()
    assert not pairs.active[:, :, 1].any()
    damaged = torch.isnan(pairs.values[:, :, 2]).any(-1).numpy()
    np.testing.assert_array_equal(pairs.active[:, :, 2], ~damaged)


@pytest.mark.parametrize(("duration_s", "enough"), [(1.9, False), (2.1, True), (0.5, False)])
def test_two_windows_must_fit(make_population, duration_s, enough):
    recording = Recording(make_population(duration_s=duration_s), OPTIONS, CPU)
    assert recording.has_pairs(10, 300) is enough


def test_short_trials_are_stitched(make_population):
    gaps = [(0.7 + second, 1.0 + second) for second in range(20)]
    recording = Recording(make_population(duration_s=20.0, gaps=gaps), OPTIONS, CPU)
    assert recording.has_pairs(10, 300)


def test_a_neuron_recorded_twice_is_found():
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 100, 800)) for _ in range(6)]
    trains[4] = np.sort(trains[1] + rng.normal(0, 1e-4, 800))
    population = Population(unit_ids=np.arange(6), activity=Spikes.of(trains), observed_s=np.array([[-1.0, 101.0]]))
    found = find_twins(population, population.binned(0.02))
    assert np.argwhere(found.toarray()).tolist() == [[1, 4], [4, 1]]


def test_independent_units_are_no_twins(make_population):
    population = make_population(units=30, duration_s=60.0, rate_hz=40.0)
    assert find_twins(population, population.binned(0.02)) is None


def test_a_cell_in_two_planes_is_found():
    values = np.random.default_rng(0).normal(size=(5, 400)).astype(np.float32)
    values[3] = 2 * values[0] + 1
    values[4] = 0
    population = Population(
        unit_ids=np.arange(5), activity=Traces(values=values, rate_hz=10.0), observed_s=np.array([[0.0, 40.0]])
    )
    assert np.argwhere(find_twins(population, values).toarray()).tolist() == [[0, 3], [3, 0]]


def test_a_recording_that_streams_draws_the_same_windows(make_population):
    population = make_population(duration_s=30.0)
    here, streamed = (Recording(population, OPTIONS, CPU, room_bytes=room) for room in (math.inf, 10.0))
    assert (here.on_device, streamed.on_device) == (True, False)
    for windows in (3, 1):
        left, right = (each.draw(np.random.default_rng(0), windows, 250, 500) for each in (here, streamed))
        assert torch.equal(left.values, right.values)
        assert np.array_equal(left.active, right.active)
