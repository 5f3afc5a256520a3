"""`nwb-neurid inspect` and `show`: look, change nothing."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from nwb_neurid._system import limits
from nwb_neurid._system.text import counted
from nwb_neurid.cli import reading
from nwb_neurid.cli.terminal import Quiet, Terminal, Verbose, terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nwb_neurid.population import Population, Series
    from nwb_neurid.results import Embeddings, Predictions

LISTED_VALUES = 12


def inspect(
    source: Annotated[str, typer.Argument(help="A recording: a file, a folder or a URL.", show_default=False)],
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
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Tell what is in a recording, and which installed encoders can embed it."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.contracts import is_url
        from nwb_neurid.model.candidates import list_fits
        from nwb_neurid.readers import read_with, reader_for, with_covariates

        wanted = reading.read_options(
            keep_opto, part, where, intervals, start, stop, duration, all_rois, activity, rate_hz
        )
        reader = reader_for(source)
        fetched = is_url(source)  # all behaviour would have to come over the network for a list of its names
        population = read_with(reader, source, wanted if fetched else with_covariates(reader, wanted))
        _describe(out, population)
        if fetched:
            out.say("  behaviour and stimulus: not listed for a URL")
        elif population.covariates:
            _list_covariates(out, population.covariates)
        out.say("encoders")
        for fit in list_fits(population):
            if not fit.problems:
                presets = f" (presets: {', '.join(fit.presets)})" if len(fit.presets) > 1 else ""
                out.say(f"  {fit.encoder}: yes{presets}")
            for problem in fit.problems:
                out.say(f"  {fit.encoder}: no, {problem}")


def _describe(out: Terminal, population: "Population") -> None:
    from nwb_neurid.population import Spikes

    out.say(f"{population.source}")
    out.say(f"  subject {population.subject_id or 'not named'}, session {population.session_id or 'not named'}")
    units, runs = counted(len(population), "unit"), counted(len(population.runs_s()), "unbroken run")
    out.say(f"  {units}, {population.duration_s:g} s observed in {runs}")
    if isinstance(population.activity, Spikes):
        counts = population.activity.counts()
        silent = int((counts == 0).sum())
        out.say(f"  spikes: {counts.sum()} in observed time, {counted(silent, 'unit')} silent")
        if resolution_s := population.resolution_s():
            out.say(f"  spike times exact to {resolution_s * 1e3:g} ms")
    else:
        traces = population.activity
        out.say(f"  {traces.kind}: {traces.values.shape[1]} samples at {traces.rate_hz:g} Hz")
    if population.excluded:
        for reason, count in Counter(population.excluded.values()).most_common():
            out.say(f"  {counted(count, 'unit')} left out: {reason}")
    if population.group is not None:
        out.say(f"  groups: {_counted(population.group.tolist())}")
    out.say(f"  positions: {'known' if population.positions_um is not None else 'not known'}")
    for name, values in population.labels.items():
        out.say(f"  {name}: {_counted([value or '(unknown)' for value in values.tolist()])}")


def _list_covariates(out: Terminal, covariates: "Mapping[str, Series]") -> None:
    table = Table("behaviour and stimulus", "what", "channels", "from", "to", box=None)
    for name, series in covariates.items():
        rows = f"{1 / series.step_s:.4g} Hz" if series.kind == "continuous" and series.step_s > 0 else f"{len(series)}"
        what = f"{series.kind}, {rows}" + (f", in {series.unit}" if series.unit else "")
        channels = ", ".join(series.channels[:LISTED_VALUES]) or str(series.values.shape[1])
        last = series.times_s if series.stops_s is None else series.stops_s
        span = (f"{series.times_s[0]:.6g} s", f"{last[-1]:.6g} s") if len(series) else ("", "")
        table.add_row(name, what, channels, *span)
    out.say(table)


def _counted(values: list[object]) -> str:
    common = Counter(values).most_common()
    text = ", ".join(f"{value} {count}" for value, count in common[:LISTED_VALUES])
    return text + (f", and {len(common) - LISTED_VALUES} more values" if len(common) > LISTED_VALUES else "")


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE.nwb", help="A file with results.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="Only the results of this name.")] = None,
    rows: Annotated[int, typer.Option(min=0, help="How many units to preview.")] = 5,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show the tables that stand in a file, a preview of each, and the model they come from."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.writers.nwb import store

        with limits.reading(file):
            results = store.read(file, name)
        for found, embeddings, predictions in results:
            _show_embeddings(out, found, embeddings, rows)
            for one in predictions:
                _show_predictions(out, found, one, rows)


def _show_embeddings(out: Terminal, name: str, embeddings: "Embeddings", rows: int) -> None:
    import numpy as np

    provenance = embeddings.provenance
    seen = int((embeddings.reasons == "").sum())
    out.say(f"{name}: {seen} of {len(embeddings)} units with a vector of {embeddings.vectors.shape[1]} dimensions")
    table = Table("row", "unit", "windows", "stability", "most alike (rows), or why there is no vector", box=None)
    for row in np.argsort(embeddings.reasons != "", kind="stable")[:rows].tolist():  # those with a vector first
        alike = ", ".join(str(other) for other in embeddings.most_alike(row))
        stability = f"{embeddings.stability[row]:.3f}".replace("nan", "-")
        cells = (row, embeddings.unit_ids[row], embeddings.n_windows[row], stability)
        table.add_row(*map(str, cells), str(embeddings.reasons[row]) or alike)
    out.say(table)
    out.say("model")
    out.say(f"  encoder {provenance.encoder} {provenance.encoder_version}, config {dict(provenance.config)}")
    out.say(f"  training: {provenance.training or 'nothing to learn'}")
    out.say(f"  weights SHA-256: {provenance.weights_sha256 or 'none'}")
    window = f"{provenance.window_s:g} s" if provenance.window_s else "the whole recording"
    out.say(f"  window: {window}{', stitched from shorter stretches' if provenance.stitched else ''}")
    for note in provenance.notes:
        out.say(f"  {note}")
    out.say(f"  software: {', '.join(f'{key} {value}' for key, value in provenance.software.items())}")


def _show_predictions(out: Terminal, name: str, predictions: "Predictions", rows: int) -> None:
    declined = int(predictions.abstained.sum())
    among = f" among {predictions.scope}" if predictions.scope else ""
    out.say(f"{name}: {predictions.label_name}{among}, {declined} of {len(predictions)} units declined")
    table = Table("row", "unit", predictions.label_name, "probability", "declined because", box=None, pad_edge=False)
    for row in range(min(rows, len(predictions))):
        cells = (
            row,
            predictions.unit_ids[row],
            predictions.label[row],
            f"{predictions.probability[row]:.2f}",
        )
        table.add_row(*map(str, cells), str(predictions.reasons[row]))
    out.say(table)
    for note in predictions.notes:
        out.say(f"  {note}")
