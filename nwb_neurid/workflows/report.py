"""The HTML report: read a recording and its results, and write the page."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import numpy as np

from nwb_neurid import registry
from nwb_neurid._system.atomic import check_target, replace_file
from nwb_neurid.contracts import ReadOptions, is_url
from nwb_neurid.errors import InvalidOption, InvalidResults, NeuridError, NeuridWarning, NoResults
from nwb_neurid.labels.criteria import apply_criterion, choose_criteria
from nwb_neurid.model.bundled import FOLDER, list_bundled
from nwb_neurid.model.folder import read_description
from nwb_neurid.population import Population
from nwb_neurid.readers import read_with, reader_for
from nwb_neurid.report.facts import About, collect_facts
from nwb_neurid.report.page import make_page
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.workflows.embed import Outcome
from nwb_neurid.workflows.report_dataset import join_dataset
from nwb_neurid.writers.dataset import is_dataset
from nwb_neurid.writers.nwb.entry import name_on_tables
from nwb_neurid.writers.nwb.store import Results
from nwb_neurid.writers.options import WriteOptions
from nwb_neurid.writers.outputs import name_after
from nwb_neurid.writers.stored import find_results

ENDING = ".report.html"
SIDECAR = ".neurid.nwb"


def write_report(
    source: str | Path,
    output: str | Path | None = None,
    *,
    name: str | None = None,
    reading: ReadOptions | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a report on a recording and its results. The report is one HTML file that can be opened without a network.

    Parameters
    ----------
    source
        A file with results, the recording to which the results belong (in any format), or a dataset of vectors. A
        dataset of vectors is a folder that `nwb-neurid embed --workers N --output FOLDER` writes.
    output
        The file to write. By default, it is written beside the results and named after the source, for example
        `recording.report.html`.
    name
        Name of the results whose vectors and predictions are shown. With None, the report shows all predictions
        and, if there are several results, the vectors with the most dimensions.
    reading
        Options for reading the recording.
    overwrite
        Replace an existing file.

    Returns
    -------
    Path
        Path of the report.

    Raises
    ------
    SourceNotFound, NoResults
        If the source does not exist, or has no results.
    NeuridError
        If the recording cannot be read, or the file cannot be written.

    Examples
    --------
    >>> from nwb_neurid import embed, write
    >>> from nwb_neurid.simulate import simulate, write_nwb
    >>> recording = write_nwb(simulate(5, 20.0), "recording.nwb", overwrite=True)
    >>> path = write(recording, embed(recording, model="isi"), overwrite=True)
    >>> write_report(recording, overwrite=True).name
    'recording.report.html'
    """
    source = Path(source)
    target = name_report(source) if output is None else Path(output)
    check_target(target, overwrite=overwrite)
    if is_dataset(source):
        return _write_dataset_report(source, target, name, reading, overwrite=overwrite)
    path, found = find_results(source, name)
    shown = max(found, key=lambda each: each.embeddings.vectors.shape[1])  # a criterion has few values
    sizes = {each.name: len(each.embeddings) for each in (find_results(source)[1] if name else found)}
    population, ending = _read_recording(source, path, shown, sizes, reading or ReadOptions())
    about = _learn_about(shown.name, path, shown.embeddings)
    beside = [each for each in found if each.name.endswith(ending) and _are_same_units(each, shown)]
    predictions = [one for each in beside for one in each.predictions]
    predictions += _explain_no_types(population, predictions)
    return write_page(population, shown.embeddings, predictions, about, target, overwrite=overwrite)


def _write_dataset_report(
    folder: Path, target: Path, name: str | None, reading: ReadOptions | None, *, overwrite: bool
) -> Path:
    if name is not None or (reading is not None and reading != ReadOptions()):
        raise InvalidOption(
            f"{folder} is a dataset of vectors, which are shown as they are: leave out --name and the options that "
            "select units or time."
        )
    joined = join_dataset(folder)
    population, embeddings = joined.population, joined.embeddings
    about = _learn_about(folder.name, folder, embeddings)
    page = make_page(collect_facts(population, embeddings, [], about, joined.measured, joined.origins))
    return _write_text(page, target, joined.files, overwrite=overwrite)


def check_page(source: str | Path, writing: WriteOptions) -> Path:
    """Return the path for the report on results that will be written.

    It is beside the results and named after them or the source.

    Parameters
    ----------
    source
        The recording.
    writing
        Options for writing its results.

    Raises
    ------
    CannotWrite
        If there is a file that must not be replaced, or the folder does not exist.
    """
    beside = writing.output
    if beside is None:
        target = name_report(source)
    else:
        target = beside / name_report(source).name if beside.is_dir() else name_report(beside)
    check_target(target, overwrite=writing.overwrite)
    return target


def report_outcome(outcome: Outcome, target: Path, *, overwrite: bool = False) -> Path:
    """Write the report on the results of `embed_file`.

    Parameters
    ----------
    outcome
        The recording, as it was read, and the results.
    target
        The file to write, for example the one from `name_report`.
    overwrite
        Replace an existing file.

    Raises
    ------
    CannotWrite
        If the file cannot be written.
    """
    name = outcome.names[0] if outcome.names else name_after(outcome.embeddings.provenance.encoder)
    about = _learn_about(name, outcome.path, outcome.embeddings)
    beside = [part for each in outcome.cell_types for part in each.results.predictions]
    predictions = [*outcome.predictions, *beside]
    return write_page(outcome.population, outcome.embeddings, predictions, about, target, overwrite=overwrite)


