"""Regions show in how their neurons move together, not in how much they fire."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.simulate import simulate
from nwb_neurid.simulate.regions import (
    RUNNING_CM_S,
    SLOW_HZ,
    Region,
    compute_speed_cm_s,
    draw_regions,
    draw_rhythms,
    draw_shared_currents,
    draw_slow_drives,
)

STEPS, STEP_S = 1000, 1e-3


def region(**others):
    return Region(
        **{"name": "A", "rhythm_hz": 10.0, "slow_s": 1.0, "slow_depth": 2.0, "running": 0.0, "local": 0.8} | others
    )


@pytest.fixture(scope="module")
def animals():
    return [simulate(90, 120.0, 5, regions=3, animal=animal) for animal in range(2)]


def test_neurons_of_a_region_move_together_slowly(animals):
    for animal in animals:
        counts = animal.population().binned(0.5).astype(float)
        correlation = np.corrcoef(counts)
        same = animal.brain_region[:, None] == animal.brain_region
        pairs = ~np.eye(len(counts), dtype=bool)
        assert np.nanmean(correlation[same & pairs]) > np.nanmean(correlation[~same]) + 0.05


def test_regions_fire_about_as_much(animals):
    rates_hz = np.concatenate([np.diff(animal.splits) / animal.duration_s for animal in animals])
    regions = np.concatenate([animal.brain_region for animal in animals])
    medians = [np.median(rates_hz[regions == name]) for name in np.unique(regions)]
    within = [np.std(rates_hz[regions == name]) for name in np.unique(regions)]
    assert np.ptp(medians) < 0.7 * np.mean(within)


@given(seed=st.integers(0, 1000), count=st.integers(2, 26))
def test_regions_differ_in_every_property(seed, count):
    regions = draw_regions(np.random.default_rng(seed), count)
    for name in ("name", "rhythm_hz", "slow_s", "slow_depth", "running", "local"):
        assert len({getattr(one, name) for one in regions}) == count
    assert all(0 < one.local < 1 for one in regions)


def test_a_single_region_keeps_all_its_synapses():
    assert draw_regions(np.random.default_rng(0), 1)[0].local == 1.0


def test_slow_drives_have_unit_variance_and_their_time_constant():
    drives = draw_slow_drives(np.random.default_rng(1), (region(slow_s=0.5), region(slow_s=3.0)), 200_000)
    assert drives.shape == (200_000, 3)
    np.testing.assert_allclose(drives.std(axis=0), 1.0, atol=0.05)
    for signal, slow_s in ((1, 0.5), (2, 3.0)):
        lag = round(slow_s * SLOW_HZ)
        lagged = np.corrcoef(drives[:-lag, signal], drives[lag:, signal])[0, 1]
        assert abs(lagged - np.exp(-1)) < 0.05


def test_rhythms_peak_at_their_frequency_and_go_on_from_block_to_block():
    blocks = draw_rhythms(np.random.default_rng(2), (region(rhythm_hz=8.0), region(rhythm_hz=30.0)), STEPS, STEP_S)
    rhythm = np.concatenate([next(blocks) for _ in range(100)])
    assert np.abs(rhythm).max() <= 1
    moved = np.abs(np.diff(rhythm, axis=0))
    assert np.all(moved[STEPS - 1 :: STEPS].mean(axis=0) < 1.5 * moved.mean(axis=0))
    power = (np.abs(np.fft.rfft(rhythm.reshape(100, STEPS, 2), axis=1)) ** 2).mean(axis=0)
    np.testing.assert_allclose(np.argmax(power[1:], axis=0) + 1, [8, 30], atol=2)


def test_the_animal_stands_still_where_its_drive_is_below_zero():
    slow = np.array([[-1.0, 5.0], [0.0, 5.0], [2.0, 5.0]])
    np.testing.assert_array_equal(compute_speed_cm_s(slow), [0.0, 0.0, 2 * RUNNING_CM_S])


def test_a_neuron_gets_the_drive_of_its_own_region_only():
    regions = (region(running=1.0, slow_depth=3.0), region(running=-1.0, slow_depth=5.0))
    slow = np.zeros((SLOW_HZ, 3))
    slow[:, 1] = 1.0
    (current,) = draw_shared_currents(
        np.random.default_rng(0), regions, np.array([0, 1]), slow, np.array([1.0, 1.0]), np.zeros(2), STEPS, STEP_S
    )
    np.testing.assert_allclose(current, np.tile([3.0, 0.0], (STEPS, 1)))


def test_running_moves_regions_against_each_other():
    regions = (region(running=1.0), region(running=-1.0))
    slow = np.zeros((SLOW_HZ, 3))
    slow[:, 0] = 1.0
    (current,) = draw_shared_currents(
        np.random.default_rng(0), regions, np.array([0, 1]), slow, np.array([1.0, 2.0]), np.zeros(2), STEPS, STEP_S
    )
    assert np.all(current[:, 0] > 0)
    np.testing.assert_allclose(current[:, 1], -2 * current[:, 0])
