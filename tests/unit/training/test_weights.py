"""Weights as arrays: checked, given, drawn."""

import numpy as np
import pytest
import torch
from torch import nn

from nwb_neurid.errors import WrongWeights
from nwb_neurid.training import draw_weights, with_weights


def make():
    return nn.Linear(3, 2)


def test_what_is_drawn_fits_and_draws_nothing_else():
    before = torch.random.get_rng_state()
    state = draw_weights(make, 1)
    torch.testing.assert_close(torch.random.get_rng_state(), before)
    module = with_weights(make, state, owner="the network")
    assert not module.training
    np.testing.assert_array_equal(module.weight.detach().numpy(), state["weight"])
    assert not np.array_equal(state["weight"], draw_weights(make, 2)["weight"])


def test_all_faults_are_listed():
    state = {"weight": np.zeros((3, 3), np.float32), "scale": np.zeros(1, np.float32)}
    with pytest.raises(
        WrongWeights, match=r"(?s)Ours do not fit the network:\n  - missing bias.*unexpected scale.*has shape"
    ):
        with_weights(make, state, owner="the network", origin="Ours")
    broken = draw_weights(make, 0) | {"bias": np.array([np.nan, 0], np.float32)}
    with pytest.raises(WrongWeights, match="bias holds numbers that are not finite"):
        with_weights(make, broken, owner="the network")


def test_a_module_that_grows_beyond_its_weights_is_given_up():
    class Endless(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(10**9))

    with pytest.raises(
        WrongWeights,
        match=r"The weights do not fit the network: they consist of 2 arrays, but .* more than \d+",
    ):
        with_weights(Endless, draw_weights(make, 0), owner="the network")
    draw_weights(lambda: nn.ModuleList(nn.Linear(1, 1) for _ in range(500)), 0)  # what is built later is not counted


def test_sizes_that_no_tensor_can_have_are_refused():
    with pytest.raises(WrongWeights, match="The weights do not fit the network: it cannot be built"):
        with_weights(lambda: nn.Linear(2**40, 2**40), draw_weights(make, 0), owner="the network")


def test_of_very_many_faults_some_are_listed():
    many = draw_weights(make, 0) | {f"extra {number}": np.zeros(1, np.float32) for number in range(1000)}
    with pytest.raises(WrongWeights) as caught:
        with_weights(make, many, owner="the network")
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("980 more")
