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
    output: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The NWB file to write; with --animals, the folder.", show_default=False),
    ],
    units: Units = 100,
    duration: Duration = 60.0,
    seed: Seed = 0,
    regions: Annotated[
        int, typer.Option(min=1, help="Brain regions, each with a rhythm and a slow drive that its neurons share.")
    ] = 1,
    animals: Annotated[int | None, typer.Option(min=1, help="Write so many animals into the folder OUT.")] = None,
    out_of_domain: Annotated[
        int, typer.Option(min=0, metavar="N", help="N more animals, of unlike drive, noise and synapses.")
    ] = 0,
    imaging: Annotated[bool, typer.Option("--imaging", help="Write calcium fluorescence instead of spikes.")] = False,
    rate_hz: Annotated[float | None, typer.Option(help="Frames a second, with --imaging.", show_default="4.28")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes, with --animals.", show_default="as many as cores")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace existing files.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write simulated recordings: Izhikevich networks of RS, IB, CH, FS and LTS neurons with types and regions."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.simulate import simulate as run
        from nwb_neurid.simulate import write_animals, write_nwb
        from nwb_neurid.simulate.fluorescence import count_frames
        from nwb_neurid.simulate.nwb import check_path

        imaging_hz = _imaging_hz(imaging, rate_hz)
        if animals is None:
            _refuse_without_animals(out_of_domain, jobs)
            check_path(output, overwrite=overwrite)
            if imaging_hz is not None:
                count_frames(duration, imaging_hz)
            simulation = run(units, duration, seed, out.progress, regions=regions)
            path = write_nwb(simulation, output, imaging_hz=imaging_hz, overwrite=overwrite)
            what = f"{len(simulation.times_s)} spikes" if imaging_hz is None else f"imaged at {imaging_hz:g} Hz"
            out.say(f"{path}: {units} simulated units, {what} in {duration:g} s")
            return
        paths = write_animals(
            output,
            units,
            duration,
            seed,
            animals=animals,
            out_of_domain=out_of_domain,
            regions=regions,
            imaging_hz=imaging_hz,
            jobs=jobs,
            overwrite=overwrite,
            progress=out.progress,
        )
        outside = f", {out_of_domain} of them out of the domain" if out_of_domain else ""
        out.say(f"{output}: {len(paths)} simulated animals of {units} units over {duration:g} s{outside}")


def _imaging_hz(imaging: bool, rate_hz: float | None) -> float | None:
    """Frames a second; None without imaging."""
    from nwb_neurid.simulate.fluorescence import FRAME_HZ

    if imaging:
        return FRAME_HZ if rate_hz is None else rate_hz
    if rate_hz is not None:
        raise InvalidOption("--rate-hz is the rate of imaging. Pass --imaging too, or leave it out.")
    return None


def _refuse_without_animals(out_of_domain: int, jobs: int | None) -> None:
    for option, given in (("--out-of-domain", out_of_domain > 0), ("--jobs", jobs is not None)):
        if given:
            raise InvalidOption(f"{option} is for a folder of animals. Pass --animals too, or leave it out.")


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder for recording and picture.")] = Path(
        "neurid-demo"
    ),
    encoder: Annotated[
        str | None, typer.Option(help="An installed encoder that needs no training; spike-train statistics by default.")
    ] = None,
    units: Units = 150,
    duration: Duration = 60.0,
    seed: Seed = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Do the main job on a simulated recording, and show how well the vectors tell the types apart."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.workflows.demo import run_demo

        made = run_demo(output, encoder=encoder, units=units, duration_s=duration, seed=seed, progress=out.progress)
        score, used = made.score, made.outcome.embeddings.provenance.encoder
        out.say(f"{made.outcome.path}: {units} simulated units over {duration:g} s, embedded with {used}")
        out.say(
            f"Types {', '.join(score.classes)} told apart by a cross-validated linear probe on {score.units} units: "
            f"macro F1 {score.macro_f1:.3f} (chance {score.chance:.3f})"
        )
        out.say(f"Picture: {made.picture}")
        out.say(f"Look at the results: nwb-neurid show {made.outcome.path}")


def import_checkpoint(
    encoder: Annotated[str, typer.Argument(help="The encoder that the checkpoint is of.")],
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
        from nwb_neurid.model.model import import_model

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
