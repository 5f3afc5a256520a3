"""A recording on the training device, and pairs of views that are drawn from it."""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int32, Int64, Shaped
from torch import Tensor

from nwb_neurid.contracts.training import Binned
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.labels.duplicates import find_twins
from nwb_neurid.population import Population
from nwb_neurid.training.memory import to_device
from nwb_neurid.training.windows import WindowOptions, bin_recording, find_stretches

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Context: TypeAlias = Callable[[Population, Float64[np.ndarray, " bins"], float], Float32[Tensor, "channels bins"]]
"""A function that computes further input of the module from a population and its bins (starts, length in seconds)."""

_TRIED = 1000  # windows, spread evenly


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pairs:
    """Pairs of views of one recording.

    Parameters
    ----------
    values
        Activity in the first and in the second views, shape (2, windows, units, bins).
    active
        Whether each unit is active in each view, shape (2, windows, units).
    context
        Further input of the encoder, if it uses any, shape (2, windows, channels, bins).
    """

    values: Shaped[Tensor, "2 windows units bins"]
    active: Bool[np.ndarray, "2 windows units"]
    context: Float32[Tensor, "2 windows channels bins"] | None

    def windows(self, part: slice) -> "Pairs":
        """Select some of the pairs."""
        context = None if self.context is None else self.context[:, part]
        return Pairs(values=self.values[:, part], active=self.active[:, part], context=context)


def bin_population(population: Population, options: WindowOptions, context: Context | None = None) -> Binned:
    """Bin a population for training.

    Parameters
    ----------
    population
        Units of one group, which may use the activity of one another.
    options
        Options for binning.
    context
        Further input of the encoder.
    """
    whole = bin_recording(population, options)
    twins = find_twins(population, whole.values)
    missing = _Missing.of(population, whole.starts_s, options.bin_s)
    beside = None if context is None else context(population, whole.starts_s, options.bin_s)
    return Binned(
        source=population.source,
        subject_id=population.subject_id,
        session_id=population.session_id,
        duration_s=population.duration_s,
        values=np.ascontiguousarray(whole.values),
        runs=np.stack(find_stretches(whole.run), axis=1),
        twins=None if twins is None else np.stack(twins.nonzero(), axis=1).astype(np.int64),
        missed=None if missing is None else missing.missed,
        pieces=None if missing is None else missing.pieces,
        context=None if beside is None else beside.numpy(),
    )


class Recording:
    """A binned recording. The time to draw windows does not depend on the length of the recording.

    Parameters
    ----------
    population
        Units of one group, which may use the activity of one another; optionally already binned.
    options
        Options for binning.
    device
        The device for its windows.
    context
        Further input of the encoder.
    room_bytes
        If its bins take no more than this, they are kept on the device. Otherwise they are kept in memory or in a
        memory-mapped file, and windows are copied to the device one micro-batch at a time.
    """

    def __init__(
        self,
        population: Population | Binned,
        options: WindowOptions,
        device: torch.device,
        context: Context | None = None,
        *,
        room_bytes: float = math.inf,
    ) -> None:
        binned = population if isinstance(population, Binned) else bin_population(population, options, context)
        self.context = None if binned.context is None else torch.from_numpy(binned.context).to(device)
        self.source = binned.source
        self.bin_s = options.bin_s
        self.device = device
        self.bytes = binned.values.nbytes
        self.on_device = self.bytes <= room_bytes
        values = torch.from_numpy(binned.values)
        self.values = values.to(device) if self.on_device else values
        self.runs = binned.runs
        self.twins = _pair_up(binned.twins, len(binned))
        self._missing = None
        if binned.missed is not None and binned.pieces is not None:
            self._missing = _Missing(missed=binned.missed, pieces=binned.pieces)

    @property
    def bins(self) -> int:
        """Number of bins."""
        return self.values.shape[1]

    @property
    def units(self) -> int:
        """Number of units."""
        return self.values.shape[0]

    def has_pairs(self, bins: int, farthest: int) -> bool:
        """Whether two windows of this length can be drawn at most `farthest` bins apart and without a shared bin."""
        starts = _Starts.of(self.runs, bins)
        return starts.total > 0 and bool(starts.count_partners(starts.runs[:, 0], bins, farthest).any())

    def find_longest(self, tokens: int, token_bins: int, farthest: int) -> int:
        """Find the largest number of tokens, up to `tokens`, for which all windows have a partner; 0 if none."""

        def too_long(number: int) -> bool:
            bins = (number + 1) * token_bins
            starts = _Starts.of(self.runs, bins)
            if starts.total == 0:
                return True
            first = starts.pick(np.linspace(0, starts.total - 1, _TRIED).astype(np.int64))
            return not np.all(starts.count_partners(first, bins, farthest))

        return bisect_left(range(tokens), x=True, key=too_long)

    def draw(self, rng: np.random.Generator, windows: int, bins: int, farthest: int) -> Pairs:
        """Draw pairs of windows: the first uniformly from the recording, the second uniformly around the first.

        Parameters
        ----------
        rng
            Random generator.
        windows
            Number of pairs. Fewer pairs are returned if a first window has no possible second window.
        bins
            Length of a window.
        farthest
            Largest distance between the starts of the two windows, in bins of observed time. The windows never share
            a bin.
        """
        starts = _Starts.of(self.runs, bins)
        first = starts.pick(rng.integers(starts.total, size=windows))
        second = starts.draw_partner(rng, first, bins, farthest)
        begins = np.stack([first[second >= 0], second[second >= 0]])
        values = self._take(begins, bins)
        lowest = 0 if values.dtype == torch.uint8 else values.amin(-1)
        active = (values.amax(-1) > lowest).cpu().numpy()  # false beside a NaN
        if self._missing is not None:
            active &= self._missing.find_observed(begins, bins)
        if not self.on_device:
            values = to_device(values.numpy(), self.device)
        context = None
        if self.context is not None:
            at = torch.from_numpy(begins[:, :, None] + np.arange(bins)).to(self.context.device)
            context = self.context[:, at].permute(1, 2, 0, 3)
        return Pairs(values=values, active=active, context=context)

    def _take(self, begins: Int64[np.ndarray, "2 windows"], bins: int) -> Shaped[Tensor, "2 windows units bins"]:
        """Return the bins of windows. In memory, they are read range by range, so that only their pages are read."""
        if self.on_device:
            at = torch.from_numpy(begins[:, :, None] + np.arange(bins)).to(self.values.device)
            return self.values[:, at].permute(1, 2, 0, 3)
        parts = [self.values[:, at : at + bins] for at in begins.ravel().tolist()]
        taken = torch.stack(parts) if parts else self.values.new_empty(0, self.units, bins)
        return taken.unflatten(0, begins.shape)


