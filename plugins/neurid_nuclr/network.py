"""The encoder of NuCLR: attention along the time of a unit and across the units of a window, in turn.

Source: "Know thyself by knowing others: learning neuron identity from population context" (2025), arXiv 2512.01199.
The weights have the names and shapes of the authors' code, so that their checkpoints load.
"""

import copy
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from jaxtyping import Bool, Float, Int64, Real
from torch import Tensor, nn

from neurid_nuclr.config import NetworkConfig
from nwb_neurid.training import Dropout

PIECE_TOKENS = 1024
"""Tokens whose hidden units stay in the cache of a CPU; more at a time are slower."""

MOST_ROWS = 32_768
"""Rows of one call of attention: CUDA kernels fail from 65,536 on, and their gradients from 2**31 padded numbers."""

LEAST_PRESENT = 0.9
"""Share of rows that must be no padding on a CPU, or padding is taken out before and put back after each attention."""

ALIGNED = 8
"""A mask of which this divides the length needs no copy in CUDA's attention."""


class RotaryPositions(nn.Module):
    """How far each pair of a head's dimensions turns from token to token.

    Half of the pairs turn, with periods spaced logarithmically from 1 token to 8 windows; the others stand still.
    """

    omega: Float[Tensor, " pairs"]

    def __init__(self, dim_head: int, tokens: int) -> None:
        super().__init__()
        periods = (8.0 * tokens) ** torch.linspace(0, 1, dim_head // 4)
        self.register_buffer("omega", F.pad(2 * math.pi / periods, (0, dim_head // 4)))

    def forward(self, tokens: int) -> Float[Tensor, "tokens 1 pairs 2"]:
        """Compute cosine and sine of the turns of the first `tokens` positions."""
        angles = torch.arange(tokens, device=self.omega.device)[:, None, None] * self.omega
        return torch.stack([angles.cos(), angles.sin()], -1)


def _rotate(
    x: Float[Tensor, "rows tokens heads dim_head"], turns: Float[Tensor, "tokens 1 pairs 2"], *, back: bool = False
) -> Float[Tensor, "rows tokens heads dim_head"]:
    """`x` with each pair of neighbouring dimensions turned, or turned back."""
    pairs = torch.unflatten(x.float(), -1, (-1, 2))
    if torch.compiler.is_compiling():  # torch compiles no complex numbers
        (left, right), (cosine, sine) = pairs.unbind(-1), turns.unbind(-1)
        sine = -sine if back else sine
        turned = torch.stack([left * cosine - right * sine, left * sine + right * cosine], -1)
    else:
        factors = torch.view_as_complex(turns)
        turned = torch.view_as_real(torch.view_as_complex(pairs) * (factors.conj() if back else factors))
    return turned.flatten(-2).type_as(x)


def on_cpu(x: Tensor) -> bool:
    """Tell whether to compute as is fastest on a CPU."""
    return x.device.type == "cpu"


def _project(x: Float[Tensor, "*places dim"], layer: nn.Linear, parts: int) -> Sequence[Float[Tensor, "*places part"]]:
    """What a layer makes of `x`, in equal parts."""
    if not on_cpu(x) and x.ndim <= 3:
        return layer(x).chunk(parts, -1)
    # On a CPU one product for each part: gelu is slow on rows with something else between them, and places and heads
    # merge into one axis without a copy, which is why places of attention have products of their own everywhere.
    layers = zip(layer.weight.chunk(parts), layer.bias.chunk(parts), strict=True)
    return [F.linear(x, *own) for own in layers]


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
        turns: Float[Tensor, "length 1 pairs 2"] | None = None,
    ) -> Float[Tensor, "rows length *places dim"]:
        """Attend to where `mask` is true. `turns` turns values too, and back afterwards: only distances count."""
        parts = [
            torch.unflatten(part, -1, (-1, self.dim_head)).flatten(2, -2)
            for part in _project(self.norm(x), self.to_qkv, 3)
        ]
        if turns is not None:
            parts = [_rotate(part, turns) for part in parts]
        query, key, value = (part.transpose(1, 2) for part in parts)
        attended = _attend(query, key, value, mask).transpose(1, 2)
        if turns is not None:
            attended = _rotate(attended, turns, back=True)
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
        value, gate = _project(self.norm(x), self.in_proj, 2)
        return self.dropout(self.out_proj(self.dropout(F.gelu(gate).mul_(value))))


def _add_residual(x: Tensor, layer: nn.Module, pieces: int, *masks: Tensor, **turns: Tensor) -> Tensor:
    """`x + layer(x)`; without gradients in place, where it is to be done in several pieces of the rows."""
    if pieces == 1 or torch.is_grad_enabled():
        return x + layer(x, *masks, **turns)
    for piece, *mask in zip(*(rows.chunk(pieces) for rows in (x, *masks)), strict=True):
        piece += layer(piece, *mask, **turns)
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
        self.run: Callable[..., Tensor] = _add_residual
        self.read_in = nn.Linear(config.patch, dim)
        self.rotary_emb = RotaryPositions(config.dim_head, config.tokens)
        self.t_blocks = nn.ModuleList(layers(1) for _ in range(config.temporal_blocks))
        self.st_blocks = nn.ModuleList(layers(2) for _ in range(config.spatiotemporal_blocks))

    def with_compiled_layers(self) -> "Network":
        """A network of the same weights whose layers are compiled: one for all of a kind, where the whole is slow to.

        What comes before and after them, whose shapes depend on what is there, is left as it is.
        """
        compiled = copy.copy(self)
        compiled.run = torch.compile(_add_residual, dynamic=True)
        return compiled

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
        windows, units = shape = activity.shape[:2]
        rows = None
        if present is not None and (not on_cpu(activity) or float(present.float().mean()) < LEAST_PRESENT):
            window, unit = present.nonzero(as_tuple=True)
            units = -(-units // ALIGNED) * ALIGNED
            rows, activity = window * units + unit, activity[window, unit]
            present = F.pad(present, (0, units - present.shape[1]))
        x = self.read_in(torch.unflatten(activity.to(self.read_in.weight.dtype), -1, (-1, self.patch)))
        if rows is None:
            x = x.flatten(0, 1)
        # Attention over nothing is not a number: in a window without units all of its padding is attended to.
        masks = () if present is None else ((present | ~present.any(1, keepdim=True))[:, None, None],)
        vectors = self._embed(x, (windows, units), rows, *masks)
        return _spread(vectors, (windows, units), rows)[:, : shape[1]]

    def _embed(
        self,
        x: Float[Tensor, "rows tokens dim"],
        grid: tuple[int, int],
        rows: Int64[Tensor, " rows"] | None,
        *masks: Bool[Tensor, "windows 1 1 units"],
    ) -> Float[Tensor, "rows dim"]:
        """The vectors of rows of a grid of windows and units: of all of them, in turn, or of those named."""
        tokens = x.shape[1]
        whole = self.run is not _add_residual or not on_cpu(x)
        pieces = 1 if whole else 1 + len(x) * tokens // PIECE_TOKENS
        turns = self.rotary_emb(tokens)
        for block in self.t_blocks:
            temporal, feed_forward = block.children()
            x = self.run(x, temporal, pieces, turns=turns)
            x = self.run(x, feed_forward, pieces)
        for block in self.st_blocks:  # they keep the layers along time first, but run them last
            temporal, feed_forward, spatial, spatial_feed_forward = block.children()
            x = self.run(_spread(x, grid, rows), spatial, pieces, *masks).flatten(0, 1)
            x = x if rows is None else x.index_select(0, rows)
            x = self.run(x, spatial_feed_forward, pieces)
            x = self.run(x, temporal, pieces, turns=turns)
            x = self.run(x, feed_forward, pieces)
        return x.mean(1)


def _spread(
    x: Float[Tensor, "rows ..."], grid: tuple[int, int], rows: Int64[Tensor, " rows"] | None
) -> Float[Tensor, "windows units ..."]:
    """`x` on a grid of windows and units, of which it is all rows or those named; the others are zero."""
    if rows is not None:
        x = x.new_zeros(grid[0] * grid[1], *x.shape[1:]).index_copy(0, rows, x)
    return x.unflatten(0, grid)
