"""The schedule of a training: windows, recordings, units and learning rate of each step."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool
from torch import nn

from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.training.memory import TOKENS, most_tokens
from nwb_neurid.training.recipe import Recipe
from nwb_neurid.training.recording import Context, Pairs, Recording
from nwb_neurid.training.views import drop_units
from nwb_neurid.training.windows import WindowOptions

SHARE = {"cpu": 0.0, "cuda": 1 / 16}
"""Share of the windows of a step that a micro-batch may have on a CPU, even if they are computed in several parts."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainingTask:
    """Specification of a training: the module, the length of its vectors, its windows and context, and the recipe."""

    module: nn.Module
    dim: int
    windows: WindowOptions
    recipe: Recipe
    context: Context | None = None

    def find_farthest(self, recording: Recording) -> int:
        """Find the largest distance between the starts of two views, in bins."""
        distance_s = self.recipe.max_distance_s
        return recording.bins if distance_s is None else round(distance_s / self.windows.bin_s)

    def find_longest(self, recording: Recording) -> int:
        """Find the largest number of tokens of a view: more than in a window only if there is enough time."""
        asked = round(self.recipe.longest * self.windows.tokens)
        longest = recording.find_longest(asked, self.windows.token_bins, self.find_farthest(recording))
        return max(longest, min(asked, self.windows.tokens))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MicroBatch:
    """A micro-batch, and the seed of its dropout."""

    recording: Recording
    pairs: Pairs
    keep: Bool[np.ndarray, "2 windows units"]
    tokens: int
    seed: int

    def pieces(self) -> Iterator["MicroBatch"]:
        """Split the micro-batch into parts that are computed one after another. On a CPU, there is only one part."""
        width = int(self.keep.any(axis=0).sum(axis=1).max(initial=0))
        size = max(1, most_tokens(self.pairs.values.device) // max(width * self.tokens, 1))
        for number, at in enumerate(range(0, self.keep.shape[1], size)):
            part = slice(at, at + size)
            yield replace(self, pairs=self.pairs.windows(part), keep=self.keep[:, part], seed=self.seed + number)


class Schedule:
    """The steps of a training.

    All random numbers are determined by the seed, the number of the step and the number of the micro-batch. They do
    not depend on interruptions of the training or on the number of processes.
    """

    def __init__(self, task: TrainingTask, recordings: Sequence[Recording], options: TrainingOptions) -> None:
        self._task, self._recordings, self._options = task, recordings, options
        bins = np.array([recording.bins for recording in recordings], np.float64)
        self._chances = bins / bins.sum()
        self._longest = [self._task.find_longest(recording) for recording in recordings]
        self._windows = options.windows or task.recipe.windows

    def plan(self, number: int) -> list[tuple[int, int]]:
        """Draw the recording of each micro-batch, in proportion to observed time, and its number of windows."""
        rng = np.random.default_rng([self._options.seed, number])
        left, plan = self._windows, []
        while left > 0:
            which = int(rng.choice(len(self._recordings), p=self._chances))
            plan.append((which, min(self._most_windows(which), left)))
            left -= plan[-1][1]
        return plan

    def _most_windows(self, which: int) -> int:
        """Return the number of windows of a micro-batch. It does not depend on the memory of a GPU."""
        recording = self._recordings[which]
        few = TOKENS // max(recording.units * self._longest[which], 1)
        return max(1, few, math.ceil(SHARE[recording.device.type] * self._windows))

    def draw(self, number: int, at: int) -> MicroBatch:
        """Draw a micro-batch: pairs of windows of one recording, and the units that unit dropout keeps."""
        windows, recipe = self._task.windows, self._task.recipe
        which, count = self.plan(number)[at]
        recording = self._recordings[which]
        rng = np.random.default_rng([self._options.seed, number, at])
        longest = self._longest[which]
        shortest = min(math.ceil(recipe.shortest * windows.tokens), longest)
        tokens = int(rng.integers(shortest, longest, endpoint=True))
        pairs = recording.draw(rng, count, tokens * windows.token_bins, self._task.find_farthest(recording))
        keep = drop_units(rng, pairs.active, recipe.keep_units)
        return MicroBatch(recording=recording, pairs=pairs, keep=keep, tokens=tokens, seed=int(rng.integers(2**31)))

    def compute_learning_rate(self, number: int) -> float:
        """Compute the learning rate of a step: a linear rise, followed by a decay along a cosine."""
        recipe, steps = self._task.recipe, self._options.steps
        rise = max(1, round(recipe.warm_up * steps))
        fall = 0.5 * (1 + math.cos(math.pi * max(0, number - rise) / max(1, steps - rise)))
        return (self._options.learning_rate or recipe.learning_rate) * min(1.0, (number + 1) / rise) * fall