def write_page(
    population: Population,
    embeddings: Embeddings,
    predictions: Sequence[Predictions],
    about: About,
    target: Path,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the page on results, completely or not at all. Only users who may read the recording may read it.

    Parameters
    ----------
    population
        The recording.
    embeddings, predictions
        One row for each unit.
    about
        Further facts.
    target
        The file.
    overwrite
        Replace an existing file.

    Raises
    ------
    InvalidResults
        If the results are for other units.
    CannotWrite
        If the file cannot be written.
    """
    page = make_page(collect_facts(population, embeddings, predictions, about))
    like = [each for each in (Path(population.source), Path(about.path)) if each.name and each.exists()]
    return _write_text(page, target, like, overwrite=overwrite)


def _write_text(page: str, target: Path, like: Sequence[Path], *, overwrite: bool) -> Path:
    with replace_file(target, overwrite=overwrite, like=like) as made:
        made.path.write_text(page, "utf-8", newline="\n")
    return target


def name_report(source: str | Path) -> Path:
    """Return the default path of the report on a recording: beside it or, for a URL, in the current folder."""
    source = (
        Path(PurePosixPath(urlsplit(source).path).name) if isinstance(source, str) and is_url(source) else Path(source)
    )
    name = source.resolve().name
    for ending in (".csv", ".parquet", ".zarr", ".nwb", ".neurid"):
        name = name.removesuffix(ending)
    return source.parent / f"{name}{ENDING}"


def _read_recording(
    source: Path, path: Path, shown: Results, sizes: Mapping[str, int], options: ReadOptions
) -> tuple[Population, str]:
    """Read the recording to which results belong.

    It is the source, the file with the results, or the recording that they name.

    The name of results on one of several imaging planes ends in the name of the plane. This ending is returned too.
    """
    named = Path(shown.embeddings.provenance.source)
    candidates = [
        source,
        path,
        named,
        path.parent / named.name,
        path.with_name(path.name.replace(SIDECAR, ".nwb")),
    ]
    refusals = []
    for candidate in dict.fromkeys(each for each in candidates if each.name and each.exists()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NeuridWarning)  # they were issued when the recording was embedded
                population, ending = _select_plane(
                    read_with(reader_for(candidate), candidate, options), shown.name, sizes
                )
            return _match_units(population, shown.embeddings, candidate), ending
        except NeuridError as error:
            if candidate != path or not path.name.endswith(SIDECAR):  # a sidecar contains only the ids of neurons
                refusals.append(error)
    if refusals:
        raise refusals[0]
    raise NoResults(
        f"The recording that the results in {path} are about was not found. Pass the recording instead of {source}, "
        f"or put it beside that file as {named.name or 'it was called'}."
    )


def _select_plane(population: Population, name: str, sizes: Mapping[str, int]) -> tuple[Population, str]:
    """Select the imaging plane to which the results of this name belong.

    `sizes` contains the number of units of all results.
    """
    endings = name_on_tables(population.tables, "") if len(population.tables) > 1 else []
    ending = max((each for each in endings if name.endswith(each)), key=len, default="")
    if not ending:
        return population, ""
    before = [sizes.get(name.removesuffix(ending) + each, 0) for each in endings[: endings.index(ending)]]
    first = sum(before)
    return population.select(np.arange(first, min(first + sizes[name], len(population)))), ending


def _match_units(population: Population, embeddings: Embeddings, source: Path) -> Population:
    """Select the units to which results belong.

    These are all units, or consecutive units if one of several planes was embedded.

    Raises
    ------
    InvalidResults
        If there are no such units, or several such sets of units.
    """
    ids, wanted = population.unit_ids.astype(np.str_), embeddings.unit_ids.astype(np.str_)
    size = len(wanted)
    found = [at for at in range(len(ids) - size + 1) if np.array_equal(ids[at : at + size], wanted)]
    if len(found) != 1:
        place = "in several places (choose the plane: --from) among" if found else "not among"
        raise InvalidResults(
            f"The results are on {size} units, which are {place} the {len(ids)} units of {source}. They belong to "
            "another recording or plane, or this one was edited: embed it again."
        )
    return population.select(np.arange(found[0], found[0] + size))


def _explain_no_types(population: Population, predictions: Sequence[Predictions]) -> list[Predictions]:
    """Explain why units have no cell type by a criterion. No file stores this if the recording has no waveforms.

    Return nothing if a criterion was applied, or can be applied to some unit.
    """
    if population.waveforms_uv is not None and population.waveform_rate_hz is not None:
        return []
    known = {part.label_name for part in predictions}
    found = [
        apply_criterion(each, population).predictions
        for each in choose_criteria(population)
        if each.label_name not in known
    ]
    return [part for part in found if part.abstained.all()]


def _are_same_units(one: Results, other: Results) -> bool:
    return np.array_equal(one.embeddings.unit_ids, other.embeddings.unit_ids)


def _learn_about(name: str, path: Path, embeddings: Embeddings) -> About:
    """Collect what the registry and the included models state about an encoder and its weights."""
    provenance = embeddings.provenance
    summary = citation = card = ""
    with suppress(NeuridError):
        spec = registry.encoders().load(provenance.encoder).spec
        summary, citation = spec.summary, spec.citation
    with suppress(NeuridError, OSError):
        for each in list_bundled():
            about = read_description(FOLDER / each)
            made = (provenance.weights_sha256, dict(provenance.config))
            if provenance.weights_sha256 and (about.weights_sha256, about.config) == made:
                card = (FOLDER / each / "README.md").read_text("utf-8")
    return About(name=name, path=str(path), summary=summary, citation=citation, card=card)
