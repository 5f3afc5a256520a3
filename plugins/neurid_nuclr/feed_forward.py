"""The feed-forward layers."""

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - usual name
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurid_nuclr.products import multiply, on_cpu, project, sum_products
from nwb_neurid.training import Dropout

if TYPE_CHECKING:
    from collections.abc import Callable


class FeedForward(nn.Module):
    """Two layers on each token separately. Half of the hidden units gate the other half."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.in_proj = nn.Linear(dim, 8 * dim)
        self.out_proj = nn.Linear(4 * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "*places dim"]) -> Float[Tensor, "*places dim"]:
        """Compute the layers. The second half of the hidden units is the gate."""
        x = self.norm(x)
        if on_cpu(x):
            weights, biases = self.in_proj.weight.chunk(2), self.in_proj.bias.chunk(2)
            hidden = multiply(x, weights[1], biases[1], gelu=True).mul_(multiply(x, weights[0], biases[0]))
        else:
            value, gate = project(x, self.in_proj, 2)
            hidden = F.gelu(gate).mul_(value)
        return self.dropout(multiply(self.dropout(hidden), self.out_proj.weight, self.out_proj.bias))


class _InPieces(torch.autograd.Function):
    """Compute `x + layer(x)` piece by piece, for a feed-forward layer without dropout.

    For the gradients, only `x` is kept, and the hidden units are computed again. Keeping all hidden units would need
    most of the memory of training and would not be faster.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: FeedForward, pieces: int, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(x, *weights)
        ctx.pieces, ctx.eps = pieces, layer.norm.eps
        out = torch.empty_like(x)
        for rows, found in zip(x.chunk(pieces), out.chunk(pieces), strict=True):
            torch.add(rows, layer(rows), out=found)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, shift, into, bias, out_of, _ = ctx.saved_tensors
        (for_value, for_gate), biases, dim = into.chunk(2), bias.chunk(2), x.shape[-1]
        slopes = x.new_empty(x.shape)
        of_value, of_gate, of_out = x.new_zeros(3, *for_value.t().shape)
        of_biases, of_norm = x.new_zeros(2, len(for_value)), x.new_zeros(2, dim)
        pieces = (part.flatten(0, -2).chunk(ctx.pieces) for part in (x, slope, slopes))
        for rows, above, below in zip(*pieces, strict=True):
            normed, mean, rstd = torch.native_layer_norm(rows, (dim,), scale, shift, ctx.eps)
            value, gate = multiply(normed, for_value, biases[0]), multiply(normed, for_gate, biases[1])
            opened, hidden = F.gelu(gate), multiply(above, out_of.t())
            of_out += sum_products(above, opened * value)
            gate = torch.ops.aten.gelu_backward(value.mul_(hidden), gate)
            value = opened.mul_(hidden)
            of_value += sum_products(normed, value)
            of_gate += sum_products(normed, gate)
            of_biases += torch.stack([value.sum(0), gate.sum(0)])
            hidden = multiply(value, for_value.t()).add_(multiply(gate, for_gate.t()))
            hidden, *of_both = torch.ops.aten.native_layer_norm_backward(
                hidden, rows, (dim,), mean, rstd, scale, shift, [True, True, True]
            )
            of_norm += torch.stack(of_both)
            torch.add(above, hidden, out=below)
        of_into = torch.cat([of_value.t(), of_gate.t()])
        return slopes, None, None, *of_norm, of_into, of_biases.flatten(), of_out, slope.flatten(0, -2).sum(0)


def add_in_pieces(x: Float[Tensor, "*places dim"], layer: FeedForward, pieces: int) -> Float[Tensor, "*places dim"]:
    """Compute `x + layer(x)` in pieces of the first axis, with gradients."""
    compute: Callable[..., Tensor] = _InPieces.apply
    return compute(x, layer, pieces, *layer.parameters())


def suits_pieces(x: Tensor, layer: FeedForward) -> bool:
    """Return whether `add_in_pieces` can compute the gradients that are needed."""
    plain = x.dtype == layer.in_proj.weight.dtype and not torch.is_autocast_enabled("cpu")
    return torch.is_grad_enabled() and plain and layer.dropout.share == 0
