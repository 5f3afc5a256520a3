"""`nwb-neurid simulate`, `demo` and `import`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from nwb_neurid.cli.terminal import Quiet, Verbose, terminal
from nwb_neurid.errors import InvalidOption

Units = Annotated[int, typer.Option(min=1, help="Neurons.")]
Duration = Annotated[float, typer.Option(help="Seconds.")]
Seed = Annotated[int, typer.Option(min=0, help="One seed, one recording.")]


def simulate(
    output: Annotated[Path, typer.Argument(metavar="OUT.nwb", help="The NWB file to write.", show_default=False)],
    units: Units = 100,
    duration: Duration = 60.0,
    seed: Seed = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a simulated recording: an Izhikevich network of RS, IB, CH, FS and LTS neurons with their types."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.simulate import simulate as run
        from nwb_neurid.simulate import write_nwb

        simulation = run(units, duration, seed, out.progress)
        path = write_nwb(simulation, output, seed=seed, overwrite=overwrite)
        out.say(f"{path}: {units} simulated units, {len(simulation.times_s)} spikes in {duration:g} s")


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder for recording and picture.")] = Path(
        "neurid-demo"
    ),
    encoder: Annotated[str, typer.Option(help="An installed encoder that needs no training.")] = "isi",
    units: Units = 150,
    duration: Duration = 60.0,
    seed: Seed = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Do the main job on a simulated recording, and show how well the vectors tell the types apart."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.demo import run_demo

        made = run_demo(output, encoder=encoder, units=units, duration_s=duration, seed=seed, progress=out.progress)
        score = made.score
        out.say(f"{made.outcome.path}: {units} simulated units over {duration:g} s, embedded with {encoder}")
        out.say(
            f"Types {', '.join(score.classes)} told apart by a cross-validated linear probe on {score.units} units: "
            f"macro F1 {score.macro_f1:.3f} (chance {score.chance:.3f})"
        )
        out.say(f"Picture: {made.picture}")
        out.say(f"Look at the results: nwb-neurid show {made.outcome.path}")


def import_checkpoint(
    encoder: Annotated[str, typer.Argument(help="The encoder that the checkpoint is of, e.g. nuclr.")],
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of the method's original code.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder to write.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting that the checkpoint does not tell."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing model folder.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Turn a checkpoint of a method's original code into a model folder. No code in it is run."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.model import import_model

        model = import_model(encoder, checkpoint, _settings(settings or []))
        model.save(output, overwrite=overwrite)
        out.say(f"{output}: encoder {model.name}, {model.encoder.dim} dimensions")
        for key, value in model.encoder.config.items():
            out.say(f"  {key} = {value}")
        out.say(f"Use it: nwb-neurid embed SOURCE --model {output}")


def _settings(pairs: list[str]) -> dict[str, str | int | float | bool | None]:
    """`KEY=VALUE` with the value as JSON, or else as text."""
    settings = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InvalidOption(f"--set wants KEY=VALUE, got {pair!r}.")
        try:
            settings[key] = json.loads(value)
        except ValueError:
            settings[key] = value
    return settings
