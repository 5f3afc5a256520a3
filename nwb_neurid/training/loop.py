"""The training of a module on pairs of windows of many recordings."""

import math
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn

from nwb_neurid.contracts import Progress
from nwb_neurid.errors import CannotTrain, WrongWeights
from nwb_neurid.population import Population
from nwb_neurid.trainable import Step, TrainingLog, TrainingOptions
from nwb_neurid.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from nwb_neurid.training.processes import Processes
from nwb_neurid.training.recipe import Recipe
from nwb_neurid.training.recording import Pairs, Recording
from nwb_neurid.training.views import Views, embedded, kept
from nwb_neurid.training.windows import WindowOptions

TOKENS = 16_384
"""Tokens of a view in a micro-batch at most, unless one window has more: bounds the memory that training takes."""

EMPTY_STEPS = 100
"""Steps in a row without a matched unit, or with a gradient that is no number, after which there is no point."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fitted:
    """What is trained, and how: the module with the length of its vectors, its windows, and the recipe."""

    module: nn.Module
    dim: int
    windows: WindowOptions
    recipe: Recipe


def fit(
    fitted: Fitted,
    populations: Sequence[Population],
    options: TrainingOptions,
    device: torch.device,
    progress: Progress,
) -> TrainingLog:
    """Train a module in place; see `nwb_neurid.trainable.Trainable.fit`."""
    recordings, notes = _recordings(fitted, populations, device)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        training = Training(fitted, recordings, options, device)
        with suppress(KeyboardInterrupt):
            training.run(progress)
    return TrainingLog(
        loss=training.losses[: training.done].double().numpy(),
        matched=training.matched[: training.done].numpy(),
        steps=options.steps,
        seconds=training.seconds,
        notes=notes,
    )


def _recordings(
    fitted: Fitted, populations: Sequence[Population], device: torch.device
) -> tuple[list[Recording], tuple[str, ...]]:
    """The recordings that can be trained on, and what is left out and why."""
    windows = fitted.windows
    kept_ones, left_out = [], []
    for population in populations:
        who = f"{population.source or 'a recording'} ({len(population)} units, {population.duration_s:g} s)"
        recording = Recording(population, windows, device)
        if recording.units < 2:
            left_out.append(f"{who}: one unit alone has none to be told from.")
        elif not recording.pairs_exist(windows.bins, farthest(fitted, recording)):
            left_out.append(f"{who}: observed time does not hold two windows of {windows.window_s:g} s.")
        else:
            kept_ones.append(recording)
    if not kept_ones:
        raise CannotTrain(left_out or ["no recording was named."])
    return kept_ones, tuple(left_out)


def farthest(fitted: Fitted, recording: Recording) -> int:
    """How far apart two views may begin, in bins."""
    distance_s = fitted.recipe.max_distance_s
    return recording.bins if distance_s is None else round(distance_s / fitted.windows.bin_s)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Drawn:
    """A micro-batch, and the seed of its dropout."""

    recording: Recording
    pairs: Pairs
    keep: Bool[np.ndarray, "2 windows units"]
    tokens: int
    seed: int


class Training:
    """A training that is under way.

    Every random number is drawn from the seed, the number of the step and that of the micro-batch: the same whether
    the training was interrupted, and in however many processes it runs.
    """

    def __init__(
        self, fitted: Fitted, recordings: Sequence[Recording], options: TrainingOptions, device: torch.device
    ) -> None:
        self.fitted, self.recordings, self.options, self.device = fitted, recordings, options, device
        self.processes = Processes()
        _seed_torch(options.seed, device)
        self.loss = fitted.recipe.loss(fitted.dim).to(device)
        module = fitted.module.train()
        self.forward = torch.compile(module, dynamic=True) if options.compile else module
        self.optimiser = _optimiser(fitted, self.loss)
        self.losses = torch.full((options.steps,), torch.nan)
        self.matched = torch.zeros(options.steps, dtype=torch.int64)
        self.done, self.seconds = 0, 0.0
        self.chances = np.array([max(recording.bins, 1) for recording in recordings], np.float64)
        self.chances /= self.chances.sum()
        if options.resume and options.checkpoint is not None and options.checkpoint.exists():
            self._restore(read_checkpoint(options.checkpoint))

    def run(self, progress: Progress) -> None:
        """Do the steps that are left; the state is kept on the way, at the end, and when interrupted."""
        started, before, saved = time.monotonic(), self.seconds, time.monotonic()
        empty = 0
        try:
            for number in progress(range(self.done, self.options.steps), label="training"):
                self._step(number)
                self.done = number + 1
                self.seconds = before + time.monotonic() - started
                empty = 0 if math.isfinite(float(self.losses[number])) else empty + 1
                if empty == EMPTY_STEPS:
                    raise CannotTrain([f"{empty} steps in a row had no unit with activity in both views."])
                self._report(number)
                if time.monotonic() - saved >= self.options.checkpoint_s:
                    self._save()
                    saved = time.monotonic()
        finally:
            self._save()

    def gradients(self, number: int) -> tuple[float, int]:
        """Loss and matched units of a step; adds its gradients to those of the parameters."""
        drawn = [self._drawn(number, at) for at in range(len(self._plan(number))) if self._is_own(at)]
        matched = self.processes.total(sum(int(part.keep.all(axis=0).sum()) for part in drawn), self.device)
        if matched < 2:
            return math.nan, matched
        views = (self._views(part) for part in drawn if part.keep.any())
        if self.loss.over_step:
            step = self.processes.gathered(list(views), self.fitted.dim, self.device)
            loss = self._backward(step, matched * self.processes.number)
        else:
            loss = sum(self._backward(found, matched) for found in views)
        return self.processes.total(loss, self.device), matched

    def _step(self, number: int) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss, matched = self.gradients(number)
        self.losses[number], self.matched[number] = loss, matched
        if not math.isfinite(loss):
            return
        modules = (self.fitted.module, self.loss)
        self.processes.sum_gradients([weight for module in modules for weight in module.parameters()])
        norms = [nn.utils.clip_grad_norm_(module.parameters(), self.fitted.recipe.clip) for module in modules]
        if not all(bool(torch.isfinite(norm)) for norm in norms):
            self.losses[number] = torch.nan
            return
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate(number)
        self.optimiser.step()

    def _backward(self, views: Views, share: int) -> float:
        """The part of these views in the mean over all matched units; their gradients are added."""
        part: Tensor = self.loss(views.vectors, views.seen, views.twins) / share
        part.backward()
        return float(part.detach())

    def _is_own(self, at: int) -> bool:
        """Whether a micro-batch is this process's."""
        return at % self.processes.number == self.processes.rank

    def _drawn(self, number: int, at: int) -> "_Drawn":
        """A micro-batch: pairs of windows of one recording, and the units that unit dropout keeps."""
        windows, recipe = self.fitted.windows, self.fitted.recipe
        which, count = self._plan(number)[at]
        recording = self.recordings[which]
        rng = np.random.default_rng([self.options.seed, number, at])
        tokens = int(rng.integers(math.ceil(recipe.shortest * windows.tokens), windows.tokens, endpoint=True))
        pairs = recording.draw(rng, count, tokens * windows.token_bins, farthest(self.fitted, recording))
        keep = kept(rng, pairs.active, recipe.keep_units)
        return _Drawn(recording=recording, pairs=pairs, keep=keep, tokens=tokens, seed=int(rng.integers(2**31)))

    def _views(self, drawn: "_Drawn") -> Views:
        _seed_torch(drawn.seed, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16()):
            return embedded(self.forward, drawn.pairs, drawn.keep, drawn.recording.twins, drawn.tokens)

    def _plan(self, number: int) -> list[tuple[int, int]]:
        """Which recording each micro-batch is of, and how many windows; drawn in proportion to observed time."""
        rng = np.random.default_rng([self.options.seed, number])
        left = self.options.windows or self.fitted.recipe.windows
        plan = []
        while left > 0:
            which = int(rng.choice(len(self.recordings), p=self.chances))
            most = max(1, TOKENS // max(self.recordings[which].units * self.fitted.windows.tokens, 1))
            plan.append((which, min(most, left)))
            left -= plan[-1][1]
        return plan

    def _learning_rate(self, number: int) -> float:
        """Up along a line, down along a cosine."""
        recipe, steps = self.fitted.recipe, self.options.steps
        rise = max(1, round(recipe.warm_up * steps))
        fall = 0.5 * (1 + math.cos(math.pi * max(0, number - rise) / max(1, steps - rise)))
        return (self.options.learning_rate or recipe.learning_rate) * min(1.0, (number + 1) / rise) * fall

    def _bfloat16(self) -> bool:
        if self.options.precision == "auto":
            return self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        return self.options.precision == "bfloat16"

    def _report(self, number: int) -> None:
        if self.options.watch is not None and self.processes.rank == 0:
            loss, matched = float(self.losses[number]), int(self.matched[number])
            self.options.watch(Step(number=number + 1, steps=self.options.steps, loss=loss, matched=matched))

    def _named_weights(self) -> dict[str, Tensor]:
        modules = {"encoder": self.fitted.module, "loss": self.loss}
        return {f"{part}.{name}": value for part, module in modules.items() for name, value in module.state_dict().items()}

    def _save(self) -> None:
        if self.options.checkpoint is None or self.processes.rank != 0:
            return
        tensors = dict(self._named_weights())
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
        log = {"log.loss": self.losses[: self.done], "log.matched": self.matched[: self.done]}
        fingerprint = self._fingerprint()
        cpu = {name: tensor.detach().cpu() for name, tensor in (tensors | log).items()}
        write_checkpoint(
            self.options.checkpoint, Checkpoint(tensors=cpu, seconds=self.seconds, fingerprint=fingerprint)
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        own = self._fingerprint()
        if other := [name for name in own if checkpoint.fingerprint.get(name) != own[name]]:
            raise WrongWeights(
                f"{self.options.checkpoint} is of another training: it differs in {', '.join(other)}. Repeat the command "
                "as it was, or train anew, without --resume, into another folder."
            )
        tensors = checkpoint.tensors
        with torch.no_grad():
            for name, value in self._named_weights().items():
                value.copy_(tensors[name])
        state: dict[int, dict[str, Tensor]] = {}
        for name in (name for name in tensors if name.startswith("adam.")):
            _, index, part = name.split(".")
            state.setdefault(int(index), {})[part] = tensors[name]
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.done, self.seconds = len(tensors["log.loss"]), checkpoint.seconds
        self.losses[: self.done], self.matched[: self.done] = tensors["log.loss"], tensors["log.matched"]

    def _fingerprint(self) -> dict[str, str]:
        """What a training that goes on must have in common with the one that stopped."""
        told = replace(self.options, checkpoint=None, resume=False, checkpoint_s=0.0, watch=None, compile=False)
        shapes = [f"{recording.units}x{recording.bins}" for recording in self.recordings]
        crc = 0
        for recording in self.recordings:
            crc = zlib.crc32(recording.values.cpu().numpy().tobytes(), crc)
        return {
            "options": repr(told),
            "windows": repr(self.fitted.windows),
            "recipe": repr(replace(self.fitted.recipe, loss=type(self.loss))),
            "recordings": f"{' '.join(shapes)} {crc:08x}",
        }


def _optimiser(fitted: Fitted, loss: nn.Module) -> torch.optim.Optimizer:
    """AdamW that pulls matrices alone towards zero, not scales and biases."""
    weights = [*fitted.module.parameters(), *loss.parameters()]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": fitted.recipe.weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=fitted.recipe.learning_rate, fused=True)


def _seed_torch(seed: int, device: torch.device) -> None:
    """Seed what draws dropout; `torch.manual_seed` would also seed devices that are not used here."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
