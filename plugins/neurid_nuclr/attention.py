"""Attention along the time of a unit, with rotary positions, or across the units of a window."""

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - usual name
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurid_nuclr.products import multiply, on_cpu, project, sum_products
from nwb_neurid.training import Dropout

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_TOKENS = 2048
"""Number of tokens in each piece of attention along time on a CPU. Half or twice this number is slightly slower."""

MOST_ROWS = 32_768
"""Maximum number of rows in a call of attention. CUDA kernels fail from 65,536 rows on, and their gradients from 2**31
padded numbers on.
"""

SHORT = 32
"""Up to this number of tokens, attention on a CPU is faster as batched products, because torch's kernel processes rows
one by one.
"""

SAFE = 64.0
"""Largest score whose exponential is computed directly. Such exponentials and their sums are far from the limits of
float32.
"""


class RotaryPositions(nn.Module):
    """Rotary positions: the rotation of each pair of a head's dimensions from token to token.

    Half of the pairs rotate, with periods spaced logarithmically from 1 token to 8 windows. The others do not rotate.
    """

    omega: Float[Tensor, " pairs"]

    def __init__(self, dim_head: int, tokens: int) -> None:
        super().__init__()
        periods = (8.0 * tokens) ** torch.linspace(0, 1, dim_head // 4)
        self.register_buffer("omega", F.pad(2 * math.pi / periods, (0, dim_head // 4)))

    def forward(self, tokens: int) -> Float[Tensor, "tokens 1 pairs 2"]:
        """Compute cosine and sine of the rotations of the first `tokens` positions."""
        angles = torch.arange(tokens, device=self.omega.device)[:, None, None] * self.omega
        return torch.stack([angles.cos(), angles.sin()], -1)


def _rotate(
    x: Float[Tensor, "rows tokens heads dim_head"], turns: Float[Tensor, "tokens _ pairs 2"], *, back: bool = False
) -> Float[Tensor, "rows tokens heads dim_head"]:
    """Rotate each pair of neighbouring dimensions of `x`, in float32. With `back`, the inverse rotation is applied."""
    pairs = torch.unflatten(x.float(), -1, (-1, 2))
    if torch.compiler.is_compiling():  # torch cannot compile complex numbers
        (left, right), (cosine, sine) = pairs.unbind(-1), turns.unbind(-1)
        sine = -sine if back else sine
        turned = torch.stack([left * cosine - right * sine, left * sine + right * cosine], -1)
    else:
        factors = torch.view_as_complex(turns)
        turned = torch.view_as_real(torch.view_as_complex(pairs) * (factors.conj() if back else factors))
    return turned.flatten(-2)


def _attend(
    query: Float[Tensor, "rows heads length dim_head"],
    key: Float[Tensor, "rows heads length dim_head"],
    value: Float[Tensor, "rows heads length dim_head"],
    mask: Bool[Tensor, "rows 1 1 length"] | None,
) -> Float[Tensor, "rows heads length dim_head"]:
    """Compute attention. If there are more rows than a kernel accepts, they are split into pieces."""
    if len(query) <= MOST_ROWS:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    parts = [part.split(MOST_ROWS) for part in (query, key, value)]
    masks = [None] * len(parts[0]) if mask is None else mask.split(MOST_ROWS)
    attended = [F.scaled_dot_product_attention(*piece) for piece in zip(*parts, masks, strict=True)]
    return torch.cat(attended)


def _attend_briefly(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compute attention of few tokens for all rows and heads at once, in float32."""
    rows, heads, length, dim_head = query.shape
    query, key, value = (part.float().reshape(rows * heads, length, dim_head) for part in (query, key, value))
    weights = _exponentiate(torch.bmm(query * dim_head**-0.5, key.transpose(1, 2)))
    attended = torch.bmm(weights, value) / weights.sum(-1, keepdim=True)
    return attended.unflatten(0, (rows, heads))


def _exponentiate(scores: Tensor) -> Tensor:
    """Compute exponentials of scores. If scores are large, the largest score of each row is subtracted first."""
    if scores.numel() and max(map(abs, map(float, torch.aminmax(scores.detach())))) > SAFE:
        scores = scores - scores.amax(-1, keepdim=True)
    return scores.exp() if scores.requires_grad else scores.exp_()


class Attention(nn.Module):
    """Multi-head self-attention along the second axis, separately for each index of the other axes."""

    def __init__(self, dim: int, heads: int, dim_head: int, dropout: float) -> None:
        super().__init__()
        self.dim_head = dim_head
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * heads * dim_head)
        self.to_out = nn.Linear(heads * dim_head, dim)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "rows length *places dim"],
        mask: Bool[Tensor, "rows 1 1 length"] | None = None,
        turns: Float[Tensor, "length _ pairs 2"] | None = None,
    ) -> Float[Tensor, "rows length *places dim"]:
        """Attend where `mask` is True.

        Values are rotated before attention and rotated back after it, so that only distances matter.
        """
        normed = self.norm(x)
        if turns is None:
            parts = [
                torch.unflatten(part, -1, (-1, self.dim_head)).flatten(2, -2)
                for part in project(normed, self.to_qkv, 3)
            ]
            dtype = parts[0].dtype
        else:  # rotation makes a copy anyway, so all three are computed together
            joined = torch.unflatten(multiply(normed, self.to_qkv.weight, self.to_qkv.bias), -1, (-1, self.dim_head))
            dtype = joined.dtype
            parts = list(_rotate(joined, turns).chunk(3, 2))
            turns = turns[:, : parts[0].shape[2]]
        brief = on_cpu(x) and mask is None and x.shape[1] <= SHORT and not torch.compiler.is_compiling()
        attend = _attend_briefly if brief else partial(_attend, mask=mask)
        attended = attend(*(part.transpose(1, 2) if brief else part.to(dtype).transpose(1, 2) for part in parts))
        attended = attended.transpose(1, 2)
        if turns is not None:
            attended = _rotate(attended, turns, back=True)
        attended = attended.to(dtype).reshape(*x.shape[:-1], self.to_out.in_features)
        return self.dropout(multiply(attended, self.to_out.weight, self.to_out.bias))


class _AlongTimeInPieces(torch.autograd.Function):
    """Compute `x + layer(x)` piece by piece, for attention along time without dropout.

    The intermediate results of a piece stay in the cache of a CPU, where rotations and changes of layout are cheap.
    Arrays that are needed for gradients are kept, because computing them again takes longer.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Attention, turns: Tensor, *weights: Tensor) -> Tensor:
        factors = _make_factors(turns, layer.dim_head)
        out, kept = torch.empty_like(x), []
        for rows, found in zip(_split(x), _split(out), strict=True):
            added, *parts = _attend_along_time(rows, layer, factors)
            torch.add(rows, added, out=found)
            kept += parts
        ctx.save_for_backward(x, factors, *weights, *kept)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        x, factors, scale, shift, into, _, out_of, _, *kept = ctx.saved_tensors
        slopes, dim, back = torch.empty_like(x), x.shape[-1], factors.conj().resolve_conj()
        of_into, of_out = x.new_zeros(into.t().shape), torch.zeros_like(out_of)
        of_bias, of_norm = x.new_zeros(len(into)), x.new_zeros(2, dim)
        saved = (kept[at : at + 6] for at in range(0, len(kept), 6))
        for rows, above, below, numbers in zip(*map(_split, (x, slope, slopes)), saved, strict=True):
            normed, mean, rstd, attended, parts, weights = numbers
            of_out += sum_products(above.flatten(0, 1), attended.flatten(0, 1))
            joined = _find_slopes(multiply(above, out_of.t()), attended, parts, weights, factors, back)
            of_into += sum_products(normed.flatten(0, 1), joined.flatten(0, 1))
            of_bias += joined.sum((0, 1))
            of_normed, *of_both = torch.ops.aten.native_layer_norm_backward(
                multiply(joined, into.t()), rows, (dim,), mean, rstd, scale, shift, [True, True, True]
            )
            of_norm += torch.stack(of_both)
            torch.add(above, of_normed, out=below)
        return slopes, None, None, *of_norm, of_into.t(), of_bias, of_out, slope.sum((0, 1))


def _split(x: Tensor) -> tuple[Tensor, ...]:
    """Split the rows into pieces."""
    return x.split(max(1, PIECE_TOKENS // x.shape[1]))


def _make_factors(turns: Tensor, dim_head: int) -> Tensor:
    """Return the rotations of queries, keys and values as complex factors (tokens, 3, heads, pairs).

    Queries are also scaled.
    """
    factors = torch.view_as_complex(turns).unflatten(1, (3, -1)).clone()
    factors[:, 0] *= dim_head**-0.5
    return factors


def _turn(x: Tensor, factors: Tensor) -> Tensor:
    """Rotate pairs of neighbouring numbers in place. The numbers are multiplied along one long axis, which is fast."""
    x = x.contiguous()
    torch.view_as_complex(x.view(len(x), -1, 2)).mul_(factors.flatten())
    return x


def _attend_along_time(x: Tensor, layer: Attention, factors: Tensor) -> tuple[Tensor, ...]:
    """Compute the output of attention for some rows, and the arrays that are needed for gradients."""
    (rows, tokens, dim), heads = x.shape, factors.shape[2]
    norm, into, out_of = layer.norm, layer.to_qkv, layer.to_out
    normed = torch.native_layer_norm(x, (dim,), norm.weight, norm.bias, norm.eps)
    joined = _turn(multiply(normed[0], into.weight, into.bias), factors)
    parts = joined.view(rows, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4).flatten(1, 2)
    query, key, value = parts.unbind()
    weights = _exponentiate(torch.bmm(query, key.transpose(1, 2)))
    weights /= weights.sum(-1, keepdim=True)
    attended = torch.bmm(weights, value).view(rows, heads, tokens, -1).transpose(1, 2).flatten(2)
    attended = _turn(attended, factors[:, 2].conj().resolve_conj())
    return multiply(attended, out_of.weight, out_of.bias), *normed, attended, parts, weights


def _find_slopes(
    slope: Tensor, attended: Tensor, parts: Tensor, weights: Tensor, factors: Tensor, back: Tensor
) -> Tensor:
    """Compute gradients of queries, keys and values before rotation, from the gradients of the attended values."""
    (rows, tokens, _), heads = slope.shape, factors.shape[2]
    query, key, value = parts.unbind()
    own = (slope * attended).view(rows, tokens, heads, -1).sum(-1).transpose(1, 2).reshape(-1, tokens, 1)
    turned = _turn(slope, factors[:, 2]).view(rows, tokens, heads, -1).transpose(1, 2).flatten(0, 1)
    of_parts = torch.empty_like(parts)
    torch.bmm(weights.transpose(1, 2), turned, out=of_parts[2])
    of_scores = torch.bmm(turned, value.transpose(1, 2)).sub_(own).mul_(weights)
    torch.bmm(of_scores, key, out=of_parts[0])
    torch.bmm(of_scores.transpose(1, 2), query, out=of_parts[1])
    joined = of_parts.view(3, rows, heads, tokens, -1).permute(1, 3, 0, 2, 4).flatten(2)
    return _turn(joined, back)


def add_along_time(
    x: Float[Tensor, "rows length dim"], layer: Attention, turns: Float[Tensor, "length _ pairs 2"]
) -> Float[Tensor, "rows length dim"]:
    """Compute `x + layer(x, turns=turns)` in pieces of the rows. Without gradients, it is computed in place."""
    if torch.is_grad_enabled():
        compute: Callable[..., Tensor] = _AlongTimeInPieces.apply
        return compute(x, layer, turns, *layer.parameters())
    factors = _make_factors(turns, layer.dim_head)
    for rows in _split(x):
        rows += _attend_along_time(rows, layer, factors)[0]
    return x


def suits_pieces(x: Tensor, layer: Attention) -> bool:
    """Return whether `add_along_time` can be used and is the fastest way."""
    plain = x.dtype == layer.to_qkv.weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    idle = layer.dropout.share == 0 or not layer.training
    return plain and idle and x.shape[1] <= SHORT
