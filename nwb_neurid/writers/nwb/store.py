"""Results in NWB files: written so that the recording is never in danger, read again, and taken out again."""

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
    """What the results of an encoder are called unless the user names them."""
    return f"{PREFIX}{encoder}"


def check_writable(path: Path, options: WriteOptions, *, table: str | Sequence[str] = "") -> None:
    """Raise now what `write_results` would raise later, as far as it can be known without the results.

    Parameters
    ----------
    path
        The recording.
    options
        What the user asks; `name` is set.
    table
        As for `write`; "" where it is not known yet.

    Raises
    ------
    NeuridError
        As `write`.
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
        with open_file(path):  # whether it can be read
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
    """Write results beside the data that they were computed from.

    A verified copy takes the place of the file in one step. Whatever fails, the recording stays as it was. A Zarr
    folder is only read: results on it go into a sidecar.

    Parameters
    ----------
    path
        The recording, an NWB file in HDF5 or a Zarr folder.
    embeddings, predictions
        One row for each row of `table`; each label is predicted once. By default, the predictions of the embeddings,
        and what lies beside them (`Embeddings.beside`), which replaces earlier results of its names.
    output
        Where to write; None, or another name of `path`, for the recording itself. A link is followed.
    overwrite
        Whether results of that name, and an existing `output`, may be replaced.
    name
        What to call the results; `neurid_ENCODER` by default.
    table
        Path within the file of the Units or the PlaneSegmentation that the results are about. Of several, each gets
        the results on its own rows, called `<name>_<name of the table>`; those on the first come first.
    expected
        What the file was when it was read; if it is not that any more, nothing is written.
    sidecar
        Write a small file of its own, at `output` or beside the recording as `<recording>.neurid.nwb`. It lists the
        neurons by `unit_id`. Also where the recording is a Zarr folder, and, with a warning, where it has over 10 GB or
        is kept by git-annex, or where it links to another file for `table` or for the processing module: other files
        are never changed.
    units_columns
        Write the predictions into columns of `table` too.
    population
        Write a new NWB file at `path` that holds these units and their activity too: for arrays, which have no file.

    Returns
    -------
    Path
        Where the results are.

    Raises
    ------
    InvalidResults, InvalidOption
        If the results cannot be stored, or not under that name, or options contradict one another.
    SourceNotFound
        If there is no file.
    SourceChanged
        If the file changed or vanished since it was read.
    ResultsExist
        If results of that name are there already.
    CannotWrite
        If the results do not fit the table, or the file cannot be written; the message says why.

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
    """Refuse what a new file with a population cannot be written with."""
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
    """Write results as `write` does, with what the user asks as one value, whose `name` is that of the first.

    Those after the first replace earlier ones of their names. `labels` of the user become columns of the table too.

    Raises
    ------
    NeuridError
        As `write`.
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
    """Read the results that a file holds.

    Parameters
    ----------
    path
        An NWB file in HDF5 or a Zarr folder.
    name
        Which results; None for all.

    Returns
    -------
    list of Results
        Tuples of name, `Embeddings` and `Predictions`, in the order of their names.

    Raises
    ------
    SourceNotFound
        If there is no file.
    UnreadableSource
        If it cannot be read, or the results in it are damaged.
    NoResults
        If it holds no results, or none of that name.

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


read_results = read  # among the public names, `read` reads a recording


def remove(path: Path | str, name: str, *, output: Path | str | None = None, overwrite: bool = False) -> Path:
    """Take results out of a file, and give back the disk space that they took.

    A verified copy without them takes the place of the file in one step. Whatever fails, the file stays as it was.

    Parameters
    ----------
    path
        An NWB file, a recording or a sidecar.
    name
        What the results are called.
    output
        Where to write; None, or another name of `path`, for the file itself.
    overwrite
        Whether an existing `output` may be replaced.

    Returns
    -------
    Path
        The file without the results.

    Raises
    ------
    SourceNotFound, UnreadableSource, NoResults
        As `read`.
    CannotWrite
        If the file is a Zarr folder or cannot be written; the message says why.
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
        warn(f"{to.named}: {name} was removed, but the disk space that it took cannot be given back.")
    return to.named


def _parse(path: Path, name: str, groups: Sequence[Group]) -> Results:
    """The results of one name, read.

    Raises
    ------
    UnreadableSource
        If they are damaged.
    """
    try:
        objects = [thing for group in groups for thing in existing.read_objects(group)]
        return Results(name, *parsing.parse_results(objects))
    except (InvalidResults, InvalidSource, UnreadableSource) as error:
        raise UnreadableSource(
            f"The results {name} in {path} are damaged: {error} Remove them (nwb-neurid remove), and embed again."
        ) from error


def _choose_target(path: Path, places: Sequence[str], options: WriteOptions) -> Destination:
    """Where results on these tables go, once what a killed process left there is removed."""
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
        raise NoResults(f"{path} holds no results called {name!r}, but {', '.join(sorted(names))}.")
