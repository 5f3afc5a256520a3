"""Write results into NWB files without risk for the recording, read them, and remove them."""

from collections.abc import Collection, Sequence
from pathlib import Path

import h5py

from nwb_neurid._system.atomic import clear_leftovers, convert_errors, replace_file
from nwb_neurid._system.names import PREFIX
from nwb_neurid._system.warning import warn
from nwb_neurid.errors import (
    CannotWrite,
    InvalidOption,
    InvalidResults,
    InvalidSource,
    NoResults,
    UnreadableSource,
)
from nwb_neurid.population import Population
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.file import open_file
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.writers.nwb import existing, parsing
from nwb_neurid.writers.nwb.copying import check_room
from nwb_neurid.writers.nwb.destination import (
    Destination,
    check_columns,
    check_tables,
    choose_destination,
    is_zarr,
    name_sidecar,
)
from nwb_neurid.writers.nwb.entry import ROOM_BYTES, make_entries, name_on_tables
from nwb_neurid.writers.nwb.entry import Results as Results
from nwb_neurid.writers.nwb.faults import convert_faults
from nwb_neurid.writers.nwb.fingerprint import Fingerprint as Fingerprint
from nwb_neurid.writers.nwb.objects import EMBEDDINGS, MODEL, name_object
from nwb_neurid.writers.nwb.own import check_names, find_own_results
from nwb_neurid.writers.nwb.removal import copy_without
from nwb_neurid.writers.nwb.sidecar import check_sidecar
from nwb_neurid.writers.nwb.standalone import write_standalone
from nwb_neurid.writers.nwb.unit_columns import Labels
from nwb_neurid.writers.nwb.writing import write_copy, write_sidecar
from nwb_neurid.writers.options import WriteOptions


def name_after(encoder: str) -> str:
    """Return the default name of the results of an encoder."""
    return f"{PREFIX}{encoder}"


def check_writable(path: Path, options: WriteOptions, *, table: str | Sequence[str] = "") -> None:
    """Raise the errors that `write_results` would raise later, as far as this is possible without the results.

    Parameters
    ----------
    path
        The recording.
    options
        Options for writing, with `name` set.
    table
        As for `write`; "" if it is not yet known.

    Raises
    ------
    NeuridError
        As for `write`.
    """
    places, name = _list_places(table), options.name
    names = {each: [name_object(each, kind) for kind in (MODEL, EMBEDDINGS)] for each in name_on_tables(places, name)}
    to = _choose_target(path, places, options)
    with convert_faults(to.file):
        if to.way == "copy":
            with h5py.File(path, "r") as file:
                for each in names:
                    check_names(file, path, each, names[each], options.overwrite)
            check_room(to.file, copied=path)
            return
        with open_file(path):  # fails if the file cannot be read
            pass
        if to.file.exists():
            with h5py.File(to.file, "r") as file:
                check_names(file, to.named, name, names[name], options.overwrite)
                check_sidecar(file, to.named)
        check_room(to.file, ROOM_BYTES)


