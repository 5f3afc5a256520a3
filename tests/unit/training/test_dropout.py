"""Dropout: torch's own in what it does, and in what it follows."""

import pytest
import torch
from torch import nn

from nwb_neurid.training import Dropout


def dropped(share, shape=(100, 1001), seed=0, dtype=torch.float32):
    torch.default_generator.manual_seed(seed)
    return Dropout(share)(torch.ones(shape, dtype=dtype))


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.9])
def test_a_share_is_zero_and_the_rest_keeps_the_mean(share):
    found = dropped(share)
    assert float((found == 0).float().mean()) == pytest.approx(share, abs=0.005)
    assert found.unique().tolist() == pytest.approx([0, 1 / (1 - share)])


def test_elements_are_zeroed_independently():
    zero = (dropped(0.5) == 0).float() - 0.5
    for neighbour in (zero[:, 1:] * zero[:, :-1], zero[1:] * zero[:-1], zero[:, 4:] * zero[:, :-4]):
        assert abs(float(neighbour.mean())) < 0.005


def test_the_seed_of_torch_decides():
    assert torch.equal(dropped(0.2), dropped(0.2))
    assert not torch.equal(dropped(0.2), dropped(0.2, seed=1))
    torch.default_generator.manual_seed(0)
    layer, x = Dropout(0.2), torch.ones(1000)
    assert not torch.equal(layer(x), layer(x))


def test_the_gradient_passes_where_the_value_did():
    x = torch.ones(50, 7, requires_grad=True)
    found = Dropout(0.3)(x)
    found.sum().backward()
    assert torch.equal(x.grad, found.detach())


@pytest.mark.parametrize("layer", [Dropout(0.0), Dropout(0.2).eval()])
def test_outside_of_training_nothing_happens(layer):
    x = torch.ones(5)
    before = torch.get_rng_state()
    assert layer(x) is x
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (0, 4), (2, 3, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shape_and_type_stay(shape, dtype):
    found = dropped(0.2, shape, dtype=dtype)
    assert (found.shape, found.dtype) == (shape, dtype)


def test_it_has_no_weights():
    assert not Dropout(0.2).state_dict()
    assert isinstance(Dropout(0.2), nn.Module)
