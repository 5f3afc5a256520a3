"""`nwb-neurid train`."""

import time
from typing import TYPE_CHECKING, Annotated

from nwb_neurid.cli.options import (
    COMPUTE,
    READ,
    Cache,
    Device,
    OutputFolder,
    Overwrite,
    PoolGroups,
    Preset,
    Resume,
    Seed,
    Windows,
    argument,
    encoder_option,
    flag,
    option,
    split_words,
    with_reading,
    with_terminal,
)
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.contracts import ReadOptions

if TYPE_CHECKING:
    from nwb_neurid.contracts.training import Step

LINE_S = 10.0
"""Interval between two lines on the loss, in seconds, if there is no terminal to show the loss live."""


@with_terminal
@with_reading
def train(
    sources: Annotated[
        list[str], argument("SOURCE", "Recordings to train on, or lists of recordings: csv files with a column source.")
    ],
    *,
    reading: ReadOptions,
    pool_groups: PoolGroups = False,
    encoder: Annotated[
        str | None,
        encoder_option(
            "An installed encoder to train, see nwb-neurid plugins; by default {default encoder for training}."
        ),
    ] = None,
    preset: Preset = None,
    steps: Annotated[int, option("--steps", "N", "Number of optimiser steps.", panel=COMPUTE, min=1)] = 1000,
    windows: Windows = None,
    learning_rate: Annotated[
        float | None, option("--learning-rate", "X", "Peak learning rate; by default, as in the preset.", panel=COMPUTE)
    ] = None,
    precision: Annotated[
        str, option("--precision", "auto|float32|bfloat16", "Precision of matrix multiplications.", panel=COMPUTE)
    ] = "auto",
    compile_: Annotated[bool, flag("--compile", "Compile the network with torch.compile.", panel=COMPUTE)] = False,
    cache: Cache = None,
    held_out: Annotated[
        str,
        option(
            "--held-out",
            "A,B",
            "Subjects that will be tested later. Training ends with an error if a recording is of one of them.",
            panel=READ,
        ),
    ] = "",
    device: Device = "auto",
    seed: Seed = 0,
    output: OutputFolder,
    resume: Resume = False,
    overwrite: Overwrite = False,
    out: Terminal,
) -> None:
    """Train an encoder on recordings, without labels, and save it as a model folder.

    $ nwb-neurid train sub-*.nwb --preset small --output model

    The folder also holds the loss curve (loss.csv, loss.png). If you stop the training with Ctrl-C, the weights
    learned so far are kept, and --resume continues the training. For hundreds of recordings, use --cache.

    To train on several GPUs, start torchrun --nproc-per-node GPUS -m nwb_neurid train ..., or, under SLURM, srun
    nwb-neurid train ..., with one task per GPU.
    """
    from nwb_neurid.registry import default_encoder
    from nwb_neurid.training.processes import join_processes
    from nwb_neurid.workflows.train import train as run

    with join_processes(device) as first:
        model = run(
            sources,
            output,
            encoder=encoder or default_encoder("training"),
            preset=preset,
            steps=steps,
            windows=windows,
            learning_rate=learning_rate,
            seed=seed,
            device=device,
            precision=precision,
            compile=compile_,
            resume=resume,
            overwrite=overwrite,
            reading=reading,
            pool_groups=pool_groups,
            cache=cache,
            held_out=split_words(held_out),
            tell=out.say if first else None,
            watch=LiveLoss(out) if first else None,
            progress=out.progress,
        )
    if not first:
        return
    out.say(f"{output}: encoder {model.name}, {model.encoder.dim} dimensions, {model.training}")
    if model.details.get("steps") != model.details.get("steps_planned"):
        out.say("To continue: repeat the command with --resume.")
    out.say(f"Use it: {spell('embed', 'SOURCE', '--model', output)}")


class LiveLoss:
    """Show loss, throughput and remaining time, beside the progress bar or as a line at intervals."""

    def __init__(self, out: Terminal) -> None:
        self._out = out
        self._first: tuple[float, int] | None = None
        self._printed = time.monotonic()

    def __call__(self, step: "Step") -> None:
        """Show a step."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, step.number
            return
        rate = (step.number - self._first[1]) / max(now - self._first[0], 1e-9)
        left_s = (step.steps - step.number) / rate
        text = f"loss {step.loss:.3f}, {rate:.2g} steps/s"
        if not self._out.describe(text) and now - self._printed >= LINE_S:
            self._printed = now
            self._out.say(
                f"step {step.number} of {step.steps}: {text}, {step.matched} units a step, {left_s / 60:.1f} min left"
            )
