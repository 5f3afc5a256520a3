"""Synapses: none of a neuron on itself, of the strength that was asked for, as local as was asked for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.simulate.wiring import FANOUT, draw_synapses


@given(units=st.integers(2, 60), regions=st.integers(1, 5), local=st.floats(0, 0.99), seed=st.integers(0, 100))
def test_no_neuron_reaches_itself(units, regions, local, seed):
    rng = np.random.default_rng(seed)
    region = rng.integers(regions, size=units)
    share = np.full(regions, 1.0 if regions == 1 else local)
    targets, weights = draw_synapses(rng, region, share, np.ones(units))
    assert targets.shape == weights.shape == (units, min(FANOUT, units - 1))
    assert np.all((targets >= 0) & (targets < units))
    assert not np.any(targets == np.arange(units)[:, None])


def test_a_neuron_alone_has_no_synapse():
    targets, weights = draw_synapses(np.random.default_rng(0), np.zeros(1, np.int64), np.ones(1), np.ones(1))
    assert targets.shape == weights.shape == (1, 0)


def test_synapses_are_as_local_as_asked():
    region = np.arange(400) % 2
    targets, _ = draw_synapses(np.random.default_rng(0), region, np.array([0.5, 0.9]), np.ones(400))
    same = region[targets] == region[:, None]
    # Half of those that go anywhere come back to the region.
    assert abs(same[region == 0].mean() - 0.75) < 0.03
    assert abs(same[region == 1].mean() - 0.95) < 0.03


def test_weights_sum_to_the_strength_whatever_the_size():
    for units in (50, 400):
        strength = np.where(np.arange(units) % 2, 20.0, -30.0)
        _, weights = draw_synapses(np.random.default_rng(0), np.zeros(units, np.int64), np.ones(1), strength)
        assert np.all(np.sign(weights) == np.sign(strength)[:, None])
        np.testing.assert_allclose(weights.sum(axis=1)[1::2].mean(), 20.0, rtol=0.15)
