"""A recording on the device that trains, and pairs of views drawn from it."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int32, Int64, Shaped
from torch import Tensor

from nwb_neurid.intervals import EDGE_S
from nwb_neurid.labels.duplicates import find_twins
from nwb_neurid.population import Population
from nwb_neurid.training.windows import WindowOptions, bin_recording, find_stretches

Context: TypeAlias = Callable[[Population, Float64[np.ndarray, " bins"], float], Float32[Tensor, "channels bins"]]
"""Makes what the module uses besides the units, of a population and its bins (starts and length in seconds)."""

_TRIED = 1000  # windows, spread evenly


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pairs:
    """Pairs of views of one recording.

    Parameters
    ----------
    values
        Activity in the first views and in the second ones, shape (2, windows, units, bins).
    active
        Which units have something to show in each view, shape (2, windows, units).
    context
        What went on beside the units, where the encoder looks at it, shape (2, windows, channels, bins).
    """

    values: Shaped[Tensor, "2 windows units bins"]
    active: Bool[np.ndarray, "2 windows units"]
    context: Float32[Tensor, "2 windows channels bins"] | None

    def windows(self, part: slice) -> "Pairs":
        """Some of the pairs."""
        context = None if self.context is None else self.context[:, part]
        return Pairs(values=self.values[:, part], active=self.active[:, part], context=context)


class Recording:
    """Units recorded together, binned once; the cost of a draw does not depend on the length of the recording.

    Parameters
    ----------
    population
        Units that attend to one another: one group.
    options
        How it is binned.
    device
        Where its bins live.
    context
        What else of it the encoder looks at.
    """

    def __init__(
        self, population: Population, options: WindowOptions, device: torch.device, context: Context | None = None
    ) -> None:
        whole = bin_recording(population, options)
        self.source = population.source
        self.bin_s = options.bin_s
        self.values = torch.from_numpy(np.ascontiguousarray(whole.values)).to(device)
        self.context = None if context is None else context(population, whole.starts_s, options.bin_s).to(device)
        self.runs = np.stack(find_stretches(whole.run), axis=1)
        self.twins = find_twins(population, whole.values)
        self._missing = _Missing.of(population, whole.starts_s, options.bin_s)

    @property
    def bins(self) -> int:
        """Number of bins."""
        return self.values.shape[1]

    @property
    def units(self) -> int:
        """Number of units."""
        return self.values.shape[0]

    def has_pairs(self, bins: int, farthest: int) -> bool:
        """Whether two windows of this length, at most `farthest` bins apart, can be drawn without a shared bin."""
        starts = _Starts.of(self.runs, bins)
        return starts.total > 0 and bool(starts.count_partners(starts.runs[:, 0], bins, farthest).any())

    def find_longest(self, tokens: int, token_bins: int, farthest: int) -> int:
        """Find the most tokens, up to `tokens`, with which windows everywhere in it have a partner; 0 for none."""

        def too_long(number: int) -> bool:
            bins = (number + 1) * token_bins
            starts = _Starts.of(self.runs, bins)
            if starts.total == 0:
                return True
            first = starts.pick(np.linspace(0, starts.total - 1, _TRIED).astype(np.int64))
            return not np.all(starts.count_partners(first, bins, farthest))

        return bisect_left(range(tokens), x=True, key=too_long)

    def draw(self, rng: np.random.Generator, windows: int, bins: int, farthest: int) -> Pairs:
        """Draw pairs of windows, the first uniform over the recording, the second uniform around it.

        Parameters
        ----------
        rng
            Where the randomness comes from.
        windows
            How many pairs; fewer come back where a first window has no partner.
        bins
            Length of a window.
        farthest
            How far apart the two may begin, in bins of observed time. They never share a bin.
        """
        starts = _Starts.of(self.runs, bins)
        first = starts.pick(rng.integers(starts.total, size=windows))
        second = starts.draw_partner(rng, first, bins, farthest)
        begins = np.stack([first[second >= 0], second[second >= 0]])
        at = torch.from_numpy(begins[:, :, None] + np.arange(bins)).to(self.values.device)
        values = self.values[:, at].permute(1, 2, 0, 3)
        lowest = 0 if values.dtype == torch.uint8 else values.amin(-1)
        active = (values.amax(-1) > lowest).cpu().numpy()  # false beside a NaN
        if self._missing is not None:
            active &= self._missing.find_observed(begins, bins)
        context = None if self.context is None else self.context[:, at].permute(1, 2, 0, 3)
        return Pairs(values=values, active=active, context=context)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Starts:
    """Where windows of one length may begin: `runs` of neighbouring columns (first, length), and how many came before.

    Nothing is stored for a column, so that neither memory nor time depends on the length of the recording.
    """

    runs: Int64[np.ndarray, "runs 2"]
    before: Int64[np.ndarray, " runs_and_one"]

    @classmethod
    def of(cls, runs: Int64[np.ndarray, "runs 2"], bins: int) -> "_Starts":
        lengths = runs[:, 1] - bins + 1
        kept = np.stack([runs[:, 0], lengths], axis=1)[lengths > 0]
        return cls(runs=kept, before=np.r_[0, np.cumsum(kept[:, 1])])

    @property
    def total(self) -> int:
        return int(self.before[-1])

    def pick(self, index: Int64[np.ndarray, "*any"]) -> Int64[np.ndarray, "*any"]:
        run = np.searchsorted(self.before, index, "right") - 1
        return self.runs[run, 0] + index - self.before[run]

    def count_below(self, column: Int64[np.ndarray, "*any"]) -> Int64[np.ndarray, "*any"]:
        """Count those that lie below a column."""
        run = np.maximum(np.searchsorted(self.runs[:, 0], column, "right") - 1, 0)
        return self.before[run] + np.clip(column - self.runs[run, 0], 0, self.runs[run, 1])

    def _find_sides(
        self, first: Int64[np.ndarray, " windows"], bins: int, farthest: int
    ) -> Int64[np.ndarray, "4 windows"]:
        """Find the indices of the partners: from [0] to [1] on the left, from [2] to [3] on the right."""
        return self.count_below(np.stack([first - farthest, first - bins + 1, first + bins, first + farthest + 1]))

    def count_partners(
        self, first: Int64[np.ndarray, " windows"], bins: int, farthest: int
    ) -> Int64[np.ndarray, " windows"]:
        """Count the windows that each may be paired with."""
        left, left_stop, right, right_stop = self._find_sides(first, bins, farthest)
        return np.maximum(left_stop - left, 0) + np.maximum(right_stop - right, 0)

    def draw_partner(
        self, rng: np.random.Generator, first: Int64[np.ndarray, " windows"], bins: int, farthest: int
    ) -> Int64[np.ndarray, " windows"]:
        """Draw where the other view of each begins; -1 where there is none."""
        left, left_stop, right, _ = self._find_sides(first, bins, farthest)
        count = self.count_partners(first, bins, farthest)
        index = rng.integers(np.maximum(count, 1))
        on_left = np.maximum(left_stop - left, 0)
        chosen = np.where(index < on_left, left + index, right + index - on_left)
        return np.where(count > 0, self.pick(np.clip(chosen, 0, self.total - 1)), -1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Missing:
    """When units were not observed, as counts of the pieces of observed time that each missed so far.

    Parameters
    ----------
    missed
        Shape (units, pieces + 1).
    pieces
        First and last piece that each bin lies in, shape (2, bins).
    """

    missed: Int32[np.ndarray, "units pieces_and_one"]
    pieces: Int32[np.ndarray, "2 bins"]

    @classmethod
    def of(cls, population: Population, starts_s: Shaped[np.ndarray, " bins"], bin_s: float) -> "_Missing | None":
        if population.unit_observed is None or population.unit_observed.all():
            return None
        edges = 2 * EDGE_S  # a bin that only touches a piece does not lie in it
        first = np.searchsorted(population.observed_s[:, 1], starts_s + edges, "left")
        last = np.searchsorted(population.observed_s[:, 0], starts_s + bin_s - edges, "left") - 1
        missed = np.cumsum(~population.unit_observed, axis=1, dtype=np.int32)
        return cls(
            missed=np.pad(missed, ((0, 0), (1, 0))),
            pieces=np.stack([first, last]).astype(np.int32),
        )

    def find_observed(self, begins: Int64[np.ndarray, "2 windows"], bins: int) -> Bool[np.ndarray, "2 windows units"]:
        """Find the units that were observed throughout each window."""
        first, last = self.pieces[0, begins], self.pieces[1, begins + bins - 1]
        return np.moveaxis(self.missed[:, last + 1] == self.missed[:, first], 0, -1)