def write(
    path: Path | str,
    embeddings: Embeddings,
    predictions: Sequence[Predictions] = (),
    *,
    output: Path | str | None = None,
    overwrite: bool = False,
    name: str | None = None,
    table: str | Sequence[str] = "units",
    expected: Fingerprint | None = None,
    sidecar: bool = False,
    units_columns: bool = False,
    population: Population | None = None,
) -> Path:
    """Write results into the file from which they were computed.

    The results are written into a copy of the file. When this copy has been verified, it replaces the file in one step.
    If anything fails, the recording is unchanged. A Zarr folder is never changed. Its results are written into a
    sidecar.

    Parameters
    ----------
    path
        The recording: an NWB file in HDF5, or a Zarr folder.
    embeddings, predictions
        Results with one row for each row of `table`, and at most one `Predictions` per label. If no predictions are
        given, `Embeddings.predictions` and the results in `Embeddings.beside` are written. The results in `beside`
        replace existing results with the same names.
    output
        The file to write. With None, or with another path to the recording, the results are written into the recording
        itself. Links are followed.
    overwrite
        Whether existing results with the same name, and an existing file `output`, may be replaced.
    name
        Name of the results. By default, it is `neurid_ENCODER`.
    table
        Path within the file of the Units or the PlaneSegmentation to which the results belong. If there are several
        tables, the results for the rows of each table are written separately, with the name `<name>_<name of the
        table>`. In `embeddings` and `predictions`, the rows of the first table come first.
    expected
        Fingerprint of the file when it was read. If the file has changed, nothing is written.
    sidecar
        Write a small separate file that lists the neurons by `unit_id`. It is written at `output`, or beside the
        recording as `<recording>.neurid.nwb`. For a Zarr folder, a sidecar is always written. In the following
        cases, a sidecar is written with a warning: if the recording is larger than 10 GB, if it is managed by
        git-annex, or if `table` or the processing module is a link to another file. Linked files are never changed.
    units_columns
        Also write the predictions as columns of `table`.
    population
        The units and their activity, if they come from arrays and not from a file. A new NWB file is then written at
        `path`. The file contains these units, their activity and the results.

    Returns
    -------
    Path
        The file with the results.

    Raises
    ------
    InvalidResults, InvalidOption
        If the results or their name cannot be stored, or if options contradict one another.
    SourceNotFound
        If there is no file.
    SourceChanged
        If the file was changed or removed after it was read.
    ResultsExist
        If the file already contains results with that name.
    CannotWrite
        If the results do not fit the table, or the file cannot be written. The message states the reason.

    Examples
    --------
    >>> from nwb_neurid import new_model, read
    >>> from nwb_neurid.simulate import simulate, write_nwb
    >>> path = write_nwb(simulate(4, 5.0), "recording.nwb", overwrite=True)
    >>> write(path, new_model("isi").embed(read(path))).name
    'recording.nwb'
    >>> population = read([[0.5, 1.0, 2.5, 3.1], [0.2, 0.9, 1.7, 2.2]], start_s=0.0, stop_s=4.0)
    >>> embeddings = new_model("isi").embed(population)
    >>> write("arrays.nwb", embeddings, population=population, overwrite=True).name
    'arrays.nwb'
    """
    options = WriteOptions(
        name=name_after(embeddings.provenance.encoder) if name is None else name,
        output=None if output is None else Path(output),
        overwrite=overwrite,
        sidecar=sidecar,
        units_columns=units_columns,
    )
    results = [Results(options.name, embeddings, list(predictions))]
    if not predictions:
        own = [part for part in embeddings.predictions.values() if part.provenance == embeddings.provenance]
        beside = [Results(key, each, list(each.predictions.values())) for key, each in embeddings.beside.items()]
        results = [Results(options.name, embeddings, own), *beside]
    if population is not None:
        _check_new(population, embeddings, options)
        return write_standalone(population, results, Path(path), overwrite=overwrite)
    return write_results(Path(path), results, options, table=table, expected=expected)


def _check_new(population: Population, embeddings: Embeddings, options: WriteOptions) -> None:
    """Refuse options that a new file with a population does not allow, and results on other units."""
    given = [name for name in ("output", "sidecar", "units_columns") if getattr(options, name)]
    if given:
        raise InvalidOption(f"With population=, results go into a new file at path. Leave out {', '.join(given)}.")
    if len(embeddings) != len(population):
        raise InvalidResults(
            f"The results are on {len(embeddings)} units, the population has {len(population)}. Pass the population "
            "that was embedded."
        )


def write_results(
    path: Path,
    results: Sequence[Results],
    options: WriteOptions,
    *,
    table: str | Sequence[str] = "units",
    expected: Fingerprint | None = None,
    labels: Labels | None = None,
) -> Path:
    """Write results like `write`, with the options as one object. `options.name` is the name of the first results.

    All results except the first replace existing results with their names. `labels` of the user are also written as
    columns of the table.

    Raises
    ------
    NeuridError
        As for `write`.
    """
    places = _list_places(table)
    if expected is not None:
        expected.check(path)
    to = _choose_target(path, places, options)
    fingerprint = expected or Fingerprint.of(path)
    with convert_faults(path), open_file(path) as recording:
        entries = make_entries(
            recording, places, results, columns=options.units_columns, overwrite=options.overwrite, labels=labels
        )
    if to.way == "sidecar":
        write_sidecar(path, to, fingerprint, entries)
    else:
        with convert_faults(path), h5py.File(path, "r") as file:
            for entry in entries:
                entry.check_place(file, path)
        write_copy(path, to, fingerprint, entries)
    if to.why:
        warn(f"{to.why} The results are in {to.named}.")
    return to.named


