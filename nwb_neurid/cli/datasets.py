"""`nwb-neurid data` and `nwb-neurid reproduce`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from nwb_neurid.cli.options import (
    COMPUTE,
    MODEL,
    READ,
    Cache,
    Device,
    OutputFolder,
    Overwrite,
    Resume,
    Seed,
    Windows,
    argument,
    flag,
    option,
    with_json,
    with_reading,
    with_terminal,
)
from nwb_neurid.cli.pages import Command, Group
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.cli.train import LiveLoss
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource

if TYPE_CHECKING:
    from nwb_neurid.datasets.dataset import Dataset
    from nwb_neurid.datasets.reproduce import Reproduction

app = typer.Typer(cls=Group, no_args_is_help=True)

Name: TypeAlias = Annotated[
    str,
    argument("NAME", "Name of a dataset (nwb-neurid data list shows them), or a TOML file with a recipe of your own."),
]
Data: TypeAlias = Annotated[Path, option("--data", "FOLDER", "Folder that recordings are downloaded into.", panel=READ)]
Only: TypeAlias = Annotated[
    str,
    option(
        "--only", "PATTERN", "Use only recordings whose path matches this pattern, such as 'sub-Cori/*'.", panel=READ
    ),
]
Most: TypeAlias = Annotated[
    int | None,
    option("--most", "N", "Use only the first N recordings, in the order of their paths.", panel=READ, min=1),
]


@app.callback()
def data() -> None:
    """Datasets of published methods: list, download and check them.

    $ nwb-neurid data list

    $ nwb-neurid data fetch steinmetz-2019 --most 3
    """


@app.command("list", cls=Command)
@with_json
def list_datasets(*, out: Terminal) -> None:
    """List the datasets that have a recipe, with their address, their licence and the published score.

    $ nwb-neurid data list
    """
    from nwb_neurid.datasets.dataset import list_datasets as list_names
    from nwb_neurid.datasets.dataset import load_dataset

    known = [load_dataset(name) for name in list_names()]
    out.print_json({"datasets": [_describe(each) for each in known]})
    for each in known:
        where = f"dandiset {each.source.dandiset}" if each.source.dandiset else each.source.address
        size = "" if each.source.gigabytes is None else f", some {each.source.gigabytes:,.0f} GB"
        sessions = "" if each.source.sessions is None else f", {each.source.sessions} recordings"
        out.say(f"{each.name}: {each.title}")
        out.say(f"  {where}{sessions}{size}; licence: {each.licence}")
        out.say(f"  {_describe_figure(each)}")
        out.say(f"  run on real recordings: {each.tried or 'no'}")


@app.command("fetch", cls=Command)
@with_terminal
def fetch(name: Name, *, data: Data = Path("data"), only: Only = "", most: Most = None, out: Terminal) -> None:
    """Download the recordings of a dataset and verify their checksums. Interrupted downloads are continued.

    $ nwb-neurid data fetch steinmetz-2019 --most 3
    """
    from nwb_neurid.datasets.archive import fetch as run
    from nwb_neurid.datasets.dataset import load_dataset

    dataset = load_dataset(name)
    paths = run(dataset, data, only=only, most=most, progress=out.progress)
    size = sum(path.stat().st_size for path in paths)
    out.say(f"{data}: {len(paths)} recordings of {dataset.name}, {size / 1e9:,.2f} GB; licence: {dataset.licence}")
    out.say(f"Check them: {spell('data', 'check', name, '--data', data)}")


@app.command("check", cls=Command)
@with_reading
@with_json
def check(name: Name, *, data: Data = Path("data"), reading: ReadOptions, out: Terminal) -> None:
    """Check that recordings can be read, and have the units, the label and the subjects that the recipe needs.

    $ nwb-neurid data check steinmetz-2019
    """
    from nwb_neurid.datasets.archive import list_present
    from nwb_neurid.datasets.check import check as run
    from nwb_neurid.datasets.dataset import load_dataset

    dataset = load_dataset(name)
    found, lacking = run(dataset, list_present(dataset, data), _merge(dataset, reading), progress=out.progress)
    wrong = [each for each in found if each.problem]
    out.print_json(
        {
            "dataset": dataset.name,
            "recordings": [
                {"path": str(each.path), "subject": each.subject, "units": each.units, "problem": each.problem}
                for each in found
            ],
            "lacking": lacking,
        }
    )
    for each in found:
        counts = ", ".join(f"{label} {count}" for label, count in each.classes[:8])
        out.say(f"{each.path}: subject {each.subject or '(unknown)'}, {each.units} units; {counts or 'no label'}")
    for line in lacking:
        out.say(line)
    for each in wrong:
        out.fail(InvalidSource(each.problem if str(each.path) in each.problem else f"{each.path}: {each.problem}"))
    if not wrong:
        out.say(f"{len(found)} recordings can be used: {spell('reproduce', name, '--data', data, '-o', 'result')}")


@with_reading
@with_json
def reproduce(
    name: Annotated[
        str,
        argument(
            "RECIPE", "Name of a dataset (nwb-neurid data list shows them), or a TOML file with a recipe of your own."
        ),
    ],
    *,
    data: Data = Path("data"),
    only: Only = "",
    most: Most = None,
    offline: Annotated[bool, flag("--offline", "Use only recordings that were already downloaded.", panel=READ)] = (
        False
    ),
    reading: ReadOptions,
    preset: Annotated[
        str | None,
        option(
            "--preset",
            "NAME",
            "Preset to use instead of the one in the recipe. The preset small can be trained on a laptop.",
            panel=MODEL,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        option("--steps", "N", "Number of training steps; by default, as in the recipe.", panel=COMPUTE, min=1),
    ] = None,
    windows: Windows = None,
    cache: Cache = None,
    device: Device = "auto",
    seed: Seed = 0,
    output: OutputFolder,
    resume: Resume = False,
    overwrite: Overwrite = False,
    out: Terminal,
) -> None:
    """Download a dataset, train, evaluate, and print our score beside the published score.

    $ nwb-neurid reproduce steinmetz-2019 --most 6 --preset small --steps 300 --output result

    The output folder receives the model, the scores and reproduction.json, which lists how the run differs from the
    published one.
    """
    from nwb_neurid.datasets.archive import fetch as fetch_dataset
    from nwb_neurid.datasets.archive import list_present
    from nwb_neurid.datasets.dataset import load_dataset
    from nwb_neurid.datasets.reproduce import reproduce as run

    dataset = load_dataset(name)
    if offline or dataset.source.archive != "dandi":
        paths = [path for path in list_present(dataset, data) if not only or path.match(only)][:most]
    else:
        paths = fetch_dataset(dataset, data, only=only, most=most, progress=out.progress)
    found = run(
        dataset,
        paths,
        output,
        reading=_merge(dataset, reading),
        preset=preset,
        steps=steps,
        windows=windows,
        cache=cache,
        device=device,
        seed=seed,
        resume=resume,
        overwrite=overwrite,
        watch=LiveLoss(out),
        progress=out.progress,
    )
    out.print_json(found.to_json())
    _report(out, found)
    out.say(f"{output}: model, scores and reproduction.json")


def _merge(dataset: "Dataset", reading: ReadOptions) -> ReadOptions:
    """Combine options for reading. Options of the user take precedence over those of the recipe."""
    return replace(
        reading,
        where=reading.where or dataset.units.where,
        activity=reading.activity or dataset.units.activity,
    )


def _describe(dataset: "Dataset") -> dict[str, object]:
    return {
        "name": dataset.name,
        "title": dataset.title,
        "address": dataset.source.address,
        "licence": dataset.licence,
        "figure": dataset.figure.name,
        "published": dataset.figure.value,
        "tried": dataset.tried,
        "unknown": list(dataset.unknown),
    }


def _describe_figure(dataset: "Dataset") -> str:
    figure = dataset.figure
    if figure.value is None:
        return f"{figure.name}: {figure.where}"
    return f"{figure.name}: {figure.metric} {figure.value:.3f} by {figure.system} ({figure.where})"


def _report(out: Terminal, found: "Reproduction") -> None:
    figure, scores = found.dataset.figure, found.evaluation.scores
    out.say(f"{figure.name}: {scores['units']} units of {len(scores['by_subject'])} subjects")
    published = "not known" if figure.value is None else f"{figure.value:.3f}"
    rows = [("published", figure.system, published), ("ours", str(scores["name"]), f"{found.ours:.3f}")]
    rows += [("", name, f"{own[figure.metric]:.3f}") for name, own in scores["baselines"].items()]
    out.say_table(("", "", figure.metric), rows)
    for line in found.differences:
        out.say(f"differs: {line}")
    for line in found.dataset.unknown:
        out.say(f"not known: {line}")
