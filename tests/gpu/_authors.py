"""The flow of data in the authors' code of NuCLR, written anew: what ours is measured against.

Source: nerdslab/nuclr, commit 0fa409b, as the paper (arXiv 2512.01199) describes it. The tokens of all units of all
windows are one packed sequence. Attention is block-diagonal over that sequence: a block holds the tokens of a unit, or,
after a permutation, those of the units of one window at one time. The loss goes from window to window. Layers and
weights are those of our network, so that both compute the same.
"""

import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, nn

from neurid_nuclr.network import Network


class Blocks:
    """The blocks that attention stays within: neighbouring stretches of a packed sequence."""

    def __init__(self, lengths: Sequence[int], device: torch.device) -> None:
        self.offsets = torch.tensor([0, *itertools.accumulate(lengths)], device=device)
        self.shortest, self.longest = min(lengths), max(lengths)
        self.batches, start = [], 0
        for length, blocks in itertools.groupby(lengths):
            number = len(list(blocks))
            self.batches.append((slice(start, start + number * length), number, length))
            start += number * length

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention of shape (tokens, heads, dim_head), by PyTorch's kernels for sequences of unequal length.

        A CPU has none; neighbouring blocks of equal length are a batch there.
        """
        if query.device.type == "cpu":
            return torch.cat([self._attend_batch(query[at], key[at], value[at], *shape) for at, *shape in self.batches])
        lengths = {"min_seqlen": self.shortest, "max_seqlen": self.longest}
        parts = [
            torch.nested.nested_tensor_from_jagged(part, self.offsets, **lengths).transpose(1, 2)
            for part in (query, key, value)
        ]
        return F.scaled_dot_product_attention(*parts).transpose(1, 2).values()

    @staticmethod
    def _attend_batch(query: Tensor, key: Tensor, value: Tensor, number: int, length: int) -> Tensor:
        parts = [part.unflatten(0, (number, length)).transpose(1, 2) for part in (query, key, value)]
        return F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(0, 1)


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Each pair of neighbouring dimensions turned."""
    pairs = x.float().unflatten(-1, (-1, 2))
    turned = torch.stack([-pairs[..., 1], pairs[..., 0]], -1).flatten(-2)
    return (x * cosine + turned * sine).type_as(x)


class PackedFlow(nn.Module):
    """The encoder over packed tokens.

    Parameters
    ----------
    network
        Whose layers and weights it uses.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, activity: Tensor, sizes: Sequence[int]) -> Tensor:
        """Vectors of all units, from their activity (units, bins), where `sizes` units are of a window each."""
        network = self.network
        patches = activity.to(network.read_in.weight.dtype).unflatten(-1, (-1, network.patch))
        units, tokens, _ = patches.shape
        x = network.read_in(patches.flatten(0, 1))
        turns = [
            part.repeat_interleave(2, 1).repeat(units, 1)[:, None]
            for part in network.rotary_emb(tokens)[:, 0].unbind(-1)
        ]
        device = activity.device
        along = Blocks([tokens] * units, device)
        order, across = self._group_by_time(sizes, tokens, device)
        for block in network.t_blocks:
            temporal, feed_forward = block.children()
            x = x + self._attend(x, temporal, along, turns=turns)
            x = x + self._feed_forward(x, feed_forward)
        for block in network.st_blocks:
            temporal, feed_forward, spatial, spatial_feed_forward = block.children()
            x = x + self._attend(x, spatial, across, order=order)
            x = x + self._feed_forward(x, spatial_feed_forward)
            x = x + self._attend(x, temporal, along, turns=turns)
            x = x + self._feed_forward(x, feed_forward)
        return x.unflatten(0, (units, tokens)).mean(1)

    @staticmethod
    def _group_by_time(sizes: Sequence[int], tokens: int, device: torch.device) -> tuple[Tensor, Blocks]:
        """The permutation that brings the units of a window at one time together, and the blocks that result."""
        number = torch.tensor(sizes, device=device)
        window = torch.arange(len(sizes), device=device).repeat_interleave(number).repeat_interleave(tokens)
        time = torch.arange(tokens, device=device).repeat(sum(sizes))
        lengths = [size for size in sizes for _ in range(tokens)]
        return torch.argsort(window * tokens + time, stable=True), Blocks(lengths, device)

    @staticmethod
    def _attend(
        x: Tensor, layer: nn.Module, blocks: Blocks, turns: Sequence[Tensor] | None = None, order: Tensor | None = None
    ) -> Tensor:
        parts = layer.to_qkv(layer.norm(x)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (-1, layer.dim_head)) for part in parts)
        if turns is not None:
            cosine, sine = turns
            query, key, value = (rotate(part, cosine, sine) for part in (query, key, value))
        if order is None:
            attended = blocks.attend(query.contiguous(), key.contiguous(), value.contiguous())
        else:
            attended = blocks.attend(query[order], key[order], value[order])
            attended = torch.empty_like(attended).index_copy(0, order, attended)
        if turns is not None:
            attended = rotate(attended, cosine, -sine)
        return layer.dropout(layer.to_out(attended.flatten(-2)))

    @staticmethod
    def _feed_forward(x: Tensor, layer: nn.Module) -> Tensor:
        value, gate = layer.in_proj(layer.norm(x)).chunk(2, -1)
        return layer.dropout(layer.out_proj(layer.dropout(F.gelu(gate) * value)))


def sum_loss(projector: nn.Module, views: Sequence[Tensor], sizes: Sequence[int], temperature: float = 0.2) -> Tensor:
    """The mean loss over units that are all in both views, one window after the other."""
    first, second = (F.normalize(projector(view), dim=-1) for view in views)
    total = first.new_zeros(())
    for one, two in zip(first.split(list(sizes)), second.split(list(sizes)), strict=True):
        across, itself = one @ two.T / temperature, torch.eye(len(one), dtype=torch.bool, device=one.device)
        alike = across.diagonal()
        for rows, own in ((across, one), (across.T, two)):
            far = torch.cat([rows.masked_fill(itself, -torch.inf), (own @ own.T).masked_fill(itself, -torch.inf)], 1)
            total = total + (torch.logsumexp(far, 1) - math.log(far.shape[1])).sum() / 2
        total = total + (1 / temperature - alike).sum()
    return total / sum(sizes)
