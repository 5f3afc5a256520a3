"""Test the rules for every encoder, and the results of this encoder."""

import numpy as np
import pytest

from neurid_acg3d import LAG_EDGES_S, PLUGIN, autocorrelograms, levels_of
from nwb_neurid.testing import EncoderConformance


class TestDeciles(EncoderConformance):
    plugin = PLUGIN


class TestHalves(EncoderConformance):
    plugin = PLUGIN
    preset = "halves"


def test_a_poisson_train_is_flat_at_every_level_when_rates_are_not_told_apart():
    train_s = np.cumsum(np.random.default_rng(0).exponential(0.05, 20_000))
    runs_s = np.array([[0.0, train_s[-1] + 1]])
    assert np.abs(autocorrelograms(train_s, runs_s, 1) - 1).max() < 0.15


def test_a_rhythm_shows_at_the_level_at_which_it_is_kept():
    slow, fast = np.arange(0, 60, 0.2), np.arange(60, 120, 0.02)
    train_s = np.r_[slow, fast]
    found = autocorrelograms(train_s, np.array([[0.0, 120.0]]), 10)
    lag = np.searchsorted(LAG_EDGES_S, [0.02, 0.2], "right") - 1
    assert found[-1, lag[0]] > 2
    assert found[0, lag[0]] < found[0, lag[1]]


def test_levels_hold_the_same_number_of_spikes_and_rise_with_the_rate():
    train_s = np.r_[np.arange(0, 50, 0.5), np.arange(50, 51, 0.01)]
    level = levels_of(train_s, np.zeros(200, np.int64), 2)
    assert (level[:95] == 0).all()
    assert (level[105:] == 1).all()
    assert np.bincount(level).tolist() == [100, 100]


@pytest.mark.parametrize("gap_s", [0.01, 5.0])
def test_no_pair_reaches_across_a_gap(gap_s):
    train_s = np.array([0.9995, 1.0 + gap_s + 0.0005])
    runs_s = np.array([[0.0, 1.0], [1.0 + gap_s, 2.0 + gap_s]])
    apart = autocorrelograms(train_s, runs_s, 1)
    assert apart.max() <= 1