def _pair_up(pairs: Int64[np.ndarray, "pairs 2"] | None, units: int) -> "csr_array | None":
    """Convert pairs of rows to a matrix of shape (units, units)."""
    from scipy.sparse import coo_array

    if pairs is None:
        return None
    return coo_array((np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(units, units)).tocsr()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Starts:
    """Possible starts of windows of one length: `runs` of columns (first, length), and the number of earlier starts.

    Nothing is stored for single columns. Memory and time therefore do not depend on the length of the recording.
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
        """Count the possible starts of windows below a column."""
        run = np.maximum(np.searchsorted(self.runs[:, 0], column, "right") - 1, 0)
        return self.before[run] + np.clip(column - self.runs[run, 0], 0, self.runs[run, 1])

    def _find_sides(
        self, first: Int64[np.ndarray, " windows"], bins: int, farthest: int
    ) -> Int64[np.ndarray, "4 windows"]:
        """Find the indices of the possible partners: from [0] to [1] on the left, and from [2] to [3] on the right."""
        return self.count_below(np.stack([first - farthest, first - bins + 1, first + bins, first + farthest + 1]))

    def count_partners(
        self, first: Int64[np.ndarray, " windows"], bins: int, farthest: int
    ) -> Int64[np.ndarray, " windows"]:
        """Count the windows with which each window may be paired."""
        left, left_stop, right, right_stop = self._find_sides(first, bins, farthest)
        return np.maximum(left_stop - left, 0) + np.maximum(right_stop - right, 0)

    def draw_partner(
        self, rng: np.random.Generator, first: Int64[np.ndarray, " windows"], bins: int, farthest: int
    ) -> Int64[np.ndarray, " windows"]:
        """Draw the start of the second view for each first view; -1 if there is none."""
        left, left_stop, right, _ = self._find_sides(first, bins, farthest)
        count = self.count_partners(first, bins, farthest)
        index = rng.integers(np.maximum(count, 1))
        on_left = np.maximum(left_stop - left, 0)
        chosen = np.where(index < on_left, left + index, right + index - on_left)
        return np.where(count > 0, self.pick(np.clip(chosen, 0, self.total - 1)), -1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Missing:
    """The time in which units were not observed, as cumulative counts of the pieces of observed time that they missed.

    Parameters
    ----------
    missed
        Shape (units, pieces + 1).
    pieces
        First and last piece that overlap each bin, shape (2, bins).
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
