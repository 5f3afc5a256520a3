"""The encoder of NuCLR: attention along the time of a unit and across the units of a window, in turn.

Source: "Know thyself by knowing others: learning neuron identity from population context" (2025), arXiv 2512.01199.
The weights have the names and shapes of the authors' code, so that their checkpoints load.
"""

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from jaxtyping import Bool, Float, Int64, Real
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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

SHORT = 32
"""Up to so many tokens attention on a CPU is faster as batched products: torch's kernel serves rows one by one."""

SAFE = 64.0
"""Exponentials of numbers up to this size, and sums of them, are far from the ends of float32."""

LEAST_ROWS = 256
"""Rows from which oneDNN multiplies by a small matrix faster than torch's default."""


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


def on_cpu(x: Tensor) -> bool:
    """Whether to use the computation that is fastest on a CPU."""
    return x.device.type == "cpu"


@cache
def _find_product() -> Callable[..., Tensor] | None:
    """Find oneDNN's product of float32, which torch's compiler uses; None where torch's default is as fast.

    The default is MKL, which has half of the rate on processors of other makers than Intel.
    """
    if torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() == "AVX512":
        with suppress(AttributeError, RuntimeError):
            return cast("Callable[..., Tensor]", torch.ops.mkldnn._linear_pointwise.default)
    return None


class _Product(torch.autograd.Function):
    """A linear layer by oneDNN, also in its gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _run_product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        rows, slopes = x.flatten(0, -2), slope.flatten(0, -2)
        if rows.shape[1] < slopes.shape[1]:  # the first factor is copied, so it is the smaller one
            of_weight = _run_product(rows.t(), slopes.t()).t()
        else:
            of_weight = _run_product(slopes.t(), rows.t())
        return _run_product(slope, weight.t()), of_weight, slopes.sum(0)


def _run_product(x: Tensor, weight: Tensor, bias: Tensor | None = None, then: str = "none") -> Tensor:
    product = _find_product()
    if product is None:
        raise RuntimeError("oneDNN is not used here.")
    return product(x, weight, bias, then, [], "none")


def _multiply(
    x: Float[Tensor, "*places dim"], weight: Tensor, bias: Tensor | None = None, *, gelu: bool = False
) -> Float[Tensor, "*places other"]:
    """A linear layer, and the activation after it."""
    if _suits_product(x, weight) and not torch.is_grad_enabled():
        return _run_product(x, weight, bias, "gelu" if gelu else "none")
    layer: Callable[..., Tensor] = _Product.apply if _suits_product(x, weight) else F.linear
    found = layer(x, weight, bias)
    return F.gelu(found) if gelu else found


def _sum_products(left: Float[Tensor, "rows dim"], right: Float[Tensor, "rows other"]) -> Float[Tensor, "dim other"]:
    """Compute `left.t() @ right`, the gradient of a weight matrix."""
    return _run_product(left.t(), right.t()) if _suits_product(left, right) else left.t() @ right


def _suits_product(x: Tensor, weight: Tensor) -> bool:
    """Tell whether oneDNN's product is there, is what is asked for, and is faster."""
    plain = on_cpu(x) and x.dtype == weight.dtype and not torch.is_autocast_enabled("cpu")
    return (
        plain
        and not torch.compiler.is_compiling()
        and x.numel() >= LEAST_ROWS * x.shape[-1]
        and _find_product() is not None
    )


def _project(x: Float[Tensor, "*places dim"], layer: nn.Linear, parts: int) -> Sequence[Float[Tensor, "*places part"]]:
    """What a layer makes of `x`, in equal parts."""
    if not on_cpu(x) and x.ndim <= 3:
        return layer(x).chunk(parts, -1)
    # On a CPU one product for each part: gelu is slow on rows with something else between them, and places and heads
    # merge into one axis without a copy, which is why places of attention have products of their own everywhere.
    layers = zip(layer.weight.chunk(parts), layer.bias.chunk(parts), strict=True)
    return [_multiply(x, *own) for own in layers]


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
                for part in _project(normed, self.to_qkv, 3)
            ]
            dtype = parts[0].dtype
        else:  # rotation copies anyway, so one multiplication and one rotation serve all three
            joined = torch.unflatten(_multiply(normed, self.to_qkv.weight, self.to_qkv.bias), -1, (-1, self.dim_head))
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
        return self.dropout(_multiply(attended, self.to_out.weight, self.to_out.bias))


class FeedForward(nn.Module):
    """Two layers on each token separately. Half of the hidden units gate the other half."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.in_proj = nn.Linear(dim, 8 * dim)
        self.out_proj = nn.Linear(4 * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "*places dim"]) -> Float[Tensor, "*places dim"]:
        """The second half of the hidden units is the gate."""
        x = self.norm(x)
        if on_cpu(x):
            weights, biases = self.in_proj.weight.chunk(2), self.in_proj.bias.chunk(2)
            hidden = _multiply(x, weights[1], biases[1], gelu=True).mul_(_multiply(x, weights[0], biases[0]))
        else:
            value, gate = _project(x, self.in_proj, 2)
            hidden = F.gelu(gate).mul_(value)
        return self.dropout(_multiply(self.dropout(hidden), self.out_proj.weight, self.out_proj.bias))


class _FeedForwardInPieces(torch.autograd.Function):
    """`x + layer(x)` of a feed-forward layer without dropout, computed piece by piece.

    For the gradients only `x` is kept, and the hidden units are computed again. To keep all of them would take most of
    the memory of training, and no less time.
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
            value, gate = _multiply(normed, for_value, biases[0]), _multiply(normed, for_gate, biases[1])
            opened, hidden = F.gelu(gate), _multiply(above, out_of.t())
            of_out += _sum_products(above, opened * value)
            gate = torch.ops.aten.gelu_backward(value.mul_(hidden), gate)
            value = opened.mul_(hidden)
            of_value += _sum_products(normed, value)
            of_gate += _sum_products(normed, gate)
            of_biases += torch.stack([value.sum(0), gate.sum(0)])
            hidden = _multiply(value, for_value.t()).add_(_multiply(gate, for_gate.t()))
            hidden, *of_both = torch.ops.aten.native_layer_norm_backward(
                hidden, rows, (dim,), mean, rstd, scale, shift, [True, True, True]
            )
            of_norm += torch.stack(of_both)
            torch.add(above, hidden, out=below)
        of_into = torch.cat([of_value.t(), of_gate.t()])
        return slopes, None, None, *of_norm, of_into, of_biases.flatten(), of_out, slope.flatten(0, -2).sum(0)


def _suits_pieces(x: Tensor, layer: FeedForward) -> bool:
    """Return whether `_FeedForwardInPieces` can compute the gradients that are needed."""
    plain = x.dtype == layer.in_proj.weight.dtype and not torch.is_autocast_enabled("cpu")
    return torch.is_grad_enabled() and plain and layer.dropout.share == 0


def _add_residual(x: Tensor, layer: nn.Module, pieces: int, *masks: Tensor, **turns: Tensor) -> Tensor:
    """`x + layer(x)`; without gradients in place, where it is to be done in several pieces of the rows."""
    if pieces > 1 and isinstance(layer, FeedForward) and _suits_pieces(x, layer):
        compute: Callable[..., Tensor] = _FeedForwardInPieces.apply
        return compute(x, layer, pieces, *layer.parameters())
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
        turns = self.rotary_emb(tokens).repeat(1, 3 * self.heads, 1, 1)  # broadcasting over heads is slow on a CPU
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
