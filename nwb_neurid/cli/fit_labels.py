"""`nwb-neurid fit-labels`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nwb_neurid.cli import reading
from nwb_neurid.cli.terminal import Quiet, Terminal, Verbose, terminal
from nwb_neurid.errors import CannotWrite, InvalidOption

if TYPE_CHECKING:
    from nwb_neurid.labels.head import LabelHead
    from nwb_neurid.model.model import Model


def fit_labels(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model folder, or an encoder that needs no training.", show_default=False
        ),
    ],
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE", help="Recordings of several animals, with labels.", show_default=False),
    ],
    label: Annotated[str, typer.Option(help="What to predict: cell_type, brain_region, or a column of text.")],
    map_: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="TABLE",
            help="New names of classes: a csv table with the columns old and new; beryl or cosmos for the Allen CCF.",
        ),
    ] = None,
    head: Annotated[str, typer.Option(help="linear or mlp.")] = "linear",
    subjects: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="A csv table with the columns source and subject, where files name none."),
    ] = None,
    scope: Annotated[
        str, typer.Option(help="Among which neurons it holds: 'opto-tagged interneurons of mouse V1'.")
    ] = "",
    coverage: Annotated[
        float, typer.Option(help="Share of units whose set of plausible labels should hold the true one.")
    ] = 0.9,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="The model folder to write; MODEL itself by default."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a head for this label, or the folder --output.")] = False,
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
    """Teach a model to name units: fit a label head to recordings in which they are known.

    The head is calibrated on animals that it was not fitted to, and declines where it cannot tell.
    """
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.workflows.fit_labels import as_model
        from nwb_neurid.workflows.fit_labels import fit_labels as run

        folder = _target(model, output, overwrite)
        built = as_model(model)
        _check_free(built, label, folder, output is not None, overwrite)
        fitted = run(
            built,
            sources,
            label=label,
            head=head,
            map=map_,
            subjects=subjects,
            scope=scope,
            coverage=coverage,
            seed=seed,
            reading=reading.read_options(
                keep_opto, part, where, intervals, start, stop, duration, all_rois, activity, rate_hz
            ),
            pool_groups=pool_groups,
            progress=out.progress,
        )
        fitted.save(folder, overwrite=output is None or overwrite)
        _report(out, folder, fitted.heads[label])


def _target(model: str, output: Path | None, overwrite: bool) -> Path:
    """The folder to write."""
    from nwb_neurid.workflows.fit_labels import is_encoder

    if output is None and is_encoder(model):
        raise InvalidOption(f"{model} is an encoder and no model folder: name a folder for the model (--output).")
    if output is not None and output.exists() and not overwrite:
        raise CannotWrite(f"{output} exists. Choose another folder, or overwrite it (--overwrite).")
    return Path(model) if output is None else output


def _check_free(model: "Model", label: str, folder: Path, elsewhere: bool, overwrite: bool) -> None:
    if label in model.heads and not elsewhere and not overwrite:
        raise CannotWrite(f"{folder} has a head for {label} already. Replace it (--overwrite), or choose --output.")


def _report(out: Terminal, folder: Path, head: "LabelHead") -> None:
    from nwb_neurid.labels.prediction import collect_notes

    details = head.details
    counts = details.get("units_of_class")
    classes = ", ".join(f"{name} {count}" for name, count in counts.items()) if isinstance(counts, dict) else ""
    out.say(f"{folder}: {head.label_name} of {details['units']} units of {details['animals']} animals: {classes}")
    out.say(
        f"On {head.left_out}: macro F1 {details['macro_f1']:.3f}, balanced accuracy "
        f"{details['balanced_accuracy']:.3f} (guessing: {1 / len(head.classes):.3f})"
    )
    for note in collect_notes(head, head.coverage):
        out.say(note)
    out.say(f"Use it: nwb-neurid embed SOURCE --model {folder}")
