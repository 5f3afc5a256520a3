"""The log of a training, and the checkpoint from which it is resumed."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nwb_neurid.contracts import State, Step, TrainingLog, TrainingOptions
from nwb_neurid.errors import CannotWrite, WrongWeights
from nwb_neurid.population import Population


class Log:
    """The log of a training so far. If the options request it, the log continues the log in the checkpoint.

    Parameters
    ----------
    options
        Options of the training.
    state
        Function that returns the present weights.
    restore
        Function that loads the weights of a checkpoint.
    populations
        The training data. A checkpoint can only be resumed with recordings of the same sizes.
    """

    def __init__(
        self,
        options: TrainingOptions,
        state: Callable[[], State],
        restore: Callable[[State], None],
        populations: Sequence[Population],
    ) -> None:
        self._options, self._state = options, state
        sizes = [(len(population), round(population.duration_s, 6)) for population in populations]
        self._training = json.dumps([options.steps, options.seed, options.windows, sizes])
        self._loss = np.full(options.steps, np.nan)
        self._matched = np.zeros(options.steps, np.int64)
        self.done, self._before_s = 0, 0.0
        if options.resume and options.checkpoint is not None and options.checkpoint.exists():
            self._read(options.checkpoint, restore)
        self._started = self._kept = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the duration of the training so far, including the time before a resume."""
        return self._before_s + time.monotonic() - self._started

    def add(self, number: int, loss: float, matched: int) -> None:
        """Add one step to the log, and report it."""
        self._loss[number], self._matched[number] = loss, matched
        self.done = number + 1
        if self._options.watch is not None:
            self._options.watch(Step(number=number + 1, steps=self._options.steps, loss=loss, matched=matched))

    def keep(self, *, finally_: bool = False) -> None:
        """Write the checkpoint, if one is requested and enough time has passed since the last one."""
        path = self._options.checkpoint
        if path is None or (not finally_ and time.monotonic() - self._kept < self._options.checkpoint_s):
            return
        self._write(path)
        self._kept = time.monotonic()
        if self._options.saved is not None:
            self._options.saved(self.result(()))

    def result(self, notes: tuple[str, ...]) -> TrainingLog:
        """Return the log of the training."""
        return TrainingLog(
            loss=self._loss[: self.done].copy(),
            matched=self._matched[: self.done].copy(),
            steps=self._options.steps,
            seconds=self.seconds,
            notes=notes,
        )

    def _write(self, path: Path) -> None:
        from safetensors.numpy import save

        log = {"log.loss": self._loss[: self.done], "log.matched": self._matched[: self.done]}
        arrays = {name: np.ascontiguousarray(array) for name, array in {**self._state(), **log}.items()}
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_bytes(save(arrays, {"training": self._training, "seconds": repr(self.seconds)}))
            partial.replace(path)
        except OSError as error:
            raise CannotWrite(f"The checkpoint {path} cannot be written: {error.strerror or error}.") from error

    def _read(self, path: Path, restore: Callable[[State], None]) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as file:
                about = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        except (OSError, SafetensorError) as error:
            raise WrongWeights(
                f"The checkpoint {path} cannot be read: {error}. Train from scratch in another folder, without "
                "--resume."
            ) from error
        if about.get("training") != self._training:
            raise WrongWeights(
                f"{path} belongs to another training: it differs in steps, seed, windows or recordings. Repeat the "
                "original command, or train from scratch in another folder, without --resume."
            )
        loss, matched = arrays.pop("log.loss"), arrays.pop("log.matched")
        restore(arrays)
        self.done, self._before_s = len(loss), float(about["seconds"])
        self._loss[: self.done], self._matched[: self.done] = loss, matched
