"""`nwb-neurid train`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nwb_neurid.cli import reading
from nwb_neurid.cli.terminal import Quiet, Terminal, Verbose, terminal

if TYPE_CHECKING:
    from nwb_neurid.contracts.training import Step

LINE_S = 10.0
"""Time between two lines on the loss where there is no terminal to show it live, in seconds."""


def train(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Recordings to train on; labels are not used.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder to write.")],
    encoder: Annotated[
        str | None, typer.Option(help="An installed encoder that learns; see nwb-neurid plugins. One is the default.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="A preset of the encoder: small trains on a laptop; its first by default.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the optimiser.")] = 1000,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Pairs of windows in a step; those of the preset by default.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="The highest learning rate; that of the preset by default.")
    ] = None,
    precision: Annotated[str, typer.Option(help="Of matrix products: auto, float32 or bfloat16.")] = "auto",
    compile_: Annotated[bool, typer.Option("--compile", help="Let torch compile the network.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a training into this folder stopped.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing model folder.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="One seed, one result.")] = 0,
    keep_opto: reading.KeepOpto = False,
    part: reading.Part = "",
    where: reading.Where = "",
    intervals: reading.TimeTable = "",
    start: reading.Start = None,
    stop: reading.Stop = None,
    duration: reading.Duration = None,
    all_rois: reading.AllRois = False,
    activity: reading.Activity = "",
    rate_hz: reading.RateHz = None,
    pool_groups: Annotated[
        bool, typer.Option(help="Take all probes of a session as one population, not each for itself.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Train an encoder on recordings, without labels, and keep it as a model folder.

    The folder also holds the loss curve (loss.csv, loss.png). Ctrl-C keeps what is learnt so far, and --resume goes
    on from there. On several GPUs: torchrun --nproc-per-node GPUS -m nwb_neurid train ...
    """
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.registry import default_encoder
        from nwb_neurid.training.processes import join_processes
        from nwb_neurid.workflows.train import train as run

        with join_processes(device) as first:
            shown = _Live(out) if first else None
            model = run(
                sources,
                output,
                encoder=encoder or default_encoder("training"),
                preset=preset,
                steps=steps,
                seed=seed,
                resume=resume,
                overwrite=overwrite,
                device=device,
                reading=reading.read_options(
                    keep_opto, part, where, intervals, start, stop, duration, all_rois, activity, rate_hz
                ),
                pool_groups=pool_groups,
                watch=shown,
                progress=out.progress,
                windows=windows,
                learning_rate=learning_rate,
                precision=precision,
                compile=compile_,
            )
        if not first:
            return
        out.say(f"{output}: encoder {model.name}, {model.encoder.dim} dimensions, {model.training}")
        if model.details.get("steps") != model.details.get("steps_planned"):
            out.say("Go on with it: repeat the command with --resume.")
        out.say(f"Use it: nwb-neurid embed SOURCE --model {output}")


class _Live:
    """Shows loss, throughput and time left: beside the bar, or as a line now and then."""

    def __init__(self, out: Terminal) -> None:
        self._out = out
        self._first: tuple[float, int] | None = None
        self._said = time.monotonic()

    def __call__(self, step: "Step") -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = now, step.number
            return
        rate = (step.number - self._first[1]) / max(now - self._first[0], 1e-9)
        left_s = (step.steps - step.number) / rate
        text = f"loss {step.loss:.3f}, {step.matched} units a step, {rate:.2g} steps/s"
        if not self._out.describe(text) and now - self._said >= LINE_S:
            self._said = now
            self._out.say(f"step {step.number} of {step.steps}: {text}, {left_s / 60:.1f} min left")
