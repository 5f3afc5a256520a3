"""The encoder of NeurPIR: an MLP at steps along a segment of one neuron, averaged over the segment.

Source: "Neuron Platonic Intrinsic Representation From Dynamics Using Contrastive Learning" (ICLR 2025),
arXiv 2502.10425. The paper does not state sizes, inputs and segments, and the authors' code contains another model. Our
choices, and the measurements behind them, are described in `docs/understand/neurpir.md`.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812 - usual name
from jaxtyping import Bool, Float, Int64, Real
from torch import Tensor, nn

from neurid_neurpir.config import NetworkConfig
from neurid_neurpir.latents import Latents, hide_some

LAG_RATIO = 1.35
"""Ratio of successive lags, for lags that are longer than a bin."""

PIECE_STEPS = {"cpu": 8192, "cuda": 2**18}
"""Number of steps that are computed at once without gradients. Their inputs fit into the cache of a CPU or the memory
of a GPU.
"""


def lag_edges(reach: int) -> list[int]:
    """Compute edges of lags in bins, from 0 to `reach` or slightly more.

    The first edges are one bin apart. The later edges form a geometric series.
    """
    edges, edge = [0, 1], 1.0
    while edges[-1] < reach:
        edge *= LAG_RATIO
        edges.append(max(edges[-1] + 1, round(edge)))
        edge = max(edge, edges[-1])
    return edges


class Network(nn.Module):
    """A network that computes a vector for each unit of each segment.

    Its inputs are the activity of the unit, the mean activity of the other units, and behaviour.

    The input of a step is the activity in the bins before and after it, in lags that become wider with their distance.
    For spike trains, the steps are the bins in which the unit fires. For traces, they are the frames.

    Parameters
    ----------
    config
        Its input and sizes.
    """

    learnt: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        bin_s, hidden, channels = config.step_s, config.hidden, len(config.behaviour)
        edges = lag_edges(max(1, round(config.reach_s / bin_s)))
        before = [(-right, -left) for left, right in pairwise(edges)]
        after = [(left + 1, right + 1) for left, right in pairwise(edges)]
        self.lags = [*reversed(before), (0, 1), *after]
        self.counts, self.bin_s, self.most_hz = config.activity == "spikes", bin_s, config.most_hz
        self.masked, self.dim = config.masked, config.dim
        lags = len(self.lags)
        signals = 1 + (config.cebra or channels)
        self.latents = Latents(channels, config.cebra, bin_s) if config.cebra else None
        self.own = nn.Linear(lags + 1, hidden)
        self.around = nn.Linear(signals * lags, hidden, bias=False)
        self.unseen = nn.Parameter(torch.zeros(signals, hidden))
        self.register_buffer("learnt", torch.zeros(signals - 1))
        deeper = [layer for _ in range(config.layers - 1) for layer in (nn.Linear(hidden, hidden), nn.GELU())]
        self.out = nn.Sequential(nn.LayerNorm(hidden), nn.GELU(), *deeper, nn.Linear(hidden, config.dim))

    def forward(
        self,
        activity: Real[Tensor, "windows units bins"],
        present: Bool[Tensor, "windows units"] | None = None,
        behaviour: Float[Tensor, "windows channels bins"] | None = None,
    ) -> Float[Tensor, "windows units dim"]:
        """Embed the units of some segments, of any length.

        Parameters
        ----------
        activity
            Spike counts or samples of each unit.
        present
            False for rows that are padding, whose vectors have no meaning; None if there is no padding.
        behaviour
            One row for each channel; NaN where it is not known. None if there are no channels.
        """
        windows, units, bins = activity.shape
        values = activity.float()
        if present is not None:
            values = values.where(present[:, :, None], 0.0)
        if behaviour is None:
            behaviour = values.new_zeros(windows, 0, bins)
        if self.latents is not None:
            behaviour = self.latents(hide_some(behaviour, self.masked) if self.training else behaviour)
        surroundings, seen = _join_surroundings(values, behaviour)
        if self.training:
            self.learnt.copy_(torch.maximum(self.learnt, seen[:, 1:].any(0).float()))
            seen = seen & ~self._draw_hidden(seen)
        else:  # weights for channels that no training recording had are untrained
            seen = seen & F.pad(self.learnt > 0, (1, 0), value=True)
        sums = _sum_up(values), _sum_up(surroundings * seen[:, :, None])
        row, bin_ = self._choose_steps(values.flatten(0, 1))
        mean, scale = values.mean(2).flatten(), self._measure_scale(values)
        total = values.new_zeros(windows * units, self.dim)
        pieces = 1 if torch.is_grad_enabled() else 1 + len(row) // PIECE_STEPS[row.device.type]
        for rows, at in zip(row.chunk(pieces), bin_.chunk(pieces), strict=True):
            vectors = self._embed_steps(rows, at, units, mean, sums, scale, seen)
            total = total.index_add(0, rows, vectors.float())
        steps = torch.bincount(row, minlength=windows * units).clamp(min=1)
        return (total / steps[:, None]).view(windows, units, -1)

    def _draw_hidden(self, seen: Bool[Tensor, "windows signals"]) -> Bool[Tensor, "windows signals"]:
        """Draw what is hidden from segments in training: the other units, and each channel or all latents."""
        parts = seen.shape[1] if self.latents is None else 2
        hidden = torch.rand(len(seen), parts, device=seen.device) < self.masked
        return torch.cat([hidden[:, :1], hidden[:, 1:].expand(-1, seen.shape[1] - 1)], 1)

    def _choose_steps(
        self, values: Float[Tensor, "rows bins"]
    ) -> tuple[Int64[Tensor, " steps"], Int64[Tensor, " steps"]]:
        """Choose row and bin of each step, row after row."""
        usable = values > 0 if self.counts else torch.ones_like(values, dtype=torch.bool)
        row, bin_ = torch.nonzero(usable, as_tuple=True)
        number = usable.sum(1)
        most = max(1, int(self.most_hz * self.bin_s * values.shape[1]))
        rank = torch.arange(len(row), device=row.device) - (number.cumsum(0) - number)[row]
        taken = number.clamp(max=most)[row]
        kept = (rank + 1) * taken // number[row] > rank * taken // number[row]
        return row[kept], bin_[kept]

    def _measure_scale(self, values: Float[Tensor, "windows units bins"]) -> Float[Tensor, " rows"]:
        """Measure the standard deviation of the sum of the other units, for each unit."""
        total = values.sum(1, keepdim=True)
        square = total.square().mean(2) - 2 * (total * values).mean(2) + values.square().mean(2)
        variance = square - (total.mean(2) - values.mean(2)).square()
        return variance.clamp(min=1e-6).sqrt().flatten()

    def _embed_steps(
        self,
        row: Int64[Tensor, " steps"],
        bin_: Int64[Tensor, " steps"],
        units: int,
        mean: Float[Tensor, " rows"],
        sums: tuple[Float[Tensor, "windows units edges"], Float[Tensor, "windows signals edges"]],
        scale: Float[Tensor, " rows"],
        seen: Bool[Tensor, "windows signals"],
    ) -> Float[Tensor, "steps dim"]:
        """Compute the vector of each step."""
        own_sums, around_sums = sums
        bins = own_sums.shape[2] - 1
        lags = torch.tensor(self.lags, device=row.device)
        from_, to = (bin_[:, None, None] + lags).clamp(0, bins).unbind(2)
        wide, within = lags.diff(dim=1)[:, 0].float(), (to - from_).float()
        window, average = row // units, mean[row][:, None]

        def summed(running: Tensor, of: Tensor) -> Tensor:
            begin = of[:, None] * (bins + 1)
            return running[begin + to] - running[begin + from_]

        own = summed(own_sums.flatten(), row)
        others = summed(around_sums[:, 0].flatten(), window) - (own - average * within) * seen[window, :1]
        full = own + average * (wide - within)
        level = (average / self.bin_s).clamp(min=1e-3).log() if self.counts else average
        inputs = full.clamp(min=0).sqrt() if self.counts else full / wide
        around = [others / (scale[row][:, None] * wide.sqrt())]
        told = [signal for signal, known in enumerate(seen.any(0).tolist()) if known and signal]
        around += [summed(around_sums[:, signal].flatten(), window) / wide for signal in told]
        weights = self.around.weight.unflatten(1, (-1, len(self.lags)))[:, [0, *told]].flatten(1)
        hidden = self.own(torch.cat([inputs, level], 1)) + F.linear(torch.cat(around, 1), weights)
        # Indexing by `[window]` would sum its gradient in an order that depends on the timing of threads.
        hidden = hidden + ((~seen).float() @ self.unseen).index_select(0, window)
        vectors: Tensor = self.out(hidden)
        return vectors


def _join_surroundings(
    values: Float[Tensor, "windows units bins"], behaviour: Float[Tensor, "windows channels bins"]
) -> tuple[Float[Tensor, "windows signals bins"], Bool[Tensor, "windows signals"]]:
    """Join the centred sum of all units and behaviour, with 0 for unknown values.

    Also return which of these signals are known.
    """
    total = values.sum(1, keepdim=True)
    known = ~behaviour.isnan()
    others = values.any(2).sum(1, keepdim=True) > 1
    signals = torch.cat([total - total.mean(2, keepdim=True), behaviour.nan_to_num(0.0)], 1)
    return signals, torch.cat([others, known.any(2)], 1)


def _sum_up(values: Float[Tensor, "windows rows bins"]) -> Float[Tensor, "windows rows edges"]:
    """Compute cumulative sums up to each bin. The sum over some bins is then the difference of two cumulative sums."""
    return F.pad(values.cumsum(2), (1, 0))
