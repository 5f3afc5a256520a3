"""`nwb-neurid embed`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from nwb_neurid.cli.archive import ask_of_each, embed_over_workers
from nwb_neurid.cli.completion import complete_criteria, complete_models
from nwb_neurid.cli.guard import each
from nwb_neurid.cli.options import (
    COMPUTE,
    LABELS,
    MODEL,
    WRITE,
    Device,
    PoolGroups,
    Preset,
    Untrained,
    argument,
    encoder_option,
    flag,
    option,
    with_cluster,
    with_json,
    with_reading,
    with_writing,
)
from nwb_neurid.cli.outcome import collect_facts, print_outcome
from nwb_neurid.cli.program import spell
from nwb_neurid.cli.terminal import Terminal
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, NeuridError
from nwb_neurid.workflows.archive.options import ClusterOptions
from nwb_neurid.writers.options import WriteOptions

if TYPE_CHECKING:
    from nwb_neurid.contracts.training import TrainingOptions
    from nwb_neurid.labels.prediction import PredictionOptions
    from nwb_neurid.model.model import Model
    from nwb_neurid.workflows.models import ModelChoice


@with_json
@with_reading
@with_writing
@with_cluster
def embed(
    sources: Annotated[list[str], argument("SOURCE", "Recordings: files, folders or URLs.")],
    *,
    reading: ReadOptions,
    pool_groups: PoolGroups = False,
    model: Annotated[
        str | None,
        option(
            "--model",
            "FOLDER",
            "A model folder, or the name of an included model (nwb-neurid plugins lists them); by default, the "
            "included model for spikes or for imaging.",
            panel=MODEL,
            autocompletion=complete_models,
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        encoder_option("Use an installed encoder instead of a model (nwb-neurid plugins lists them)."),
    ] = None,
    preset: Preset = None,
    untrained: Untrained = False,
    fit: Annotated[
        bool,
        flag(
            "--fit",
            "Train the encoder on each recording first. Vectors can then only be compared within one recording.",
            panel=MODEL,
        ),
    ] = False,
    steps: Annotated[
        int | None, option("--steps", "N", "Training steps of --fit; 1000 by default.", panel=MODEL, min=1)
    ] = None,
    label: Annotated[
        str,
        option(
            "--label",
            "LABEL",
            "Predict this label only; by default, every label that the model has a head for.",
            panel=LABELS,
        ),
    ] = "",
    coverage: Annotated[
        float | None,
        option(
            "--coverage",
            "SHARE",
            "Share of units whose prediction set should contain the true label; 0.9 by default.",
            panel=LABELS,
        ),
    ] = None,
    prior: Annotated[
        str | None,
        option(
            "--prior",
            "PRIOR",
            "How common each class is in this recording: frequencies such as PV=0.3,SST=0.7, or uniform, "
            "or the name of published frequencies in the label head, such as neocortex.",
            panel=LABELS,
        ),
    ] = None,
    criteria: Annotated[
        str,
        option(
            "--criteria",
            "NAME",
            "Published criterion for cell types (nwb-neurid plugins lists them). auto applies all criteria that are "
            "valid for the recording, and none applies no criterion. A criterion is a set of thresholds and gives no "
            "probabilities.",
            panel=LABELS,
            autocompletion=complete_criteria,
        ),
    ] = "auto",
    smooth: Annotated[
        bool,
        flag(
            "--smooth", "Average predictions over the nearest units on the probe; for brain regions only.", panel=LABELS
        ),
    ] = False,
    writing: WriteOptions,
    report: Annotated[
        bool, flag("--report", "Also write a report of the results, SOURCE.report.html.", panel=WRITE)
    ] = False,
    device: Device = "auto",
    seed: Annotated[int, option("--seed", "N", "Random seed of --untrained and --fit.", panel=COMPUTE, min=0)] = 0,
    cluster: ClusterOptions,
    out: Terminal,
) -> None:
    """Embed the units of recordings: one vector per unit, and predicted labels if the model has a label head.

    $ nwb-neurid embed recording.nwb

    This command adds tables with the results to the file itself. Nothing else in the file changes. After an error or a
    crash, the file is unchanged. If a source is not an NWB file, its results are written into SOURCE.neurid.nwb.

    $ nwb-neurid embed sub-*/*.nwb --workers 4 --output vectors

    This command embeds many recordings in parallel and collects all vectors in a folder of parquet files. To continue
    after an interruption, run the same command again.
    """
    from nwb_neurid.workflows.embed import embed_file
    from nwb_neurid.workflows.report import check_page, report_outcome

    cluster.check()
    training = _plan_training(fit, steps, seed)
    choice = _choose_model(encoder, model, preset, untrained, fit, seed, device)
    common: dict[str, Any] = {
        "reading": reading,
        "pool_groups": pool_groups,
        "training": training,
        "prediction": _ask_for(label, coverage, prior, smooth),
        "criteria": criteria,
    }
    if cluster.is_asked:
        embed_over_workers(out, sources, ask_of_each(writing, report, model=choice, **common), cluster)
        return
    built = choice.build()
    asked = _choose_targets(sources, writing, built)
    headless: set[str] = set()
    for source, options in out.progress(each(asked), label="recordings", total=len(asked)):
        try:
            page = check_page(source, options) if report else None
            with _reporting_interrupt(out, source):
                outcome = embed_file(source, built, writing=options, device=device, progress=out.progress, **common)
            if page is not None:
                report_outcome(outcome, page, overwrite=options.overwrite)
        except NeuridError as error:  # the other recordings are still worth embedding
            out.fail(error)
            out.print_json({"source": source, "error": str(error)}, indent=None)
            continue
        found = collect_facts(source, outcome)
        out.print_json(found if page is None else {**found, "report": str(page)}, indent=None)
        print_outcome(out, source, outcome)
        if page is not None:
            out.say(f"  Report: {page}")
        if not outcome.predictions and not any(each.is_worth_keeping for each in outcome.cell_types):
            headless.add(outcome.embeddings.provenance.encoder)
    nothing = ", and --units-columns had nothing to add" if writing.units_columns and reading.labels is None else ""
    for name in sorted(headless):
        out.say(f"Encoder {name} has no label head: vectors were written, but no predictions{nothing}.")
    if headless:
        out.say(f"To predict labels, fit a head to labelled recordings: {spell('fit-labels', '--help')}")


@contextmanager
def _reporting_interrupt(out: Terminal, source: str) -> Iterator[None]:
    """Print at Ctrl-C whether the recording was changed."""
    from nwb_neurid.writers.outputs import take_fingerprint

    before = take_fingerprint(source)
    try:
        yield
    except KeyboardInterrupt:
        done = take_fingerprint(source) != before
        out.fail(NeuridError(f"Interrupted. {source} {'has its results already' if done else 'was not changed'}."))
        raise


def _choose_model(
    encoder: str | None, model: str | None, preset: str | None, untrained: bool, fit: bool, seed: int, device: str
) -> "ModelChoice":
    """Return the model that the user chose, or the default for the activity of each recording."""
    from nwb_neurid.workflows.models import ModelChoice

    if model is not None:
        if encoder is not None or preset is not None or untrained or fit:
            raise InvalidOption(
                "--model is an encoder that is trained already: leave out --encoder, --preset, --untrained and "
                "--fit, or leave out --model."
            )
    elif encoder is None and (preset is not None or untrained or fit):
        from nwb_neurid.registry import default_encoder

        some = default_encoder("training")
        raise InvalidOption(f"--preset, --untrained and --fit need an encoder: add one, such as --encoder {some}.")
    return ModelChoice(
        folder=model, encoder=encoder, preset=preset, untrained=untrained or fit, seed=seed, device=device
    )


def _plan_training(fit: bool, steps: int | None, seed: int) -> "TrainingOptions | None":
    """Return the options for training on each recording first; None if there is no such training."""
    from nwb_neurid.contracts.training import TrainingOptions
    from nwb_neurid.model.fitting import STEPS

    if steps is not None and not fit:
        raise InvalidOption("--steps is the number of training steps of --fit: add --fit, or leave out --steps.")
    return TrainingOptions(steps=steps or STEPS, seed=seed) if fit else None


def _choose_targets(
    sources: Sequence[str], writing: WriteOptions, model: "Model | None"
) -> list[tuple[str, WriteOptions]]:
    """Return each source with its options for writing. With several sources, --output is the folder for the results."""
    from nwb_neurid.writers.outputs import NWB, name_after, name_output

    output = writing.output
    if output is None or (len(sources) == 1 and not output.is_dir()):
        return [(source, writing) for source in sources]
    if not output.is_dir():
        raise InvalidOption(f"--output must be an existing folder for {len(sources)} recordings, got {output}.")
    called = writing.name or name_after(model.name if model else "encoder")
    names = [name_output(source, sidecar=writing.sidecar, kind=writing.format, name=called) for source in sources]
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise InvalidOption(
            f"Results of several recordings would have the same name ({repeated[0]}) in {output}. "
            "Embed those recordings into different folders."
        )
    if writing.format != NWB:  # the name holds that of the encoder, which the recording may decide
        return [(source, writing) for source in sources]
    return [(source, replace(writing, output=output / name)) for source, name in zip(sources, names, strict=True)]


def _ask_for(label: str, coverage: float | None, prior: str | None, smooth: bool) -> "PredictionOptions":
    from nwb_neurid.labels.prediction import PredictionOptions

    shares = _parse_shares(prior) if prior and "=" in prior else prior
    return PredictionOptions(label=label, coverage=coverage, prior=shares, smooth=smooth)


def _parse_shares(text: str) -> dict[str, float]:
    """Parse `A=0.3,B=0.7` as shares of classes by name."""
    shares = {}
    for pair in text.split(","):
        name, equals, value = pair.rpartition("=")
        if name.strip() in shares:
            raise InvalidOption(
                f"--prior gives the class {name.strip()} more than once: {text}. Give one share for each class."
            )
        try:
            shares[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise InvalidOption(f"--prior must be CLASS=SHARE,CLASS=SHARE,... or uniform, got {pair!r}.")
    return shares
