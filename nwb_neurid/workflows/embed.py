"""The main workflow: read, choose the model, check, embed, predict, write."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nwb_neurid._system.bars import automatic
from nwb_neurid.contracts import Progress, ReadOptions, is_url, silent
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.criteria import AUTO
from nwb_neurid.labels.prediction import PredictionOptions, check_options
from nwb_neurid.model.bundled import choose_bundled
from nwb_neurid.model.candidates import check_fits
from nwb_neurid.model.fitting import fit
from nwb_neurid.model.making import load_model
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.readers import parse_options, read_for, reader_for
from nwb_neurid.readers.label_table import list_label_names
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.workflows.cell_types import CellTypes, embed_and_predict, plan_cell_types
from nwb_neurid.workflows.models import resolve_model
from nwb_neurid.writers.nwb.entry import name_on_tables
from nwb_neurid.writers.nwb.objects import EMBEDDINGS, PREDICTIONS, name_object
from nwb_neurid.writers.options import NWB, WriteOptions
from nwb_neurid.writers.outputs import Output, Results, choose_output, name_after, take_fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The results of `embed_file`.

    Parameters
    ----------
    path
        The file that contains the results.
    population
        The recording, as it was read.
    embeddings, predictions
        The results that were written.
    names
        Names of the results in an NWB file. There is one name, or one name for each imaging plane if there are several.
    changed
        Whether the recording's own file was changed.
    tables
        Names of the tables of vectors and of predictions in an NWB file.
    cell_types
        Cell types predicted by published criteria, and by included models other than the default model.
    """

    path: Path
    population: Population
    embeddings: Embeddings
    predictions: tuple[Predictions, ...] = ()
    names: tuple[str, ...] = ()
    changed: bool = False
    tables: tuple[str, ...] = ()
    cell_types: tuple[CellTypes, ...] = ()

    def count_units(self) -> dict[str, Any]:
        """Count the units with a vector, and the reasons of the other units. Also return the names of the results.

        Returns
        -------
        dict
            Values that can be stored as JSON.
        """
        missing = Counter(reason for reason in self.embeddings.reasons.tolist() if reason)
        return {
            "names": list(self.names),
            "changed": self.changed,
            "units": len(self.embeddings),
            "embedded": len(self.embeddings) - missing.total(),
            "reasons": dict(missing.most_common()),
            "encoder": self.embeddings.provenance.encoder,
        }


def embed_file(
    source: str | Path,
    model: Model | None = None,
    *,
    reading: ReadOptions | None = None,
    writing: WriteOptions | None = None,
    device: str = "auto",
    pool_groups: bool = False,
    training: TrainingOptions | None = None,
    prediction: PredictionOptions | None = None,
    criteria: str = AUTO,
    output: Output | None = None,
    progress: Progress = silent,
) -> Outcome:
    """Embed the units of a recording, and write their vectors and predicted labels into a file.

    Parameters
    ----------
    source
        The recording. If it is an NWB file, the results are written into this file, unless `writing` states another
        output. If writing fails, the file is unchanged. For other sources, the results are written into
        `SOURCE.neurid.nwb`, an NWB file that also contains the units.
    model
        The model. With None, the included model for the kind of activity of the recording is used.
    reading
        Options for reading the recording.
    writing
        Options for writing the results.
    device
        The device for an included model: "auto", "cpu" or "cuda".
    pool_groups
        Embed all groups of units (probes, imaging planes) together. By default, each group is embedded separately.
    training
        If given, the model is trained on the recording before the recording is embedded. Its vectors can then be
        compared only with other vectors of the same recording.
    prediction
        Options for the label heads of the model or, if no model is given, of the included models.
    criteria
        The name of a published criterion for cell types, "none", or "auto" for all criteria that are suitable for the
        recording (see `nwb_neurid.labels.criteria`). Criteria do not give probabilities.
    output
        The place where the results are written, instead of the place in `writing`.
    progress
        Progress callback for the long loops.

    Returns
    -------
    Outcome
        The results, and the file that contains them.

    Raises
    ------
    NeuridError
        If the recording cannot be read or embedded, or the results cannot be written. Nothing is written in this case.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from nwb_neurid import new_model
    >>> from nwb_neurid.simulate import simulate, write_nwb
    >>> recording = write_nwb(simulate(5, 20.0, 0), Path(mkdtemp()) / "recording.nwb")
    >>> outcome = embed_file(recording, new_model("isi"))
    >>> outcome.changed, outcome.tables, outcome.embeddings.vectors.shape
    (True, ('neurid_isi_embeddings',), (5, 53))
    """
    writing, prediction = writing or WriteOptions(), prediction or PredictionOptions()
    reader, seen = reader_for(source), take_fingerprint(source)
    if output is None:
        choose_output(source, name_results(writing, model), seen=seen)  # finds problems before the recording is read
    population = read_for(model.spec if model else None, reader, source, reading or ReadOptions())
    plan = plan_cell_types(population, criteria, models=model is None, device=device)
    model = model or load_model(choose_bundled(population.activity.kind), device=device)
    writing = name_results(writing, model)
    table = None if reading is None else reading.labels
    own = list_label_names(Path(table)) if table is not None and writing.units_columns else []
    output = output or choose_output(source, writing, seen=seen, labels=own)
    output.check(population)
    check_fits(population, model)
    plan.check(population, prediction, writing.name)
    check_options(model.heads, population, asked := PredictionOptions() if plan.models else prediction)
    if training is not None:
        model, log = fit(model, [population], training, pool_groups=pool_groups, progress=progress)
        if not log.finished:  # it was interrupted by Ctrl-C, so nothing is written
            raise KeyboardInterrupt
        model = replace(model, training=f"on the recording itself, comparable within it only: {model.training}")
    embeddings, predictions = embed_and_predict(model, population, asked, pool_groups=pool_groups, progress=progress)
    cell_types = plan.apply(population, prediction, pool_groups=pool_groups, progress=progress)
    beside = [each.results for each in cell_types if each.is_worth_keeping]
    written = [Results(writing.name, embeddings, predictions), *beside]
    path = output.write(population, written)
    changed = not is_url(source) and path.samefile(source)
    called = [(_list_names(population, replace(writing, name=each.name), changed), each) for each in written]
    return Outcome(
        path=path,
        population=population,
        embeddings=embeddings,
        predictions=tuple(predictions),
        names=tuple(name for names, _ in called for name in names),
        changed=changed,
        tables=tuple(table for names, each in called for name in names for table in _list_tables(name, each)),
        cell_types=tuple(cell_types),
    )


