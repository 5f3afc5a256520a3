"""Feed-forward layers: computed in pieces, they have the same gradients."""

import pytest
import torch

from neurid_nuclr import network as module
from neurid_nuclr import products

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("product", [True, False])
def test_feed_forward_layers_in_pieces_give_the_same_gradients(network, monkeypatch, product):
    """Also where rows do not lie one after the other, and the slope is one number for many tokens."""
    if not product:
        monkeypatch.setattr(products, "_find_product", lambda: None)
    monkeypatch.setattr(products, "LEAST_ROWS", 1)
    layer = network.t_blocks[0][1]
    start = torch.randn(16, 7, 4, generator=torch.Generator().manual_seed(0)).permute(2, 1, 0)

    def compute(pieces):
        layer.zero_grad()
        x = start.clone(memory_format=torch.preserve_format).requires_grad_()
        found = module._add_residual(x, layer, pieces)
        found.square().mean(1).sum().backward()
        return [found.detach(), x.grad, *(weight.grad.clone() for weight in layer.parameters())]

    monkeypatch.setattr(layer.dropout, "share", 0.0)
    expected = compute(1)
    for pieces in (2, 3, 100):
        for found, wanted in zip(compute(pieces), expected, strict=True):
            assert found.shape == wanted.shape
            assert (found - wanted).norm() < 1e-5 * wanted.norm()
