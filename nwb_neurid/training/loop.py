"""Training of a module on pairs of windows of many recordings."""

import math
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nwb_neurid._system.text import counted
from nwb_neurid.contracts import Progress
from nwb_neurid.contracts.training import Binned, Step, TrainingLog, TrainingOptions
from nwb_neurid.errors import CannotTrain, WrongWeights
from nwb_neurid.population import Population
from nwb_neurid.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from nwb_neurid.training.memory import EVERY_STEPS, find_room, give_back
from nwb_neurid.training.processes import Processes
from nwb_neurid.training.recording import Recording
from nwb_neurid.training.schedule import MicroBatch, Schedule, TrainingTask
from nwb_neurid.training.views import Views, embed_views

SAME = ("steps", "seed", "windows", "learning_rate", "precision")
"""Options that must be the same when a training is resumed."""
EMPTY_STEPS = 100
"""The training stops after this many consecutive steps without a matched unit or a finite gradient."""


def fit(
    task: TrainingTask,
    populations: Sequence[Population | Binned],
    options: TrainingOptions,
    device: torch.device,
    progress: Progress,
) -> TrainingLog:
    """Train a module in place; see `nwb_neurid.contracts.training.Trainable.fit`."""
    recordings, notes = _load_recordings(task, populations, device)
    if options.tell is not None:
        options.tell(_describe_places(recordings, device))
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        training = Training(task, recordings, options, device)
        with suppress(KeyboardInterrupt):
            training.run(progress)
    return replace(training.log(), notes=notes)


def _load_recordings(
    task: TrainingTask, populations: Sequence[Population | Binned], device: torch.device
) -> tuple[list[Recording], tuple[str, ...]]:
    """Load the recordings that can be used for training. Also return notes on recordings that are left out."""
    windows = task.windows
    kept_ones, left_out = [], []
    room = find_room(device)
    for population in populations:
        who = f"{population.source or 'a recording'} ({counted(len(population), 'unit')}, {population.duration_s:g} s)"
        recording = Recording(population, windows, device, task.context, room_bytes=room)
        if recording.units < 2:
            left_out.append(f"{who}: it has a single unit, and training needs two.")
        elif not recording.has_pairs(windows.bins, task.find_farthest(recording)):
            left_out.append(f"{who}: observed time does not hold two windows of {windows.window_s:g} s.")
        else:
            kept_ones.append(recording)
            room -= recording.bytes if recording.on_device else 0
    if not kept_ones:
        raise CannotTrain(left_out or ["no recording was given."])
    return kept_ones, tuple(left_out)


def _describe_places(recordings: Sequence[Recording], device: torch.device) -> str:
    """Describe how many bins of recordings are on the GPU and in memory."""
    size = sum(each.bytes for each in recordings)
    what = f"{counted(len(recordings), 'population')}, {size / 1e9:.2f} GB of bins"
    here = [each for each in recordings if each.on_device]
    if device.type == "cpu":
        return f"{what}, in memory"
    if len(here) == len(recordings):
        return f"{what}, on the GPU"
    held = sum(each.bytes for each in here)
    return (
        f"{what}: {held / 1e9:.2f} GB of {len(here)} on the GPU, {(size - held) / 1e9:.2f} GB of "
        f"{len(recordings) - len(here)} in memory, whose windows stream"
    )


