"""The interface of encoders that can be trained: options of a training, and its log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, Shaped

from nwb_neurid.contracts.encoder import Encoder
from nwb_neurid.contracts.progress import Progress, silent
from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Report on one step of a training.

    Parameters
    ----------
    number, steps
        Number of completed steps, and planned number of steps.
    loss
        Mean loss over the matched units of the step. NaN if no unit was matched.
    matched
        Number of matched units, summed over all pairs of windows of the step. A matched unit was in both windows (the
        two views) of a pair.
    """

    number: int
    steps: int
    loss: float
    matched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """Options of a training.

    Parameters
    ----------
    steps
        Number of optimiser steps.
    seed
        Random seed, for reproducible results. On a CPU, the weights are reproducible bit for bit.
    windows, learning_rate
        Number of pairs of windows in a step, and peak learning rate. With None, the values of the preset are used.
    precision
        Precision of matrix multiplications: "float32", "bfloat16", or "auto" for bfloat16 on a GPU that supports it.
    compile
        Compile the network with `torch.compile`.
    checkpoint
        The file in which the state of the training is saved. With None, the state is not saved.
    resume
        Continue from the checkpoint, if there is one.
    checkpoint_s
        Shortest time between two checkpoints, in seconds.
    watch
        Callback that is called with a `Step` after every step.
    saved
        Callback that is called after each checkpoint was written. During the call, the encoder can be used with its
        current weights.
    tell
        Callback that is called with a message about the setup, such as which recordings are kept in the memory of the
        device.

    Raises
    ------
    InvalidOption
        If a value cannot be used.

    Examples
    --------
    >>> TrainingOptions(steps=1000, learning_rate=1e-3).precision
    'auto'
    """

    steps: int
    seed: int = 0
    windows: int | None = None
    learning_rate: float | None = None
    precision: str = "auto"
    compile: bool = False
    checkpoint: Path | None = None
    resume: bool = False
    checkpoint_s: float = 60.0
    watch: Callable[[Step], None] | None = None
    saved: "Callable[[TrainingLog], None] | None" = None
    tell: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InvalidOption(f"The number of training steps must be 1 or more, got {self.steps}.")
        if self.seed < 0:
            raise InvalidOption(f"The seed of a training must be 0 or more, got {self.seed}.")
        if self.windows is not None and self.windows < 1:
            raise InvalidOption(f"A step must have 1 window or more, got {self.windows}.")
        if self.learning_rate is not None and not 0 < self.learning_rate < np.inf:
            raise InvalidOption(f"The learning rate must be positive and finite, got {self.learning_rate}.")
        if self.precision not in PRECISIONS:
            raise InvalidOption(f"The precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}.")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrainingLog:
    """Log of a training.

    Parameters
    ----------
    loss
        Loss of each completed step, shape (steps,). NaN for a step without matched units.
    matched
        Number of matched units in each step, shape (steps,). A matched unit was in both windows (the two views) of a
        pair.
    steps
        Planned number of steps.
    seconds
        Duration of the completed steps, including the steps before the training was resumed.
    notes
        Sentences about data that were left out.
    """

    loss: Float64[np.ndarray, " steps"]
    matched: Int64[np.ndarray, " steps"]
    steps: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether all planned steps were completed. False if the training was interrupted."""
        return len(self.loss) == self.steps


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Binned:
    """A binned population, on which an encoder can be trained. Binning takes time, so the result can be cached.

    Parameters
    ----------
    source, subject_id, session_id
        The same as in the population.
    duration_s
        Observed time of the population, in seconds.
    values
        Spike counts (uint8) or samples (float32), shape (units, bins); may be mapped from a file.
    runs
        First bin and number of bins of each unbroken run, shape (runs, 2).
    twins
        Pairs of rows that may be one neuron, in both orders, shape (pairs, 2); None if there are none.
    missed
        Cumulative number of pieces of observed time in which each unit was not observed, shape (units, pieces + 1).
        None if all units were observed in all pieces.
    pieces
        First and last piece that overlap each bin, shape (2, bins); None if `missed` is None.
    context
        Further input of the encoder besides the units, shape (channels, bins); None if there is none.
    """

    source: str
    subject_id: str
    session_id: str
    duration_s: float
    values: Shaped[np.ndarray, "units bins"]
    runs: Int64[np.ndarray, "runs 2"]
    twins: Int64[np.ndarray, "pairs 2"] | None = None
    missed: Int32[np.ndarray, "units pieces_and_one"] | None = None
    pieces: Int32[np.ndarray, "2 bins"] | None = None
    context: Float32[np.ndarray, "channels bins"] | None = None

    def __len__(self) -> int:
        return len(self.values)


@runtime_checkable
class BinsRecordings(Protocol):
    """An encoder that can be trained on recordings that were binned before: its `fit` accepts `Binned` populations."""

    @property
    def binning(self) -> str:
        """A text that identifies the binning. Encoders that bin differently have different texts."""
        ...

    def bin(self, population: Population) -> Binned:
        """Bin one group of units, without excluded units.

        Parameters
        ----------
        population
            The units.

        Returns
        -------
        Binned
            The binned units, which `fit` accepts instead of the population.
        """
        ...


@runtime_checkable
class Trainable(Encoder, Protocol):
    """An encoder that learns from recordings without labels."""

    def fit(
        self, populations: Sequence[Population], options: TrainingOptions, *, progress: Progress = silent
    ) -> TrainingLog:
        """Train the encoder in place. `nwb_neurid.train` calls this method.

        An interruption (`KeyboardInterrupt`) ends the training early, without an error. `TrainingLog.finished` is then
        False.

        Parameters
        ----------
        populations
            Populations to train on. Each population is one group of units, without excluded units.
        options
            Number of steps, random seed, checkpoints and other options.
        progress
            Wrapper for the loop over steps.

        Returns
        -------
        TrainingLog
            Loss and number of matched units of every completed step.

        Raises
        ------
        CannotTrain
            If none of the populations can be used for training. The message lists all reasons.
        """
        ...
