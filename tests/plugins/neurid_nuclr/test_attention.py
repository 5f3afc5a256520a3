"""Attention: only distances in time count, however large scores are and however rotations are computed."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurid_nuclr import attention as module

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
