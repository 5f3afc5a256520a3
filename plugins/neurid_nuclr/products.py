"""Linear layers that use the fastest matrix multiplication on the device."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - usual name
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LEAST_ROWS = 256
"""Minimum number of rows for which oneDNN multiplies by a small matrix faster than torch's default."""


def on_cpu(x: Tensor) -> bool:
    """Return whether to use the computation that is fastest on a CPU."""
    return x.device.type == "cpu"


@cache
def _find_product() -> Callable[..., Tensor] | None:
    """Find oneDNN's product of float32, which torch's compiler uses. Return None if torch's default is as fast.

    The default is MKL, which reaches only half of this rate on CPUs that are not made by Intel.
    """
    if torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() == "AVX512":
        with suppress(AttributeError, RuntimeError):
            return cast("Callable[..., Tensor]", torch.ops.mkldnn._linear_pointwise.default)
    return None


class _Product(torch.autograd.Function):
    """A linear layer that uses oneDNN, also for its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _run_product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        rows, slopes = x.flatten(0, -2), slope.flatten(0, -2)
        if rows.shape[1] < slopes.shape[1]:  # the first factor is copied, so the smaller one comes first
            of_weight = _run_product(rows.t(), slopes.t()).t()
        else:
            of_weight = _run_product(slopes.t(), rows.t())
        return _run_product(slope, weight.t()), of_weight, slopes.sum(0)


def _run_product(x: Tensor, weight: Tensor, bias: Tensor | None = None, then: str = "none") -> Tensor:
    product = _find_product()
    if product is None:
        raise RuntimeError("oneDNN is not used here.")
    return product(x, weight, bias, then, [], "none")


def multiply(
    x: Float[Tensor, "*places dim"], weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False
) -> Float[Tensor, "*places other"]:
    """Apply a linear layer, optionally followed by the activation gelu."""
    if _suits_product(x, weight) and not torch.is_grad_enabled():
        return _run_product(x, weight, bias, "gelu" if gelu else "none")
    layer: Callable[..., Tensor] = _Product.apply if _suits_product(x, weight) else F.linear
    found = layer(x, weight, bias)
    return F.gelu(found) if gelu else found


def sum_products(left: Float[Tensor, "rows dim"], right: Float[Tensor, "rows other"]) -> Float[Tensor, "dim other"]:
    """Compute `left.t() @ right`, the gradient of a weight matrix."""
    return _run_product(left.t(), right.t()) if _suits_product(left, right) else left.t() @ right


def _suits_product(x: Tensor, weight: Tensor) -> bool:
    """Return whether oneDNN's product is available, can be used for this call, and is faster."""
    plain = on_cpu(x) and x.dtype == weight.dtype and not torch.is_autocast_enabled("cpu")
    return (
        plain
        and not torch.compiler.is_compiling()
        and x.numel() >= LEAST_ROWS * x.shape[-1]
        and _find_product() is not None
    )


def project(x: Float[Tensor, "*places dim"], layer: nn.Linear, parts: int) -> Sequence[Float[Tensor, "*places part"]]:
    """Apply a layer to `x`, and return the output in equal parts."""
    if not on_cpu(x) and x.ndim <= 3:
        return layer(x).chunk(parts, -1)
    # On a CPU, each part is a separate product, because gelu is slow on rows that are not contiguous. In addition,
    # places and heads can then be merged without a copy. Attention therefore uses separate products everywhere.
    layers = zip(layer.weight.chunk(parts), layer.bias.chunk(parts), strict=True)
    return [multiply(x, *own) for own in layers]
