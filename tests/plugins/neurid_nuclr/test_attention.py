"""Attention: only distances in time count, however large scores are and however rotations are computed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurid_nuclr import attention as module
from neurid_nuclr import products

pytestmark = pytest.mark.usefixtures("one_thread")


def close(left, right, tolerance=1e-5):
    np.testing.assert_allclose(left.detach().numpy(), right.detach().numpy(), rtol=0, atol=tolerance)


@given(shift=st.integers(1, 30))
def test_only_time_differences_count(network, shift):
    attention, _ = network.t_blocks[0]
    x = torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(shift))
    turns = network.rotary_emb(4 + shift)
    close(attention(x, turns=turns[shift:]), attention(x, turns=turns[:4]))


def test_attention_to_few_tokens_bears_scores_of_any_size(network):
    query, key, value = torch.randn(3, 4, 2, 10, 8, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.scaled_dot_product_attention(1e3 * query, key, value)
    close(module._attend_briefly(1e3 * query, key, value), expected, 1e-4)


@pytest.mark.parametrize("back", [True, False])
def test_compiled_code_rotates_without_complex_numbers(network, monkeypatch, back):
    x, turns = torch.randn(3, 4, 2, 8, generator=torch.Generator().manual_seed(0)), network.rotary_emb(4)
    expected = module._rotate(x, turns, back=back)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    close(module._rotate(x, turns, back=back), expected, 1e-6)


@pytest.mark.parametrize("safe", [module.SAFE, 0.0])
@pytest.mark.parametrize("product", [True, False])
@pytest.mark.parametrize("piece_tokens", [1, 8, 1000])
def test_attention_along_time_in_pieces_gives_the_same_gradients(network, monkeypatch, piece_tokens, product, safe):
    """Also where rows do not lie one after the other, and the slope is one number for many tokens."""
    if not product:
        monkeypatch.setattr(products, "_find_product", lambda: None)
    monkeypatch.setattr(products, "LEAST_ROWS", 1)
    monkeypatch.setattr(module, "PIECE_TOKENS", piece_tokens)
    monkeypatch.setattr(module, "SAFE", safe)
    layer = network.t_blocks[0][0].eval()
    start = torch.randn(16, 4, 7, generator=torch.Generator().manual_seed(0)).permute(2, 1, 0)
    turns = network.rotary_emb(4).repeat(1, 3 * network.heads, 1, 1)

    def compute(add):
        layer.zero_grad()
        x = start.clone(memory_format=torch.preserve_format).requires_grad_()
        found = add(x)
        found.square().mean(1).sum().backward()
        return [found.detach(), x.grad, *(weight.grad.clone() for weight in layer.parameters())]

    expected = compute(lambda x: x + layer(x, turns=turns))
    for found, wanted in zip(compute(lambda x: module.add_along_time(x, layer, turns)), expected, strict=True):
        assert found.shape == wanted.shape
        assert (found - wanted).norm() < 1e-5 * wanted.norm()
    with torch.inference_mode():
        close(module.add_along_time(start.clone(), layer, turns).clone(), expected[0])


@pytest.mark.parametrize(("training", "share", "tokens"), [(True, 0.2, 4), (False, 0.0, module.SHORT + 1)])
def test_dropout_and_long_windows_are_not_computed_in_pieces(network, monkeypatch, training, share, tokens):
    layer = network.t_blocks[0][0].train(training)
    monkeypatch.setattr(layer.dropout, "share", share)
    assert not module.suits_pieces(torch.zeros(2, tokens, 16), layer)
    assert module.suits_pieces(torch.zeros(2, 4, 16), layer.eval())
