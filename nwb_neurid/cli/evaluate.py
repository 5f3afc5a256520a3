"""`nwb-neurid evaluate` and `compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nwb_neurid.cli import reading
from nwb_neurid.cli.terminal import Quiet, Terminal, Verbose, terminal
from nwb_neurid.errors import InvalidOption

if TYPE_CHECKING:
    from nwb_neurid.evaluation.results import Evaluation
    from nwb_neurid.model.model import Model


def evaluate(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", help="Recordings with labels.", show_default=False)],
    label: Annotated[str, typer.Option(help="What to predict: cell_type, brain_region, or a column of text.")],
    protocol: Annotated[
        str, typer.Option(help="transductive, transductive-zero-shot or inductive-zero-shot.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="A model folder; several models are put side by side.", show_default=False),
    ] = None,
    encoder: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An installed encoder; may be repeated.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="A preset of the encoders; their first by default.")] = None,
    untrained: Annotated[bool, typer.Option(help="Accept random weights where an encoder learns.")] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train encoders anew for so many steps, on what may be known.")
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Pairs of windows in each of these steps; those of the preset by default.")
    ] = None,
    train: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE", help="A recording that only trains; may be repeated.")
    ] = None,
    test_subjects: Annotated[
        str, typer.Option(metavar="A,B", help="Test these subjects only, the others train.", show_default=False)
    ] = "",
    map_: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="TABLE",
            help="New names of classes: a csv table with the columns old and new; beryl or cosmos for the Allen CCF.",
        ),
    ] = None,
    subjects: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="A csv table with the columns source and subject, where files name none."),
    ] = None,
    head: Annotated[str, typer.Option(help="linear or mlp.")] = "linear",
    coverage: Annotated[float, typer.Option(help="Share of units whose set of labels should hold the true one.")] = 0.9,
    folds: Annotated[int, typer.Option(min=2, help="Over neurons if transductive, else over subjects.")] = 5,
    smooth: Annotated[bool, typer.Option("--smooth", help="Score votes of neighbours on the probe, too.")] = False,
    label_fractions: Annotated[
        str, typer.Option(metavar="0.01,0.1,1", help="Score heads with parts of the labels, too.", show_default=False)
    ] = "",
    animals: Annotated[
        str, typer.Option(metavar="1,3,all", help="Score fewer animals to learn from, too.", show_default=False)
    ] = "",
    overwrite: Annotated[bool, typer.Option(help="Replace an evaluation in DIR.")] = False,
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
    """Score how well vectors tell what units are, beside chance, simple controls and untrained encoders.

    DIR gets scores.json, scores.csv, predictions.csv and figures. Several --model and --encoder are put side by side
    and scored together and each alone.
    """
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.evaluation.results import check_folder
        from nwb_neurid.evaluation.run import evaluate as run

        fractions = _numbers(label_fractions)
        check_folder(output, overwrite=overwrite)
        models = _models(model or [], encoder or [], preset, untrained or steps is not None, seed, device)
        found = run(
            models,
            sources,
            label=label,
            protocol=protocol,
            train=train or [],
            test_subjects=_words(test_subjects),
            map=map_,
            subjects=subjects,
            head=head,
            coverage=coverage,
            folds=folds,
            seed=seed,
            smooth=smooth,
            label_fractions=fractions,
            animals=_words(animals),
            steps=steps,
            windows=windows,
            reading=reading.read_options(
                keep_opto, part, where, intervals, start, stop, duration, all_rois, activity, rate_hz
            ),
            pool_groups=pool_groups,
            progress=out.progress,
        )
        found.save(output, overwrite=overwrite)
        _report(out, found)
        out.say(f"{output}: scores.json, scores.csv, predictions.csv and figures")


def _models(
    folders: list[Path], names: list[str], preset: str | None, untrained: bool, seed: int, device: str
) -> "list[Model]":
    from nwb_neurid.model.model import load_model, new_model

    loaded = [load_model(folder, device=device) for folder in folders]
    return [*loaded, *(new_model(name, preset=preset, untrained=untrained, seed=seed, device=device) for name in names)]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in _words(text)]
    except ValueError:
        raise InvalidOption(f"--label-fractions takes numbers such as 0.01,0.1,1, got {text!r}.") from None


def _report(out: Terminal, found: "Evaluation") -> None:
    scores = found.scores
    each = scores["by_subject"]
    rows = found.to_rows()
    out.say(
        f"{scores['label']} of {scores['units']} units of {len(each)} subjects, {scores['protocol']}, "
        f"{len(scores['splits'])} folds"
    )
    table = Table("", "macro F1", "95% interval", "balanced accuracy", box=None)
    for row in rows:
        limits = "" if row["macro_f1_low"] is None else f"{row['macro_f1_low']:.3f} to {row['macro_f1_high']:.3f}"
        table.add_row(str(row["system"]), f"{row['macro_f1']:.3f}", limits, f"{row['balanced_accuracy']:.3f}")
    out.say(table)
    if not scores["intervals_95"]:
        values = ", ".join(f"{name} {own['macro_f1']:.3f}" for name, own in each.items())
        out.say(f"Fewer than six subjects, so no interval. Macro F1 of each: {values}")
    sets, named = scores["at_coverage"], scores["named"]
    error = "none" if named["error"] is None else f"{named['error']:.1%}"
    out.say(
        f"Sets promised to hold the true label of {sets['promised']:.0%} of units, and hold that of "
        f"{sets['reached']:.1%} (worst subject: {sets['worst_subject']}, {sets['worst']:.1%}), with {sets['size']:.2f} "
        "labels on average"
    )
    for note in scores["notes"]:
        out.say(note)
    out.say(
        f"Expected calibration error {scores['calibration']['expected_error']:.3f}; {named['share']:.0%} of units are "
        f"named, with {error} errors, against {named['error_of_all']:.1%} if all were"
    )
    if scores["stitched"]:
        out.say("Windows were stitched from shorter stretches: do not quote these scores beside published ones.")


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Folders that evaluate has written.", show_default=False)
    ],
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Put evaluations side by side, with paired bootstrap differences from the first."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.evaluation.compare import compare as run

        found = run(folders, seed=seed)
        table = Table("", "", "macro F1", "difference", "95% interval", "balanced accuracy", box=None)
        for row in found.rows:
            change = row.differences.get("macro_f1")
            cells = ("", "") if change is None else (f"{change[0]:+.3f}", f"{change[1]:+.3f} to {change[2]:+.3f}")
            table.add_row(row.folder, row.name, f"{row.macro_f1:.3f}", *cells, f"{row.balanced_accuracy:.3f}")
        out.say(table)
        left = f"; {found.left_out} that only some tested are left out" if found.left_out else ""
        out.say(f"On {found.units} units of {found.subjects} subjects that all tested{left}")
        if found.over == "subjects":
            out.say("Intervals: paired bootstrap over subjects")
        else:
            out.say(
                f"Intervals: paired bootstrap over neurons, as there are {found.subjects} subjects: they say nothing "
                "about other animals"
            )
