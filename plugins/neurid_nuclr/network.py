"""The encoder of NuCLR: attention along the time of a unit and across the units of a window, in turn.

Source: "Know thyself by knowing others: learning neuron identity from population context" (2025), arXiv 2512.01199.
The weights have the names and shapes of the authors' code, so that their checkpoints load.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from jaxtyping import Bool, Complex, Float, Real
from torch import Tensor, nn

from neurid_nuclr.config import NetworkConfig
from nwb_neurid.training import Dropout

PIECE_TOKENS = 1024
"""Tokens whose hidden units stay in a processor's cache; more at a time are slower."""


class RotaryPositions(nn.Module):
    """How far each pair of a head's dimensions turns from token to token.

    Half of the pairs turn, with periods spaced logarithmically from 1 token to 8 windows; the others stand still.
    """

    omega: Float[Tensor, " pairs"]

    def __init__(self, dim_head: int, tokens: int) -> None:
        super().__init__()
        periods = (8.0 * tokens) ** torch.linspace(0, 1, dim_head // 4)
        self.register_buffer("omega", F.pad(2 * math.pi / periods, (0, dim_head // 4)))

    def forward(self, tokens: int) -> Complex[Tensor, "tokens 1 pairs"]:
        """The turns of the first `tokens` positions, as numbers on the unit circle."""
        angles = torch.arange(tokens, device=self.omega.device)[:, None, None] * self.omega
        return torch.polar(torch.ones_like(angles), angles)


def _turned(
    x: Float[Tensor, "rows tokens heads dim_head"], turns: Complex[Tensor, "tokens 1 pairs"]
) -> Float[Tensor, "rows tokens heads dim_head"]:
    """`x` with each pair of neighbouring dimensions turned."""
    pairs = torch.view_as_complex(torch.unflatten(x.float(), -1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2).type_as(x)


class Attention(nn.Module):
    """Multi-head self-attention along the second axis, apart for each row and for each place on the axes behind."""

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
        turns: Complex[Tensor, "length 1 pairs"] | None = None,
    ) -> Float[Tensor, "rows length *places dim"]:
        """Attend to where `mask` is true. `turns` turns values too, and back afterwards: only distances count."""
        normed = self.norm(x)
        # Three products and not one, because then places and heads merge into one axis without a copy.
        layers = zip(self.to_qkv.weight.chunk(3), self.to_qkv.bias.chunk(3), strict=True)
        parts = [torch.unflatten(F.linear(normed, *layer), -1, (-1, self.dim_head)).flatten(2, -2) for layer in layers]
        if turns is not None:
            parts = [_turned(part, turns) for part in parts]
        query, key, value = (part.transpose(1, 2) for part in parts)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2)
        if turns is not None:
            attended = _turned(attended, turns.conj())
        return self.dropout(self.to_out(attended.reshape(*x.shape[:-1], self.to_out.in_features)))


class FeedForward(nn.Module):
    """Two layers on each token alone; half of the hidden units gate the other half."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.in_proj = nn.Linear(dim, 8 * dim)
        self.out_proj = nn.Linear(4 * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "*places dim"]) -> Float[Tensor, "*places dim"]:
        """The second half of the hidden units is the gate."""
        normed = self.norm(x)
        # Two products and not one, because gelu is slow on rows with something else between them.
        layers = zip(self.in_proj.weight.chunk(2), self.in_proj.bias.chunk(2), strict=True)
        value, gate = (F.linear(normed, *layer) for layer in layers)
        return self.dropout(self.out_proj(self.dropout(F.gelu(gate).mul_(value))))


def _residual(x: Tensor, layer: Callable[..., Tensor], pieces: int, *masks: Tensor) -> Tensor:
    """`x + layer(x)`; without gradients in place, and in pieces of the rows of `x` and its masks."""
    if torch.is_grad_enabled():
        return x + layer(x, *masks)
    for piece, *mask in zip(*(rows.chunk(pieces) for rows in (x, *masks)), strict=True):
        piece += layer(piece, *mask)
    return x


class Network(nn.Module):
    """One vector for each unit of each window, from its activity and that of the units around it.

    Parameters
    ----------
    config
        Its sizes.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        dim, dropout = config.dim, config.dropout

        def layers(kinds: int) -> nn.ModuleList:
            pairs = [
                (Attention(dim, config.heads, config.dim_head, dropout), FeedForward(dim, dropout))
                for _ in range(kinds)
            ]
            return nn.ModuleList(layer for pair in pairs for layer in pair)

        self.patch = config.patch
        self.read_in = nn.Linear(config.patch, dim)
        self.rotary_emb = RotaryPositions(config.dim_head, config.tokens)
        self.t_blocks = nn.ModuleList(layers(1) for _ in range(config.temporal_blocks))
        self.st_blocks = nn.ModuleList(layers(2) for _ in range(config.spatiotemporal_blocks))

    def forward(
        self, activity: Real[Tensor, "windows units bins"], present: Bool[Tensor, "windows units"] | None = None
    ) -> Float[Tensor, "windows units dim"]:
        """Embed the units of some windows.

        Parameters
        ----------
        activity
            Spike counts or samples of each unit; a whole number of tokens.
        present
            False where a row is padding, which no unit attends to and whose vector means nothing; None where no
            row is.
        """
        x = self.read_in(torch.unflatten(activity.to(self.read_in.weight.dtype), -1, (-1, self.patch)))
        windows, units, tokens, _ = grid = x.shape
        pieces = 1 + windows * units * tokens // PIECE_TOKENS if x.device.type == "cpu" else 1
        turns = self.rotary_emb(tokens)
        # Attention over nothing is not a number: in a window without units all of its padding is attended to.
        masks = () if present is None else ((present | ~present.any(1, keepdim=True))[:, None, None],)
        x = x.flatten(0, 1)
        for block in self.t_blocks:
            temporal, feed_forward = block.children()
            x = _residual(x, partial(temporal, turns=turns), pieces)
            x = _residual(x, feed_forward, pieces)
        for block in self.st_blocks:  # they keep the layers along time first, but run them last
            temporal, feed_forward, spatial, spatial_feed_forward = block.children()
            x = _residual(x.view(grid), spatial, pieces, *masks).flatten(0, 1)
            x = _residual(x, spatial_feed_forward, pieces)
            x = _residual(x, partial(temporal, turns=turns), pieces)
            x = _residual(x, feed_forward, pieces)
        return x.view(grid).mean(2)
