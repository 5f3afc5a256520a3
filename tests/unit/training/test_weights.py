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