def read(path: Path | str, name: str | None = None) -> list[Results]:
    """Read the results in a file.

    Parameters
    ----------
    path
        An NWB file in HDF5 or a Zarr folder.
    name
        Name of the results to read. With None, all results are read.

    Returns
    -------
    list of Results
        One tuple for each result: its name, its `Embeddings` and the list of its `Predictions`. The tuples are sorted
        by name.

    Raises
    ------
    SourceNotFound
        If there is no file.
    UnreadableSource
        If the file cannot be read, or the results in it are damaged.
    NoResults
        If the file contains no results, or no results with this name.

    Examples
    --------
    >>> from nwb_neurid import new_model, read_results
    >>> from nwb_neurid.simulate import simulate, write_nwb
    >>> simulation = simulate(4, 5.0)
    >>> path = write_nwb(simulation, "recording.nwb", overwrite=True)
    >>> path = write(path, new_model("isi").embed(simulation.population()))
    >>> [(name, len(embeddings)) for name, embeddings, _ in read_results(path)]
    [('neurid_isi', 4)]
    """
    path = Path(path)
    with open_file(path) as file:
        groups = existing.find_results(file)
        _check_there(groups, path, name)
        names = sorted(groups) if name is None else [name]
        return [_parse(path, each, groups[each]) for each in names]


read_results = read  # in the public interface, `read` reads a recording


def remove(path: Path | str, name: str, *, output: Path | str | None = None, overwrite: bool = False) -> Path:
    """Remove results from a file, and free their disk space.

    The file is replaced in one step by a verified copy without the results. If anything fails, the file is unchanged.

    Parameters
    ----------
    path
        An NWB file, a recording or a sidecar.
    name
        Name of the results.
    output
        The file to write. With None, or with another path to the same file, the file itself is changed.
    overwrite
        Whether an existing `output` may be replaced.

    Returns
    -------
    Path
        The file without the results.

    Raises
    ------
    SourceNotFound, UnreadableSource, NoResults
        As for `read`.
    CannotWrite
        If the file is a Zarr folder or cannot be written. The message states the reason.
    """
    path = Path(path)
    with open_file(path) as file:
        _check_there(existing.find_results(file), path, name)
    if is_zarr(path):
        raise CannotWrite(
            f"{path} is a Zarr folder, into which nwb-neurid 0.1 wrote; later versions only read such folders. To take "
            "out its results, install nwb-neurid<0.2."
        )
    options = WriteOptions(output=path if output is None else Path(output), overwrite=overwrite)
    to, fingerprint = _choose_target(path, (), options), Fingerprint.of(path)
    with convert_faults(to.file):
        with h5py.File(path, "r") as file:
            if name not in find_own_results(file):
                raise CannotWrite(f"{name} is in another file, to which {path} links. Remove it there.")
        source = path.resolve()
        with replace_file(to.file, overwrite=to.overwrite, like=[source]) as made:
            fingerprint.check(source)
            check_room(to.file, copied=source)
            whole = copy_without(source, made.path, name)
            fingerprint.check(source)
    if not whole:
        warn(f"{to.named}: {name} was removed, but its disk space could not be freed.")
    return to.named


def _parse(path: Path, name: str, groups: Sequence[Group]) -> Results:
    """Parse the results of one name.

    Raises
    ------
    UnreadableSource
        If the results are damaged.
    """
    try:
        objects = [thing for group in groups for thing in existing.read_objects(group)]
        return Results(name, *parsing.parse_results(objects))
    except (InvalidResults, InvalidSource, UnreadableSource) as error:
        raise UnreadableSource(
            f"The results {name} in {path} are damaged: {error} Remove them (nwb-neurid remove), and embed again."
        ) from error


def _choose_target(path: Path, places: Sequence[str], options: WriteOptions) -> Destination:
    """Choose the destination of results on these tables, and remove leftovers of killed processes there."""
    for each in (path, options.output or name_sidecar(path)):
        clear_leftovers(each)
    with convert_errors(options.output or path):
        to = choose_destination(path, options, tables=[place for place in places if place])
    check_columns(to, options.units_columns)
    check_tables(to, path, places)
    return to


def _list_places(table: str | Sequence[str]) -> Sequence[str]:
    return [table] if isinstance(table, str) else table


def _check_there(names: Collection[str], path: Path, name: str | None) -> None:
    if not names:
        beside = name_sidecar(path)
        hint = f" {beside} is its sidecar." if beside.exists() else ""
        raise NoResults(f"{path} holds no results of nwb-neurid.{hint}")
    if name is not None and name not in names:
        raise NoResults(f"{path} holds no results called {name!r}. It has: {', '.join(sorted(names))}.")
