"""Results in NWB files: written so that the recording is never in danger, read again, and taken out again."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py

from nwb_neurid.errors import CannotWrite, NeuridWarning, NoResults, SourceNotFound
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.writers.nwb import existing, layout, tables, unit_columns
from nwb_neurid.writers.nwb.compaction import compact
from nwb_neurid.writers.nwb.destination import Destination, check_columns, check_tables, destination, sidecar_of
from nwb_neurid.writers.nwb.entry import ROOM_BYTES, check_names, entries_on, names_on
from nwb_neurid.writers.nwb.faults import cannot_write, unreadable
from nwb_neurid.writers.nwb.in_folder import folder_copy, in_folder, recover_folder
from nwb_neurid.writers.nwb.objects import EMBEDDINGS, MODEL, object_name
from nwb_neurid.writers.nwb.opening import Group, opened
from nwb_neurid.writers.nwb.overlay import Overlay
from nwb_neurid.writers.nwb.replacement import Fingerprint as Fingerprint
from nwb_neurid.writers.nwb.replacement import check_free, check_room, replacement
from nwb_neurid.writers.nwb.sidecar import check_sidecar
from nwb_neurid.writers.nwb.writers import WRITERS
from nwb_neurid.writers.options import WriteOptions


class Results(NamedTuple):
    """What one model found in a recording: its name in the file, a vector per unit, a prediction per label."""

    name: str
    embeddings: Embeddings
    predictions: list[Predictions]


def default_name(encoder: str) -> str:
    """What the results of an encoder are called unless the user names them."""
    return f"neurid_{encoder}"


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
    places, name = _places(table), options.name
    names = {each: [object_name(each, kind) for kind in (MODEL, EMBEDDINGS)] for each in names_on(places, name)}
    to = _target(path, places, options)
    beside = to.way == "sidecar"
    with cannot_write(path), opened(path) as file:
        for each in () if beside else names:
            check_names(file, path, each, names[each], options.overwrite)
    with cannot_write(to.file):
        if beside and to.file.exists():
            with h5py.File(to.file, "r") as file:
                check_names(file, to.named, name, names[name], options.overwrite)
                check_sidecar(file, to.named)
        if to.way == "copy":
            check_room(path, to.file)
        elif to.way == "folder copy":
            check_free(to.file, Fingerprint.of(path).size + ROOM_BYTES)
        else:
            check_free(to.file, ROOM_BYTES)


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
) -> Path:
    """Write results beside the data that they were computed from.

    A verified copy takes the place of the file in one step. Into a Zarr folder, new folders are moved. Whatever fails,
    the recording stays as it was.

    Parameters
    ----------
    path
        The recording, an NWB file in HDF5, or a folder in Zarr format 2.
    embeddings, predictions
        One row for each row of `table`; each label is predicted once.
    output
        Where to write; None, or another name of `path`, for the recording itself. A link is followed.
    overwrite
        Whether results of that name, and an existing `output`, may be replaced.
    name
        What to call the results; "neurid_" and the name of the encoder by default.
    table
        Path within the file of the Units or the PlaneSegmentation that the results are about. Of several, each gets
        the results on its own rows, called `<name>_<name of the table>`; those on the first come first.
    expected
        What the file was when it was read; if it is not that any more, nothing is written.
    sidecar
        Write a small file of its own, at `output` or beside the recording as `<recording>.neurid.nwb`. It lists the
        neurons by `unit_id`. Also, with a warning, where the recording has over 10 GB or is kept by git-annex, or where
        it links to another file for `table` or for the processing module: other files are never changed.
    units_columns
        Write the predictions into columns of `table` too.

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
    """
    options = WriteOptions(
        name=default_name(embeddings.provenance.encoder) if name is None else name,
        output=None if output is None else Path(output),
        overwrite=overwrite,
        sidecar=sidecar,
        units_columns=units_columns,
    )
    return write_results(Path(path), embeddings, predictions, options, table=table, expected=expected)


def write_results(
    path: Path,
    embeddings: Embeddings,
    predictions: Sequence[Predictions],
    options: WriteOptions,
    *,
    table: str | Sequence[str] = "units",
    expected: Fingerprint | None = None,
) -> Path:
    """Write results as `write` does, with what the user asks as one value; its `name` is set.

    Raises
    ------
    NeuridError
        As `write`.
    """
    places = _places(table)
    if expected is not None:
        expected.check(path)
    to = _target(path, places, options)
    fingerprint = expected or Fingerprint.of(path)
    with cannot_write(path), opened(path) as file:
        entries = entries_on(file, path, places, options.name, embeddings, predictions, columns=options.units_columns)
        for entry in () if to.way == "sidecar" else entries:
            entry.check_place(file, path, overwrite=options.overwrite)
    WRITERS[to.way](path, to, fingerprint, entries, options.overwrite)
    if to.why:
        warnings.warn(f"{to.why} The results are in {to.named}.", NeuridWarning, stacklevel=2)
    return to.named


def read(path: Path | str, name: str | None = None) -> list[Results]:
    """The results that a file holds, in the order of their names.

    Parameters
    ----------
    path
        An NWB file in HDF5, or a folder in Zarr format 2.
    name
        Which results; None for all.

    Raises
    ------
    SourceNotFound
        If there is no file.
    UnreadableSource
        If it cannot be read.
    NoResults
        If it holds no results, or none of that name.
    """
    path = Path(path)
    if not path.exists():
        raise SourceNotFound(f"{path} does not exist.")
    with unreadable(path), opened(path) as file:
        groups = existing.groups(file, linked=True)
        _check_there(groups, path, name)
        names = sorted(groups) if name is None else [name]
        loaded = {each: [thing for group in groups[each] for thing in existing.objects(group)] for each in names}
        return [Results(each, *tables.results(objects)) for each, objects in loaded.items()]


read_results = read  # among the public names, `read` reads a recording


def remove(path: Path | str, name: str, *, output: Path | str | None = None, overwrite: bool = False) -> Path:
    """Take results out of a file, and give back the room that they took.

    A copy without them takes the place of the file in one step. Whatever fails, the file stays as it was.

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
        If the file cannot be written; the message says why.
    """
    path = Path(path)
    options = WriteOptions(output=path if output is None else Path(output), overwrite=overwrite)
    to = _target(path, (), options)
    fingerprint = Fingerprint.of(path)
    with unreadable(path), opened(path) as file:
        _check_there(existing.groups(file, linked=True), path, name)
        if name not in existing.groups(file):
            raise CannotWrite(f"{name} is in another file, to which {path} links. Remove it there.")
    if path.is_dir():
        _remove_from_folder(path.resolve(), to, fingerprint, name)
        return to.named
    with (
        cannot_write(to.file),
        replacement(path.resolve(), to.file, fingerprint, fingerprint.size, copied=False) as copy,
        Overlay(path.resolve()) as overlay,
    ):
        with h5py.File(overlay, "r+") as file:
            _take_out(file, name)
        if not compact(overlay, copy):
            overlay.save(copy)
            warnings.warn(
                f"{to.named}: {name} was removed, but the room that it took cannot be given back.",
                NeuridWarning,
                stacklevel=2,
            )
    return to.named


def _remove_from_folder(path: Path, to: Destination, fingerprint: Fingerprint, name: str) -> None:
    way = in_folder(path, fingerprint, 0) if to.way == "in folder" else folder_copy(path, to.file, fingerprint, 0)
    with cannot_write(to.file), way as folder:
        _take_out(folder, name)


def _take_out(file: Group, name: str) -> None:
    groups = existing.groups(file)[name]
    for table in [table for group in groups if (table := existing.table(group)) is not None]:
        layout.drop_columns(table, unit_columns.own(table, name))
    layout.take_out(file, groups)


def _target(path: Path, places: Sequence[str], options: WriteOptions) -> Destination:
    """Where results on these tables go, once what a killed process left there is undone."""
    for each in filter(None, (path, options.output)):
        with cannot_write(each):
            recover_folder(each.resolve())
    to = destination(path, options, tables=[place for place in places if place])
    check_columns(to, options.units_columns)
    check_tables(to, path, places)
    return to


def _places(table: str | Sequence[str]) -> Sequence[str]:
    return [table] if isinstance(table, str) else table


def _check_there(groups: Mapping[str, list[Group]], path: Path, name: str | None) -> None:
    if not groups:
        beside = sidecar_of(path)
        hint = f" {beside} is its sidecar." if beside.exists() else ""
        raise NoResults(f"{path} holds no results of nwb-neurid.{hint}")
    if name is not None and name not in groups:
        raise NoResults(f"{path} holds no results called {name!r}, but {', '.join(sorted(groups))}.")
