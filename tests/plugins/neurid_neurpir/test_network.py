"""The network: what a step sees, and the symmetries that follow."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurid_neurpir import PLUGIN, build, initial_state
from neurid_neurpir.config import NetworkConfig
from neurid_neurpir.network import PIECE_STEPS, Network, lag_edges
from neurid_neurpir.surroundings import ROLES
from nwb_neurid.errors import InvalidModel, WrongWeights

SIZES = {"token_bins": 25, "tokens": 4, "reach_s": 0.1, "most_hz": 10.0, "hidden": 16, "layers": 2, "dim": 8}
STEP = {"spikes": {"bin_s": 0.004}, "dff": {"rate_hz": 250.0}}


def network(activity="spikes", channels=0, **sizes):
    config = {"activity": activity, "behaviour": tuple(ROLES)[:channels], "masked": 0.5, **STEP[activity], **SIZES}
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        return Network(NetworkConfig(**config | sizes)).eval()


def spikes(seed=0, windows=2, units=5, bins=400, rate=0.05):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.poisson(rate, (windows, units, bins)).astype(np.uint8))


@given(st.integers(1, 5000))
def test_lags_grow_and_reach_as_far_as_asked(reach):
    edges = np.array(lag_edges(reach))
    assert edges[0] == 0
    assert edges[1] == 1
    assert np.all(np.diff(edges) > 0)
    assert edges[-2] < reach <= edges[-1] or reach == 1
    assert edges[-1] <= 1.5 * reach + 1


def test_permuting_units_permutes_vectors():
    activity, order = spikes(), torch.tensor([3, 1, 4, 0, 2])
    net = network()
    with torch.inference_mode():
        torch.testing.assert_close(net(activity[:, order]), net(activity)[:, order])


def test_padding_changes_nothing_even_where_it_is_not_a_number():
    activity = spikes().float()
    padded = torch.cat([activity, torch.full((2, 1, 400), torch.nan)], 1)
    present = torch.tensor([[True] * 5 + [False]] * 2)
    for kind in ("spikes", "dff"):
        net = network(kind)
        with torch.inference_mode():
            torch.testing.assert_close(net(padded, present)[:, :5], net(activity))


def test_each_unit_sees_the_mean_of_the_others_and_not_its_own():
    activity = spikes()
    net = network()
    with torch.inference_mode():
        before = net(activity)
        changed = activity.clone()
        changed[:, 0] = activity[:, 0].roll(137, dims=-1)
        after = net(changed)
    assert not torch.allclose(before[:, 1:], after[:, 1:], atol=1e-5)
    alone = network()
    with torch.no_grad():
        alone.around.weight.zero_()
        before, after = alone(activity), alone(changed)
    torch.testing.assert_close(before[:, 1:], after[:, 1:])


def test_a_unit_alone_has_a_vector():
    with torch.inference_mode():
        assert torch.isfinite(network()(spikes(units=1))).all()


def test_what_surrounds_a_unit_can_be_masked_and_is_then_not_seen():
    net = network(channels=1, masked=0.0).train()
    net.masked = 1.0
    activity, speed = spikes(), torch.randn(2, 1, 400)
    with torch.no_grad():
        torch.testing.assert_close(net(activity, None, speed), net(activity, None, -speed))
        net.masked = 0.0
        assert not torch.allclose(net(activity, None, speed), net(activity, None, -speed), atol=1e-5)


def test_unknown_behaviour_is_as_if_it_were_not_there():
    net = network(channels=2)
    with torch.no_grad():
        net.unseen.normal_()
        net.learnt.fill_(1)
    activity, unknown = spikes(), torch.full((2, 2, 400), torch.nan)
    with torch.inference_mode():
        found = net(activity, None, unknown)
        assert torch.isfinite(found).all()
        torch.testing.assert_close(net(activity, None, unknown.clone()), found)
        half = unknown.clone()
        half[:, 0] = torch.randn(2, 400)
        assert not torch.allclose(net(activity, None, half), found, atol=1e-5)


def test_behaviour_that_no_training_had_is_not_looked_at():
    net, activity, behaviour = network(channels=2), spikes(), torch.randn(2, 2, 400)
    partly = behaviour.clone()
    partly[:, 1] = torch.nan
    with torch.no_grad():
        torch.testing.assert_close(net(activity, None, behaviour), net(activity, None, -behaviour))
        net.train()(activity, None, partly)
        assert net.eval().learnt.tolist() == [1, 0]
        torch.testing.assert_close(net(activity, None, behaviour), net(activity, None, partly))
        assert not torch.allclose(net(activity, None, behaviour), net(activity, None, -behaviour), atol=1e-5)


@pytest.mark.parametrize("bins", [50, 400, 1000])
def test_segments_of_any_length(bins):
    with torch.inference_mode():
        assert network()(spikes(bins=bins, rate=0.2)).shape == (2, 5, 8)


def test_steps_are_the_bins_that_fire_thinned_evenly():
    values = torch.zeros(2, 1000)
    values[0, ::5] = 1
    values[1, [3, 500]] = 2
    row, at = network(most_hz=10.0)._choose_steps(values)  # 4 s: 40 steps at most
    assert at[row == 1].tolist() == [3, 500]
    assert torch.diff(at[row == 0]).unique().tolist() == [25]
    assert int((row == 0).sum()) == 40


def test_pieces_do_not_change_vectors(monkeypatch):
    activity = spikes(rate=0.3)
    net = network()
    with torch.inference_mode():
        whole = net(activity)
        monkeypatch.setitem(PIECE_STEPS, "cpu", 7)
        torch.testing.assert_close(net(activity), whole)


def test_a_config_that_cannot_be_used_is_told_whole():
    config = {**PLUGIN.presets["small"], "dim": 0, "behaviour": ["mood"], "extra": 1}
    with pytest.raises(
        InvalidModel, match=r"(?s)NeurPIR network cannot be used.*extra is unknown.*dim must.*behaviour must"
    ):
        initial_state(config, 0)


def test_weights_that_do_not_fit_are_told():
    config = PLUGIN.presets["small"]
    state = dict(initial_state(config, 0))
    state["unseen"] = state["unseen"][:1]
    with pytest.raises(WrongWeights, match="do not fit the NeurPIR network:\n  - unseen has shape"):
        build(config, state, "cpu")
