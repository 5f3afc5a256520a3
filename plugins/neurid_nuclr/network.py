"""The encoder of NuCLR. It alternates between attention along the time of a unit and across the units of a window.

Source: "Know thyself by knowing others: learning neuron identity from population context" (2025), arXiv 2512.01199.
The weights have the names and shapes of the authors' code, so that their checkpoints load.
"""

import copy
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - usual name
from jaxtyping import Bool, Float, Int64, Real
from torch import Tensor, nn

from neurid_nuclr import attention, feed_forward
from neurid_nuclr.attention import Attention, RotaryPositions
from neurid_nuclr.config import NetworkConfig
from neurid_nuclr.feed_forward import FeedForward
from neurid_nuclr.products import on_cpu

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE_TOKENS = 1024
"""Number of tokens whose hidden units fit into the cache of a CPU. Larger pieces are slower."""

LEAST_PRESENT = 0.9
"""Minimum share of rows without padding on a CPU. If it is not reached, padding is removed before each attention and
added again.
"""

ALIGNED = 8
"""CUDA's attention needs no copy of a mask if its length is a multiple of this number."""


def _add_residual(x: Tensor, layer: nn.Module, pieces: int, *masks: Tensor, **turns: Tensor) -> Tensor:
    """Compute `x + layer(x)`. Without gradients, it is computed in place if there are several pieces of the rows."""
    if pieces > 1 and isinstance(layer, FeedForward) and feed_forward.suits_pieces(x, layer):
        return feed_forward.add_in_pieces(x, layer, pieces)
    if pieces > 1 and turns and isinstance(layer, Attention) and attention.suits_pieces(x, layer):
        return attention.add_along_time(x, layer, **turns)
    if pieces == 1 or torch.is_grad_enabled():
        return x + layer(x, *masks, **turns)
    for piece, *mask in zip(*(rows.chunk(pieces) for rows in (x, *masks)), strict=True):
        piece += layer(piece, *mask, **turns)
    return x


class Network(nn.Module):
    """A network that computes a vector for each unit of each window, from its activity and that of the units around it.

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

        self.patch, self.heads = config.patch, config.heads
        self.run: Callable[..., Tensor] = _add_residual
        self.read_in = nn.Linear(config.patch, dim)
        self.rotary_emb = RotaryPositions(config.dim_head, config.tokens)
        self.t_blocks = nn.ModuleList(layers(1) for _ in range(config.temporal_blocks))
        self.st_blocks = nn.ModuleList(layers(2) for _ in range(config.spatiotemporal_blocks))

    def with_compiled_layers(self) -> "Network":
        """Make a network with the same weights and compiled layers, because compiling the whole network is slow.

        All layers of a kind share one compilation. Code before and after the layers, whose shapes vary, is not
        compiled.
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
            Spike counts or samples of each unit, for a whole number of tokens.
        present
            False for rows that are padding, to which no unit attends and whose vectors have no meaning; None if there
            is no padding.
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
        # Attention without any unit gives NaN. In a window without units, all padding is therefore attended to.
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
        """Compute the vectors of rows of a grid of windows and units.

        These are all rows in order, or the given `rows`.
        """
        tokens = x.shape[1]
        whole = self.run is not _add_residual or not on_cpu(x)
        pieces = 1 if whole else 1 + len(x) * tokens // PIECE_TOKENS
        turns = self.rotary_emb(tokens).repeat(1, 3 * self.heads, 1, 1)  # broadcasting over heads is slow on a CPU
        for block in self.t_blocks:
            temporal, feed_forward = block.children()
            x = self.run(x, temporal, pieces, turns=turns)
            x = self.run(x, feed_forward, pieces)
        for block in self.st_blocks:  # the layers along time come first in the block, but are run last
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
    """Place `x` on a grid of windows and units. It contains all rows or the given `rows`. Other rows become zero."""
    if rows is not None:
        x = x.new_zeros(grid[0] * grid[1], *x.shape[1:]).index_copy(0, rows, x)
    return x.unflatten(0, grid)