def embed(
    source: object,
    *,
    model: Model | str | Path | None = None,
    device: str = "auto",
    pool_groups: bool = False,
    criteria: str = AUTO,
    progress: Progress = automatic,
    **reading: Any,
) -> Embeddings:
    """Read a recording and embed its units, in one call. No file is written.

    The function returns the vectors and the predicted labels that `nwb-neurid embed` would write.

    Parameters
    ----------
    source
        Any source that `nwb_neurid.read` accepts (a path, a URL, arrays, an object of another library), or a
        `Population`.
    model
        A model, its folder, the name of an included model, or the name of an encoder that needs no training. With None,
        the included model for the kind of activity of the recording is used.
    device
        The device onto which models are loaded: "auto", "cpu" or "cuda". A `Model` that you pass keeps its own
        device.
    pool_groups
        Embed all groups of units (probes, imaging planes) together. By default, each group is embedded separately.
    criteria
        The name of a published criterion for cell types, "none", or "auto" for all criteria that are suitable for the
        recording (see `nwb_neurid.labels.criteria`). Criteria do not give probabilities.
    progress
        Progress callback for the long loops. By default, progress bars are shown in a notebook.
    **reading
        Fields of `nwb_neurid.contracts.ReadOptions`, such as `where="quality == 'good'"`.

    Returns
    -------
    Embeddings
        One vector per unit, in the order of the source. `Embeddings.predictions` contains the predictions of the label
        heads and of the criteria, by label. `Embeddings.beside` contains the measurements on which the criteria are
        based. If `model` is None, it also contains the vectors of the included models that predict cell types.

    Raises
    ------
    NeuridError
        If the recording cannot be read, or the model cannot embed it. The message states the reason and a remedy.

    Examples
    --------
    >>> from nwb_neurid.testing import mock_population
    >>> embed(mock_population(units=5), model="isi").vectors.shape
    (5, 53)
    """
    built = None if model is None else resolve_model(model, device=device)
    if isinstance(source, Population):
        if reading:
            raise InvalidOption(f"A Population has been read already: leave out {', '.join(sorted(reading))}.")
        population = source
    else:
        options = parse_options(reading)
        population = read_for(built.spec if built else None, reader_for(source), source, options)
    built = built or load_model(choose_bundled(population.activity.kind), device=device)
    check_fits(population, built)
    plan = plan_cell_types(population, criteria, models=model is None, device=device)
    asked = PredictionOptions()
    embeddings, own = embed_and_predict(built, population, asked, pool_groups=pool_groups, progress=progress)
    found = plan.apply(population, asked, pool_groups=pool_groups, progress=progress)
    others = [part for each in found for part in each.results.predictions]
    return replace(
        embeddings,
        predictions={part.label_name: part for part in (*others, *own)},
        beside={each.results.name: each.embeddings for each in found if each.is_worth_keeping},
    )


def name_results(writing: WriteOptions, model: Model | None) -> WriteOptions:
    """Add the name of the results to the options, as far as it is known."""
    return replace(writing, name=writing.name or name_after(model.name if model else "encoder"))


def _list_tables(name: str, results: Results) -> list[str]:
    """Return the names of the tables of results in an NWB file."""
    labels = [part.label_name for part in results.predictions]
    return [name_object(name, EMBEDDINGS), *(name_object(name, PREDICTIONS, label) for label in labels)]


def _list_names(population: Population, writing: WriteOptions, changed: bool) -> tuple[str, ...]:
    """Return the names of the results in an NWB file."""
    if writing.format != NWB:
        return ()
    beside_tables = changed or (writing.output is not None and not writing.sidecar)
    return (
        tuple(name_on_tables(population.tables, writing.name))
        if beside_tables and population.tables
        else (writing.name,)
    )
