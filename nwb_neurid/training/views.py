"""Vectors of two views of some windows, in the form that a loss needs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int, Int64
from torch import Tensor, nn

from nwb_neurid.training.memory import most_tokens, to_device
from nwb_neurid.training.recording import Pairs

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PADDING = {"cpu": 0.1, "cuda": 0.5}
"""Share of a batch that may be padding. On a GPU, additional batches cost more time than additional padding."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Views:
    """Vectors of two views for `nwb_neurid.training.Loss`. A row is the same unit in both views."""

    vectors: Float32[Tensor, "2 windows units dim"]
    seen: Bool[Tensor, "2 windows units"]
    twins: Bool[Tensor, "windows units units"] | None


def batch_windows(
    counts: Int[np.ndarray, " windows"], tokens: int, device: torch.device
) -> Iterator[Int64[np.ndarray, " batch"]]:
    """Batch windows with at least one active unit. Windows with similar numbers of units are batched together."""
    padding = PADDING[device.type]
    order = np.argsort(counts, kind="stable")[::-1]
    order = order[counts[order] > 0]
    while len(order):
        longest = counts[order[0]]
        fits = max(1, most_tokens(device) // (int(longest) * tokens))
        similar = int(np.searchsorted(-counts[order], -(1 - padding) * longest, "right"))
        size = min(fits, similar)
        yield order[:size].astype(np.int64)
        order = order[size:]


def pack_active(
    active: Bool[np.ndarray, "windows units"],
) -> tuple[Int64[np.ndarray, "windows most"], Bool[np.ndarray, "windows most"]]:
    """Pack the rows of the active units of each window. Also return a mask that is False for padding."""
    counts = active.sum(axis=1)
    rows = np.argsort(~active, axis=1, kind="stable")[:, : counts.max(initial=0)]
    return rows, np.arange(rows.shape[1]) < counts[:, None]


def drop_units(
    rng: np.random.Generator, active: Bool[np.ndarray, "2 windows units"], smallest: float
) -> Bool[np.ndarray, "2 windows units"]:
    """Apply unit dropout: keep a random number of the active units of each view, from the smallest share to all.

    If no unit is kept in both views of a window, all units of this window are dropped.
    """
    units = active.shape[2]
    number = rng.integers(int(np.ceil(units * smallest)), units, size=active.shape[:2], endpoint=True)
    rank = rng.random(active.shape).argsort(axis=2).argsort(axis=2)
    keep = active & (rank < number[:, :, None])
    in_both = keep[0] & keep[1]
    return keep & in_both.any(axis=1)[:, None]


def embed_views(
    module: nn.Module,
    pairs: Pairs,
    keep: Bool[np.ndarray, "2 windows units"],
    twins: "csr_array | None",
    tokens: int,
) -> Views:
    """Compute the vectors of the units that are kept, in batches of windows with similar numbers of units."""
    device = pairs.values.device
    rows, present = pack_active(keep[0] | keep[1])
    place = np.zeros(keep.shape[1:], np.int64)
    np.put_along_axis(place, rows, np.arange(rows.shape[1])[None].repeat(len(rows), 0), axis=1)
    windows, width = rows.shape
    samples, values = keep.reshape(-1, keep.shape[2]), pairs.values.flatten(0, 1)
    context = None if pairs.context is None else pairs.context.flatten(0, 1)
    vectors, targets = [], []
    for batch in batch_windows(samples.sum(axis=1), tokens, device):
        units, there = pack_active(samples[batch])
        at = to_device(batch, device)[:, None], to_device(units, device)
        mask = None if there.all() else to_device(there, device)
        beside = () if context is None else (context[at[0][:, 0]],)
        out = module(values[at], mask, *beside).float().flatten(0, 1)
        vectors.append(out[to_device(np.flatnonzero(there), device)])
        targets.append((batch[:, None] * width + place[batch[:, None] % windows, units])[there])
    found = torch.cat(vectors)
    flat = found.new_zeros(2 * windows * width, found.shape[1])
    flat = flat.index_copy(0, to_device(np.concatenate(targets), device), found)
    seen = np.take_along_axis(keep, rows[None].repeat(2, 0), axis=2) & present
    same = None if twins is None else to_device(np.stack([twins[own][:, own].toarray() for own in rows]), device)
    return Views(vectors=flat.view(2, windows, width, -1), seen=to_device(seen, device), twins=same)