class Training:
    """The state of a training: weights, moments of the optimiser, and the log."""

    def __init__(
        self, task: TrainingTask, recordings: Sequence[Recording], options: TrainingOptions, device: torch.device
    ) -> None:
        self.task, self.recordings, self.options, self.device = task, recordings, options, device
        self.schedule = Schedule(task, recordings, options)
        self.processes = Processes()
        _seed_torch(options.seed, device)
        self.loss = task.recipe.loss(task.dim).to(device)
        module = task.module.train()
        self.forward = _compile(module) if options.compile else module
        self.optimiser = _make_optimiser(task, self.loss)
        self.losses = torch.full((options.steps,), torch.nan)
        self.matched = torch.zeros(options.steps, dtype=torch.int64)
        self.done, self.seconds = 0, 0.0
        if options.resume and options.checkpoint is not None and options.checkpoint.exists():
            self._restore(read_checkpoint(options.checkpoint))

    def run(self, progress: Progress) -> None:
        """Run the remaining steps. Checkpoints are written between steps, at the end, and after an interruption."""
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
                if number % EVERY_STEPS == 0:
                    give_back()
                if time.monotonic() - saved >= self.options.checkpoint_s:
                    self._save()
                    saved = time.monotonic()
        finally:
            self._save()

    def log(self) -> TrainingLog:
        """Return the log of the completed steps."""
        return TrainingLog(
            loss=self.losses[: self.done].double().numpy(),
            matched=self.matched[: self.done].numpy().copy(),
            steps=self.options.steps,
            seconds=self.seconds,
        )

    def add_gradients(self, number: int) -> tuple[float, int]:
        """Add the gradients of a step to those of the parameters. Return its loss and number of matched units."""
        drawn = [self.schedule.draw(number, at) for at in self._list_own(number)]
        matched = int(self.processes.sum(sum(int(part.keep.all(axis=0).sum()) for part in drawn), self.device))
        if matched < 2:
            return math.nan, matched
        pieces = (piece for part in drawn for piece in part.pieces() if piece.keep.any())
        views: Iterable[Views] = (self._embed_views(piece) for piece in pieces)
        share = matched
        if self.loss.over_step:
            views = [self.processes.gather(list(views), self.task.dim, self.device)]
            share = matched * self.processes.number
        parts = [self._backward(found, share) for found in views]
        loss = math.fsum(float(part) for part in parts)  # only now: each number that is fetched waits for a GPU
        return float(self.processes.sum(loss, self.device)), matched

    def _step(self, number: int) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss, matched = self.add_gradients(number)
        self.losses[number], self.matched[number] = loss, matched
        if not math.isfinite(loss):
            return
        modules = (self.task.module, self.loss)
        self.processes.sum_gradients([weight for module in modules for weight in module.parameters()])
        norms = [nn.utils.clip_grad_norm_(module.parameters(), self.task.recipe.clip) for module in modules]
        if not all(bool(torch.isfinite(norm)) for norm in norms):
            self.losses[number] = torch.nan
            return
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.compute_learning_rate(number)
        self.optimiser.step()

    def _backward(self, views: Views, share: int) -> Float[Tensor, ""]:
        """Add the gradients of some views. Return their part of the mean loss over all matched units."""
        part: Tensor = self.loss(views.vectors, views.seen, views.twins) / share
        part.backward()
        return part.detach()

    def _list_own(self, number: int) -> range:
        """List the micro-batches of a step that this process computes."""
        return range(self.processes.rank, len(self.schedule.plan(number)), self.processes.number)

    def _embed_views(self, drawn: MicroBatch) -> Views:
        _seed_torch(drawn.seed, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._uses_bfloat16()):
            return embed_views(self.forward, drawn.pairs, drawn.keep, drawn.recording.twins, drawn.tokens)

    def _uses_bfloat16(self) -> bool:
        if self.options.precision == "auto":
            return self.device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return self.options.precision == "bfloat16"

    def _report(self, number: int) -> None:
        if self.options.watch is not None and self.processes.rank == 0:
            loss, matched = float(self.losses[number]), int(self.matched[number])
            self.options.watch(Step(number=number + 1, steps=self.options.steps, loss=loss, matched=matched))

    def _collect_weights(self) -> dict[str, Tensor]:
        modules = {"encoder": self.task.module, "loss": self.loss}
        return {
            f"{part}.{name}": value for part, module in modules.items() for name, value in module.state_dict().items()
        }

    def _save(self) -> None:
        if self.options.checkpoint is None or self.processes.rank != 0:
            return
        tensors = dict(self._collect_weights())
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
        log = {"log.loss": self.losses[: self.done], "log.matched": self.matched[: self.done]}
        fingerprint = self._make_fingerprint()
        cpu = {name: tensor.detach().cpu() for name, tensor in (tensors | log).items()}
        write_checkpoint(
            self.options.checkpoint, Checkpoint(tensors=cpu, seconds=self.seconds, fingerprint=fingerprint)
        )
        if self.options.saved is not None:
            self.options.saved(self.log())

    def _restore(self, checkpoint: Checkpoint) -> None:
        own = self._make_fingerprint()
        if other := [name for name in own if checkpoint.fingerprint.get(name) != own[name]]:
            raise WrongWeights(
                f"{self.options.checkpoint} belongs to another training: it differs in {', '.join(other)}. Repeat "
                "the original command, or train from scratch in another folder, without --resume."
            )
        tensors = checkpoint.tensors
        with torch.no_grad():
            for name, value in self._collect_weights().items():
                value.copy_(tensors[name])
        state: dict[int, dict[str, Tensor]] = {}
        for name in (name for name in tensors if name.startswith("adam.")):
            _, index, part = name.split(".")
            state.setdefault(int(index), {})[part] = tensors[name]
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        self.done, self.seconds = len(tensors["log.loss"]), checkpoint.seconds
        self.losses[: self.done], self.matched[: self.done] = tensors["log.loss"], tensors["log.matched"]

    @cached_property
    def _checksum(self) -> int:
        """Compute the checksum of all recordings, only once, because the data are copied from the device."""
        crc = 0
        for row in (row for recording in self.recordings for row in recording.values):
            crc = zlib.crc32(row.cpu().numpy(), crc)
        return crc

    def _make_fingerprint(self) -> dict[str, str]:
        """Describe everything that must be the same when the training is resumed."""
        shapes = [f"{recording.units}x{recording.bins}" for recording in self.recordings]
        return {
            **{name: repr(getattr(self.options, name)) for name in SAME},
            "windows": repr(self.task.windows),
            "recipe": repr(replace(self.task.recipe, loss=type(self.loss))),
            "recordings": f"{' '.join(shapes)} {self._checksum:08x}",
        }


def _compile(module: nn.Module) -> nn.Module:
    """Compile the module for windows of any size: the whole module, or the layers that it selects."""
    own: Callable[[], nn.Module] | None = getattr(module, "with_compiled_layers", None)
    return own() if own is not None else torch.compile(module, dynamic=True)  # type: ignore[return-value]


def _make_optimiser(task: TrainingTask, loss: nn.Module) -> torch.optim.Optimizer:
    """Make the optimiser AdamW, with weight decay on matrices but not on scales and biases."""
    weights = [*task.module.parameters(), *loss.parameters()]
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": task.recipe.weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=task.recipe.learning_rate, fused=True)


def _seed_torch(seed: int, device: torch.device) -> None:
    """Seed the generators that draw dropout. `torch.manual_seed` would also seed devices that are not used."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
