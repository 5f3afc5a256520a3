"""`nwb-neurid fit-labels`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nwb_neurid.cli.completion import complete_models
from nwb_neurid.cli.options import (
    LABELS,
    WRITE,
    Coverage,
    Head,
    Label,
    Map,
    PoolGroups,
    Seed,
    Subjects,
    argument,
    flag,
    option,
    output_option,
    with_reading,
    with_terminal,
)
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import CannotWrite, InvalidOption

if TYPE_CHECKING:
    from nwb_neurid.labels.head import LabelHead
    from nwb_neurid.model.model import Model


@with_terminal
@with_reading
def fit_labels(
    model: Annotated[
        str,
        argument(
            "MODEL",
            "A model folder, an included model, or an encoder that needs no training.",
            autocompletion=complete_models,
        ),
    ],
    sources: Annotated[
        list[str], argument("SOURCE", "Recordings of several animals, with labels, or a dataset of vectors.")
    ],
    *,
    label: Label,
    map_: Map = None,
    subjects: Subjects = None,
    scope: Annotated[
        str,
        option(
            "--scope",
            "TEXT",
            "Description of the neurons for which predictions are valid: 'opto-tagged interneurons of mouse V1'.",
            panel=LABELS,
        ),
    ] = "",
    head: Head = "linear",
    coverage: Coverage = 0.9,
    reading: ReadOptions,
    pool_groups: PoolGroups = False,
    output: Annotated[
        Path | None,
        output_option("FOLDER", "The model folder to write; MODEL itself by default."),
    ] = None,
    overwrite: Annotated[
        bool, flag("--overwrite", "Replace an existing head for this label, or an existing output folder.", panel=WRITE)
    ] = False,
    seed: Seed = 0,
    out: Terminal,
) -> None:
    """Fit a label head to recordings whose cell types or regions are known, so that the model predicts them.

    $ nwb-neurid fit-labels model sub-*.nwb --label cell_type

    The head is calibrated on held-out animals, and abstains if it is not certain enough.
    """
    from nwb_neurid.workflows.datasets import list_files
    from nwb_neurid.workflows.fit_labels import fit_labels as run
    from nwb_neurid.workflows.models import resolve_model

    folder = _choose_folder(model, output, overwrite)
    built = resolve_model(model)
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
        reading=reading,
        pool_groups=pool_groups,
        progress=out.progress,
    )
    fitted.save(folder, overwrite=output is None or overwrite, like=list_files(sources))
    _report(out, folder, fitted.heads[label])


def _choose_folder(model: str, output: Path | None, overwrite: bool) -> Path:
    """The folder to write."""
    from nwb_neurid.model.bundled import list_bundled
    from nwb_neurid.workflows.models import names_encoder

    if output is None and not Path(model).exists() and (names_encoder(model) or model in list_bundled()):
        what = "an encoder" if names_encoder(model) else "an included model"
        raise InvalidOption(
            f"{model} is {what}, and a label head cannot be added to it. Choose a folder for a copy "
            "with the head (--output)."
        )
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
    guessing = 1 / len(head.classes)
    score = float(str(details["balanced_accuracy"]))
    out.say(
        f"On {head.left_out}: macro F1 {details['macro_f1']:.3f}, balanced accuracy {score:.3f} (guessing: "
        f"{guessing:.3f})"
    )
    for note in collect_notes(head, head.coverage):
        out.say(note)
    if head.explain_guessing():  # which is among the notes
        out.say(
            "The head was saved, but its predictions mean nothing. More labelled animals, fewer classes (--map) or "
            "another model may help."
        )
    else:
        out.say(f"Use it: {spell('embed', 'SOURCE', '--model', folder)}")
