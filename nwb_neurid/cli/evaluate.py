"""`nwb-neurid evaluate` and `compare`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nwb_neurid.cli.completion import complete_protocols
from nwb_neurid.cli.options import (
    COMPUTE,
    MODEL,
    Coverage,
    Device,
    Head,
    Label,
    Map,
    Models,
    OutputFolder,
    Overwrite,
    PoolGroups,
    Preset,
    Seed,
    Subjects,
    Untrained,
    Windows,
    argument,
    encoder_option,
    flag,
    option,
    split_words,
    with_json,
    with_reading,
)
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption

if TYPE_CHECKING:
    from nwb_neurid.evaluation.results import Evaluation

SCORING = "What to score"


@with_json
@with_reading
def evaluate(
    sources: Annotated[list[str], argument("SOURCE", "Recordings with labels, or a dataset of vectors.")],
    *,
    label: Label,
    protocol: Annotated[
        str,
        option(
            "--protocol",
            "PROTOCOL",
            "transductive, transductive-zero-shot or inductive-zero-shot.",
            panel=SCORING,
            autocompletion=complete_protocols,
        ),
    ],
    test_subjects: Annotated[
        str, option("--test-subjects", "A,B", "Test on these subjects only; train on the others.", panel=SCORING)
    ] = "",
    train: Annotated[
        list[str] | None, option("--train", "SOURCE", "A recording for training only; may be repeated.", panel=SCORING)
    ] = None,
    folds: Annotated[
        int,
        option(
            "--folds",
            "N",
            "Number of folds. With the protocol transductive, folds split neurons; otherwise, they split subjects.",
            panel=SCORING,
            min=2,
        ),
    ] = 5,
    label_fractions: Annotated[
        str,
        option(
            "--label-fractions",
            "0.01,0.1,1",
            "Also score label heads that are fitted to only these fractions of the labels.",
            panel=SCORING,
        ),
    ] = "",
    animals: Annotated[
        str,
        option(
            "--animals",
            "1,3,all",
            "Also score label heads that are fitted to only these numbers of animals.",
            panel=SCORING,
        ),
    ] = "",
    smooth: Annotated[
        bool,
        flag(
            "--smooth", "Also score predictions that are averaged over the nearest units on the probe.", panel=SCORING
        ),
    ] = False,
    model: Models = None,
    encoder: Annotated[
        list[str] | None,
        encoder_option("An installed encoder; may be repeated."),
    ] = None,
    preset: Preset = None,
    untrained: Untrained = False,
    steps: Annotated[
        int | None,
        option(
            "--steps",
            "N",
            "Train the encoders for N steps in each fold, on the training data of that fold.",
            panel=MODEL,
            min=1,
        ),
    ] = None,
    map_: Map = None,
    subjects: Subjects = None,
    head: Head = "linear",
    coverage: Coverage = 0.9,
    reading: ReadOptions,
    pool_groups: PoolGroups = False,
    output: OutputFolder,
    overwrite: Overwrite = False,
    windows: Windows = None,
    device: Device = "auto",
    seed: Seed = 0,
    out: Terminal,
) -> None:
    """Score how well vectors predict labels, compared with chance, simple controls and untrained encoders.

    $ nwb-neurid evaluate sub-*.nwb --model model --label cell_type --protocol inductive-zero-shot --output scores

    The output folder receives scores.json, scores.csv, predictions.csv and figures. If several models or encoders are
    given, each is scored separately, and then all of them together, with concatenated vectors.
    """
    from nwb_neurid.evaluation.results import check_evaluation_folder
    from nwb_neurid.evaluation.run import evaluate as run
    from nwb_neurid.model.making import load_model, new_model

    fractions = _parse_numbers(label_fractions)
    check_evaluation_folder(output, overwrite=overwrite)
    random = untrained or steps is not None
    found = run(
        [
            *(load_model(folder, device=device) for folder in model or []),
            *(new_model(name, preset=preset, untrained=random, seed=seed, device=device) for name in encoder or []),
        ],
        sources,
        label=label,
        protocol=protocol,
        train=train or [],
        test_subjects=split_words(test_subjects),
        map=map_,
        subjects=subjects,
        head=head,
        coverage=coverage,
        folds=folds,
        seed=seed,
        smooth=smooth,
        label_fractions=fractions,
        animals=split_words(animals),
        steps=steps,
        windows=windows,
        reading=reading,
        pool_groups=pool_groups,
        progress=out.progress,
    )
    found.save(output, overwrite=overwrite)
    out.print_json({"folder": str(output), "rows": found.to_rows(), **found.scores})
    _report(out, found)
    out.say(f"{output}: scores.json, scores.csv, predictions.csv and figures")


def _parse_numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in split_words(text)]
    except ValueError:
        raise InvalidOption(f"--label-fractions must be numbers such as 0.01,0.1,1, got {text!r}.") from None


def _report(out: Terminal, found: "Evaluation") -> None:
    scores = found.scores
    by_subject = scores["by_subject"]
    out.say(
        f"{scores['label']} of {scores['units']} units of {len(by_subject)} subjects, {scores['protocol']}, "
        f"{len(scores['splits'])} folds"
    )
    out.say_table(("", "macro F1", "95% interval", "balanced accuracy"), map(_describe_row, found.to_rows()))
    if not scores["intervals_95"]:
        values = ", ".join(f"{name} {own['macro_f1']:.3f}" for name, own in by_subject.items())
        out.say(f"Fewer than six subjects, so there is no interval. Macro F1 of each: {values}")
    sets = scores["at_coverage"]
    out.say(
        f"{sets['promised']:.0%} prediction sets: coverage {sets['reached']:.1%} (worst subject "
        f"{sets['worst_subject']}, {sets['worst']:.1%}), mean size {sets['size']:.2f}"
    )
    for note in scores["notes"]:
        out.say(note)
    out.say(f"Expected calibration error {scores['calibration']['expected_error']:.3f}. {_describe_labelled(scores)}")
    if scores["stitched"]:
        out.say("Windows were stitched from shorter stretches: not comparable with published scores.")


def _describe_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    interval = "" if row["macro_f1_low"] is None else f"{row['macro_f1_low']:.3f} to {row['macro_f1_high']:.3f}"
    return str(row["system"]), f"{row['macro_f1']:.3f}", interval, f"{row['balanced_accuracy']:.3f}"


def _describe_labelled(scores: Mapping[str, Any]) -> str:
    """Describe how many units were labelled without abstention, and how many of these labels were wrong."""
    named = scores["named"]
    if named["error"] is None:
        return f"No unit was labelled. (If all were: {named['error_of_all']:.1%} errors.)"
    return (
        f"{named['share']:.0%} of units were labelled, with {named['error']:.1%} errors. (If all were: "
        f"{named['error_of_all']:.1%} errors.)"
    )


@with_json
def compare(
    folders: Annotated[list[Path], argument("FOLDER", "Folders that nwb-neurid evaluate has written.")],
    *,
    seed: Annotated[int, option("--seed", "N", "Random seed of the bootstrap.", panel=COMPUTE, min=0)] = 0,
    out: Terminal,
) -> None:
    """Compare evaluations: paired bootstrap differences between the first evaluation and each other evaluation.

    $ nwb-neurid compare scores-a scores-b
    """
    from nwb_neurid.evaluation.compare import compare as run

    found = run(folders, seed=seed)
    out.print_json(
        {
            "units": found.units,
            "subjects": found.subjects,
            "left_out": found.left_out,
            "bootstrap_over": found.over,
            "rows": [
                {
                    "folder": row.folder,
                    "system": row.name,
                    "macro_f1": row.macro_f1,
                    "balanced_accuracy": row.balanced_accuracy,
                    "differences": {name: list(change) for name, change in row.differences.items()},
                }
                for row in found.rows
            ],
        }
    )
    rows = []
    for row in found.rows:
        change = row.differences.get("macro_f1")
        cells = ("", "") if change is None else (f"{change[0]:+.3f}", f"{change[1]:+.3f} to {change[2]:+.3f}")
        rows.append((row.folder, row.name, f"{row.macro_f1:.3f}", *cells, f"{row.balanced_accuracy:.3f}"))
    out.say_table(("", "", "macro F1", "difference", "95% interval", "balanced accuracy"), rows)
    left = f"; {found.left_out} units are left out, as only some evaluations tested them" if found.left_out else ""
    out.say(f"On {found.units} units of {found.subjects} subjects that all evaluations tested{left}")
    if found.over == "subjects":
        out.say("Intervals: paired bootstrap over subjects")
    else:
        out.say(
            f"Intervals: paired bootstrap over neurons, as there are {found.subjects} subjects. They do not show how "
            "scores vary between animals."
        )
