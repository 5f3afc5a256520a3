"""`nwb-neurid embed`."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nwb_neurid.cli import reading
from nwb_neurid.cli.guard import each
from nwb_neurid.cli.terminal import Quiet, Terminal, Verbose, terminal
from nwb_neurid.errors import InvalidOption, NeuridError

if TYPE_CHECKING:
    from nwb_neurid.contracts.training import TrainingOptions
    from nwb_neurid.labels.prediction import PredictionOptions
    from nwb_neurid.model.model import Model
    from nwb_neurid.results import Predictions
    from nwb_neurid.workflows.embed import Outcome

KIND_OF_REASON = re.compile(r" at a coverage|:")  # what follows differs from unit to unit


def embed(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Recordings: files, folders or URLs.", show_default=False)
    ],
    encoder: Annotated[
        str | None,
        typer.Option(help="An installed encoder. Without it and --model, the trained model that ships is taken."),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="A model folder.", metavar="FOLDER")] = None,
    preset: Annotated[str | None, typer.Option(help="A preset of the encoder; its first by default.")] = None,
    untrained: Annotated[bool, typer.Option(help="Accept random weights of an encoder that learns.")] = False,
    fit: Annotated[
        bool,
        typer.Option(
            "--fit", help="Train the encoder on each recording first: vectors are comparable within that file only."
        ),
    ] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of --fit.", show_default="1000")] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="nwb: tables in the NWB file. csv, parquet: a table beside the source. phy: columns in its folder.",
        ),
    ] = "nwb",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A file, or for several sources a folder, for copies with the results; the sources stay as they are.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace results of the same name, or existing output.")] = False,
    name: Annotated[str | None, typer.Option(help="What the results are called; neurid_ENCODER by default.")] = None,
    sidecar: Annotated[
        bool, typer.Option("--sidecar", help="Write a small NWB file of its own, NAME.neurid.nwb, or --output.")
    ] = False,
    units_columns: Annotated[
        bool, typer.Option("--units-columns", help="Write predictions into columns of the units too.")
    ] = False,
    label: Annotated[str, typer.Option(metavar="LABEL", help="Only this of the labels that the model predicts.")] = "",
    coverage: Annotated[
        float | None,
        typer.Option(help="Share of units whose set of plausible labels should hold the true one.", show_default="0.9"),
    ] = None,
    prior: Annotated[
        str | None,
        typer.Option(metavar="A=0.3,B=0.7", help="How common the classes are here; uniform for all alike."),
    ] = None,
    smooth: Annotated[
        bool, typer.Option("--smooth", help="Let the nearest units on a probe vote together, on regions only.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of random weights.")] = 0,
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
    """Embed the units of recordings, and write the vectors into them, and what the model predicts.

    One vector per unit goes into a table beside the units; nothing else in the file changes, and a file is replaced
    whole or not at all.
    """
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.workflows.embed import embed_file
        from nwb_neurid.writers.options import WriteOptions
        from nwb_neurid.writers.outputs import default_name

        training = _training(fit, steps, seed)
        built = _model(encoder, model, preset, untrained, fit, seed, device)
        called = name or (default_name(built.name) if built else None)
        naming = _asked(label, coverage, prior, smooth)
        wanted = reading.read_options(
            keep_opto, part, where, intervals, start, stop, duration, all_rois, activity, rate_hz
        )
        write = WriteOptions(
            format=kind, name=called or "", overwrite=overwrite, sidecar=sidecar, units_columns=units_columns
        )
        targets = _targets(sources, output, sidecar, kind, called)
        unnamed: set[str] = set()
        for source, target in out.progress(each(targets), label="recordings", total=len(targets)):
            try:
                outcome = embed_file(
                    source,
                    built,
                    device=device,
                    options=wanted,
                    write=replace(write, output=target),
                    pool_groups=pool_groups,
                    training=training,
                    prediction=naming,
                    progress=out.progress,
                )
            except NeuridError as error:  # the other recordings are still worth embedding
                out.fail(error)
                continue
            _report(out, outcome)
            unnamed |= set() if built and built.heads else {outcome.embeddings.provenance.encoder}
        for each_encoder in sorted(unnamed):
            _say_that_none_is_named(out, each_encoder, units_columns)


def _model(
    encoder: str | None, folder: Path | None, preset: str | None, untrained: bool, fit: bool, seed: int, device: str
) -> "Model | None":
    """The model that was asked for; None for the one that ships for what each recording holds."""
    from nwb_neurid.model.model import load_model, new_model

    if folder is not None:
        if encoder is not None or preset is not None or untrained or fit:
            raise InvalidOption(
                "--model names a trained encoder: leave out --encoder, --preset, --untrained and --fit."
            )
        return load_model(folder, device=device)
    if encoder is not None:
        return new_model(encoder, preset=preset, untrained=untrained or fit, seed=seed, device=device)
    if preset is not None or untrained or fit:
        from nwb_neurid.registry import default_encoder

        some = default_encoder("training")
        raise InvalidOption(f"--preset, --untrained and --fit are for an encoder: name one, such as --encoder {some}.")
    return None


def _training(fit: bool, steps: int | None, seed: int) -> "TrainingOptions | None":
    """How each recording is trained on first; None if it is not."""
    from nwb_neurid.contracts.training import TrainingOptions
    from nwb_neurid.model.fitting import STEPS

    if steps is not None and not fit:
        raise InvalidOption("--steps is how long --fit trains: pass --fit too, or leave it out.")
    return TrainingOptions(steps=steps or STEPS, seed=seed) if fit else None


def _targets(
    sources: list[str], output: Path | None, sidecar: bool, kind: str, called: str | None
) -> list[tuple[str, Path | None]]:
    """Each source with where its results go; None for into itself."""
    from nwb_neurid.writers.outputs import NWB, output_name

    if output is None:
        return [(source, None) for source in sources]
    if len(sources) == 1 and not output.is_dir():
        return [(sources[0], output)]
    if not output.is_dir():
        raise InvalidOption(f"--output {output} must be an existing folder for {len(sources)} sources.")
    names = [output_name(source, sidecar=sidecar, kind=kind, name=called or "neurid") for source in sources]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise InvalidOption(f"Several sources are called {repeated[0]}: they cannot all go to {output}.")
    if kind != NWB:  # their names hold that of the encoder, which the recording may decide
        return [(source, output) for source in sources]
    return [(source, output / name) for source, name in zip(sources, names, strict=True)]


def _asked(label: str, coverage: float | None, prior: str | None, smooth: bool) -> "PredictionOptions":
    from nwb_neurid.labels.prediction import UNIFORM, PredictionOptions

    shares = prior if prior in {None, UNIFORM} else _shares(prior or "")
    return PredictionOptions(label=label, coverage=coverage, prior=shares, smooth=smooth)


def _shares(text: str) -> dict[str, float]:
    """`A=0.3,B=0.7` as shares of classes by name."""
    shares = {}
    for pair in text.split(","):
        name, equals, value = pair.rpartition("=")
        if name.strip() in shares:
            raise InvalidOption(f"--prior names {name.strip()} twice: {text}.")
        try:
            shares[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise InvalidOption(f"--prior wants CLASS=SHARE,... or uniform, got {pair!r}.")
    return shares


def _say_that_none_is_named(out: Terminal, encoder: str, units_columns: bool) -> None:
    nothing = ", so --units-columns adds nothing" if units_columns else ""
    out.say(f"Encoder {encoder} has no label head: vectors were written, no predictions{nothing}.")


def _report(out: Terminal, outcome: "Outcome") -> None:
    embeddings = outcome.embeddings
    missing = Counter(reason for reason in embeddings.reasons.tolist() if reason)
    out.say(f"{outcome.path}: {len(embeddings) - missing.total()} of {len(embeddings)} units embedded")
    for reason, count in missing.most_common():
        out.say(f"  {count} without a vector: {reason}")
    provenance = embeddings.provenance
    if provenance.stitched:
        out.say(
            f"  Windows of {provenance.window_s:g} s were stitched from shorter stretches of observed time: not "
            "comparable with published scores."
        )
    for note in provenance.notes:
        out.say(f"  {note}")
    for predictions in outcome.predictions:
        _report_predictions(out, predictions)
    out.detail(f"  encoder {provenance.encoder} {provenance.encoder_version}, config {dict(provenance.config)}")
    out.detail(f"  weights SHA-256 {provenance.weights_sha256 or 'none'}; {dict(provenance.software)}")


def _report_predictions(out: Terminal, predictions: "Predictions") -> None:
    """One line on who was named and who not, and why; then what else must be known."""
    named = int((~predictions.abstained).sum())
    vectors = predictions.label != ""
    reasons = [KIND_OF_REASON.split(why)[0] for why in predictions.reasons[predictions.abstained & vectors].tolist()]
    why = "; ".join(f"{count} {reason}" for reason, count in Counter(reasons).most_common())
    declined = f", {len(reasons)} declined: {why}" if reasons else ""
    out.say(f"  {predictions.label_name}: {named} of {int(vectors.sum())} units named{declined}")
    for note in predictions.notes:
        out.say(f"    {note}")
