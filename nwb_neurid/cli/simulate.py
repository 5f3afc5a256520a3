"""`nwb-neurid simulate` and `demo`."""

import os
import sys
from pathlib import Path
from typing import Annotated

from nwb_neurid.cli.options import Overwrite, argument, encoder_option, flag, option, output_option, with_terminal
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.errors import InvalidOption

SIMULATE = "What to simulate"

Units = Annotated[int, option("--units", "N", "Number of neurons.", panel=SIMULATE, min=1)]
Duration = Annotated[float, option("--duration", "S", "Duration in seconds.", panel=SIMULATE)]
Seed = Annotated[int, option("--seed", "N", "Random seed, for reproducible recordings.", panel=SIMULATE, min=0)]


@with_terminal
def simulate(
    output: Annotated[Path, argument("OUT", "The NWB file to write; with --animals, the folder to write.")],
    *,
    units: Units = 100,
    duration: Duration = 60.0,
    seed: Seed = 0,
    regions: Annotated[
        int,
        option(
            "--regions",
            "N",
            "Number of brain regions. Neurons of one region share a rhythm and a slow drive.",
            panel=SIMULATE,
            min=1,
        ),
    ] = 1,
    imaging: Annotated[
        bool, flag("--imaging", "Simulate calcium fluorescence instead of spikes.", panel=SIMULATE)
    ] = False,
    rate_hz: Annotated[
        float | None, option("--rate-hz", "HZ", "Frame rate of --imaging; 4.28 by default.", panel=SIMULATE)
    ] = None,
    animals: Annotated[
        int | None, option("--animals", "N", "Write N animals into the folder OUT.", panel=SIMULATE, min=1)
    ] = None,
    out_of_domain: Annotated[
        int,
        option(
            "--out-of-domain",
            "N",
            "With --animals, also write N animals whose drive, noise and synapses lie outside the range of the others.",
            panel=SIMULATE,
            min=0,
        ),
    ] = 0,
    jobs: Annotated[
        int | None, option("--jobs", "N", "With --animals, the number of processes; by default, one per core.", min=1)
    ] = None,
    overwrite: Overwrite = False,
    out: Terminal,
) -> None:
    """Write simulated recordings: Izhikevich networks of RS, IB, CH, FS and LTS neurons with types and regions.

    $ nwb-neurid simulate simulated.nwb --units 100 --duration 60
    """
    from nwb_neurid.simulate import simulate as run
    from nwb_neurid.simulate import write_animals, write_nwb
    from nwb_neurid.simulate.fluorescence import count_frames
    from nwb_neurid.simulate.nwb import check_path

    imaging_hz = _choose_rate(imaging, rate_hz)
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
    outside = f", {out_of_domain} of them outside the domain" if out_of_domain else ""
    out.say(f"{output}: {len(paths)} simulated animals of {units} units over {duration:g} s{outside}")


def _choose_rate(imaging: bool, rate_hz: float | None) -> float | None:
    """Return the frames per second; None without imaging."""
    from nwb_neurid.simulate.fluorescence import FRAME_HZ

    if imaging:
        return FRAME_HZ if rate_hz is None else rate_hz
    if rate_hz is not None:
        raise InvalidOption("--rate-hz is the frame rate of --imaging: add --imaging, or leave out --rate-hz.")
    return None


def _refuse_without_animals(out_of_domain: int, jobs: int | None) -> None:
    for option_, given in (("--out-of-domain", out_of_domain > 0), ("--jobs", jobs is not None)):
        if given:
            raise InvalidOption(f"{option_} needs --animals: add --animals, or leave out {option_}.")


@with_terminal
def demo(
    *,
    output: Annotated[
        Path,
        output_option("FOLDER", "The folder for the recording, the picture and the report."),
    ] = Path("neurid-demo"),
    encoder: Annotated[
        str | None,
        encoder_option("An installed encoder that needs no training; by default {default encoder for baseline}."),
    ] = None,
    units: Units = 150,
    duration: Duration = 60.0,
    seed: Seed = 0,
    out: Terminal,
) -> None:
    """Simulate a recording, embed it, and show how well the vectors separate the cell types.

    $ nwb-neurid demo

    The report on the recording is opened in a browser, if there is a desktop.
    """
    from nwb_neurid.workflows.demo import run_demo

    made = run_demo(output, encoder=encoder, units=units, duration_s=duration, seed=seed, progress=out.progress)
    score, used = made.score, made.outcome.embeddings.provenance.encoder
    out.say(f"{made.outcome.path}: {units} simulated units over {duration:g} s, embedded with {used}")
    out.say(f"Cross-validated linear probe for {', '.join(score.classes)} on {score.units} units:")
    out.say(f"macro F1 {score.macro_f1:.3f} (chance {score.chance:.3f})")
    out.say(f"Picture: {made.picture}")
    out.say(f"Look at the results: {spell('show', made.outcome.path)}")
    out.say(f"Report: {made.report}{' (opened)' if _open_page(made.report) else '. Open it in a browser.'}")


def _open_page(path: Path) -> bool:
    """Open a page in a browser if there is a desktop. Return whether the page was opened."""
    has_desktop = sys.platform in {"win32", "darwin"} or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not has_desktop or not sys.stdout.isatty() or "CI" in os.environ:
        return False
    import webbrowser

    return webbrowser.open(path.resolve().as_uri())
