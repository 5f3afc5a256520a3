"""Products by oneDNN are those of torch."""

import pytest
import torch

from neurid_nuclr import products as module

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("gelu", [True, False])
@pytest.mark.parametrize(("dim", "other"), [(16, 40), (40, 16)])
def test_products_are_those_of_torch_with_their_gradients(monkeypatch, dim, other, gelu):
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(*shape, generator=generator) for shape in ((30, 10, dim), (other, dim), (other,))]

    def compute():
        x, weight, bias = (tensor.clone().requires_grad_() for tensor in tensors)
        found = module.multiply(x, weight, bias, gelu=gelu)
        found.square().sum().backward()
        with torch.inference_mode():
            again = module.multiply(x, weight, bias, gelu=gelu)
        torch.testing.assert_close(again.clone(), found.detach(), rtol=0, atol=1e-5)
        return [found, x.grad, weight.grad, bias.grad]

    own = compute()
    monkeypatch.setattr(module, "_find_product", lambda: None)
    for found, expected in zip(own, compute(), strict=True):
        assert found.shape == expected.shape
        assert (found - expected).norm() < 1e-5 * expected.norm()
