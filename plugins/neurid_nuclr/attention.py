"""Attention along the time of a unit, with rotary positions, or across the units of a window."""

import math
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from jaxtyping import Bool, Float
from torch import Tensor, nn

from neurid_nuclr.products import multiply, on_cpu, project
from nwb_neurid.training import Dropout

MOST_ROWS = 32_768
"""Rows of one call of attention: CUDA kernels fail from 65,536 on, and their gradients from 2**31 padded numbers."""

SHORT = 32
"""Up to so many tokens attention on a CPU is faster as batched products: torch's kernel serves rows one by one."""

SAFE = 64.0
"""Exponentials of numbers up to this size, and sums of them, are far from the ends of float32."""


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
    """`x` with each pair of neighbouring dimensions turned, or turned back, in float32."""
    pairs = torch.unflatten(x.float(), -1, (-1, 2))
    if torch.compiler.is_compiling():  # torch compiles no complex numbers
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
    """Attention, in pieces where there are more rows than a kernel takes."""
    if len(query) <= MOST_ROWS:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    parts = [part.split(MOST_ROWS) for part in (query, key, value)]
    masks = [None] * len(parts[0]) if mask is None else mask.split(MOST_ROWS)
    attended = [F.scaled_dot_product_attention(*piece) for piece in zip(*parts, masks, strict=True)]
    return torch.cat(attended)


def _attend_briefly(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of few tokens, all rows and heads at once, in float32."""
    rows, heads, length, dim_head = query.shape
    query, key, value = (part.float().reshape(rows * heads, length, dim_head) for part in (query, key, value))
    scores = torch.bmm(query * dim_head**-0.5, key.transpose(1, 2))
    if scores.numel() and max(map(abs, map(float, torch.aminmax(scores.detach())))) > SAFE:
        scores = scores - scores.amax(-1, keepdim=True)
    weights = scores.exp() if scores.requires_grad else scores.exp_()
    attended = torch.bmm(weights, value) / weights.sum(-1, keepdim=True)
    return attended.unflatten(0, (rows, heads))


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
        """Attend where `mask` is True. Values are rotated too, and back afterwards: only distances have an effect."""
        normed = self.norm(x)
        if turns is None:
            parts = [
                torch.unflatten(part, -1, (-1, self.dim_head)).flatten(2, -2)
                for part in project(normed, self.to_qkv, 3)
            ]
            dtype = parts[0].dtype
        else:  # rotation copies anyway, so one multiplication and one rotation serve all three
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
