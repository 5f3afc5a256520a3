"""Results in NWB files: written so that the recording is never in danger, and read again."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py

from nwb_neurid.errors import CannotWrite, NeuridError, NoResults, ResultsExist, SourceNotFound, UnreadableSource
from nwb_neurid.ndx import layout, stored, tables
from nwb_neurid.ndx.objects import EMBEDDINGS, MODEL, NwbObject, object_name, same, same_values
from nwb_neurid.ndx.replacement import Fingerprint as Fingerprint
from nwb_neurid.ndx.replacement import check_room, replacement
from nwb_neurid.results import Embeddings, Predictions

FAILURES = (OSError, RuntimeError, KeyError, ValueError)  # what h5py raises, whatever goes wrong
ROOM_BYTES = 2**18  # for the specification, and whatever else is written once


class Results(NamedTuple):
    """What one model found in a recording: its name in the file, a vector per unit, a prediction per label."""

    name: str
    embeddings: Embeddings
    predictions: list[Predictions]


def default_name(encoder: str) -> str:
    """What the results of an encoder are called unless the user names them."""
    return f"neurid_{encoder}"


def check_writable(path: Path, *, name: str, output: Path | None = None, overwrite: bool = False) -> None:
    """Raise now what `write` would raise later, as far as it can be known without the results.

    Parameters
    ----------
    path, name, output, overwrite
        As for `write`.

    Raises
    ------
    NeuridError
        As `write`.
    """
    names = [object_name(name, kind) for kind in (MODEL, EMBEDDINGS)]
    target = _target(path, output, overwrite)
    with _cannot_write(path), h5py.File(path, "r") as file:
        _check_names(file, path, name, names, overwrite)
    with _cannot_write(target):
        check_room(path, target)


def write(
    path: Path | str,
    embeddings: Embeddings,
    predictions: Sequence[Predictions] = (),
    *,
    output: Path | str | None = None,
    overwrite: bool = False,
    name: str | None = None,
    table: str = "units",
    expected: Fingerprint | None = None,
) -> Path:
    """Write results beside the data that they were computed from.

    A verified copy takes the place of the file in one step. Whatever fails, the file stays as it was.

    Parameters
    ----------
    path
        The recording, an NWB file in HDF5.
    embeddings, predictions
        One row for each row of `table`; each label is predicted once.
    output
        Where to write; None, or another name of `path`, for the recording itself. A link is followed.
    overwrite
        Whether results of that name, and an existing `output`, may be replaced.
    name
        What to call the results; "neurid_" and the name of the encoder by default.
    table
        Path within the file of the Units or the PlaneSegmentation that the results are about.
    expected
        What the file was when it was read; if it is not that any more, nothing is written.

    Returns
    -------
    Path
        Where the results are.

    Raises
    ------
    InvalidResults, InvalidOption
        If the results cannot be stored, or not under that name.
    SourceNotFound
        If there is no file.
    SourceChanged
        If the file changed or vanished since it was read.
    ResultsExist
        If results of that name are there already.
    CannotWrite
        If the results do not fit the table, or the file cannot be written; the message says why.
    """
    path, output = Path(path), None if output is None else Path(output)
    name = default_name(embeddings.provenance.encoder) if name is None else name
    objects = tables.described(name, embeddings, predictions)
    if expected is not None:
        expected.check(path)
    fingerprint = expected or Fingerprint.of(path)
    target = _target(path, output, overwrite)
    with _cannot_write(path), h5py.File(path, "r") as file:
        _check_names(file, path, name, [found.name for found in objects], overwrite)
        _check_rows(_table(file, path, table), path, embeddings)
    room_bytes = ROOM_BYTES + sum(found.size_bytes for found in objects)
    with _cannot_write(target), replacement(path.resolve(), target, fingerprint, room_bytes) as copy:
        with h5py.File(copy, "r+") as file:
            for group in stored.groups(file).get(name, []):
                del file[str(group.name)]
            layout.append(file, objects, _table(file, path, table))
        _verify(copy, target, name, objects, table)
    return path if output is None else output


def read(path: Path | str, name: str | None = None) -> list[Results]:
    """The results that a file holds, in the order of their names.

    Parameters
    ----------
    path
        An NWB file in HDF5.
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
    with _unreadable(path), h5py.File(path, "r") as file:
        groups = stored.groups(file)
        names = sorted(groups) if name is None else [name]
        if not groups:
            raise NoResults(f"{path} holds no results of nwb-neurid.")
        if unknown := set(names) - groups.keys():
            raise NoResults(f"{path} holds no results called {unknown.pop()!r}, but {', '.join(sorted(groups))}.")
        loaded = {each: [thing for group in groups[each] for thing in stored.objects(group)] for each in names}
        return [Results(each, *tables.results(objects)) for each, objects in loaded.items()]


read_results = read  # among the public names, `read` reads a recording


def _target(path: Path, output: Path | None, overwrite: bool) -> Path:
    """The file that is to be written, links followed, if it may be."""
    if not path.is_file():
        raise SourceNotFound(f"{path} does not exist." if not path.exists() else f"{path} is a folder, not a file.")
    in_place = output is None or (output.exists() and output.samefile(path))
    named = path if output is None else output
    target = path.resolve() if in_place else named.resolve()
    advice = "Write the results elsewhere (--output)." if in_place else "Choose another --output."
    if target.is_dir():
        raise CannotWrite(f"{named} is a folder. {advice}")
    if not target.parent.is_dir():
        raise CannotWrite(f"{named} cannot be written: the folder {target.parent} does not exist. {advice}")
    if target.exists() and not in_place and not overwrite:
        raise CannotWrite(f"{named} exists. Replace it (--overwrite), or choose another --output.")
    if target.exists() and _is_read_only(target):
        raise CannotWrite(f"{named} is read-only. {advice}")
    if _is_read_only(target.parent):
        raise CannotWrite(f"{named} cannot be written: the folder {target.parent} is read-only. {advice}")
    return target


def _is_read_only(path: Path) -> bool:
    """By its mode too: to root everything seems writable."""
    return not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK)


def _table(file: h5py.File, path: Path, table: str) -> h5py.Group:
    found = file.get(table)
    if not isinstance(found, h5py.Group) or "id" not in found:
        raise CannotWrite(f"{path} has no table {table!r} that results could refer to.")
    return found


def _check_names(file: h5py.File, path: Path, name: str, names: Sequence[str], overwrite: bool) -> None:
    """Results of that name are not there, or may go; and nothing else has the names of their objects."""
    ours = [str(group.name) for group in stored.groups(file).get(name, [])]
    if ours and not overwrite:
        raise ResultsExist(
            f"{path} holds results called {name!r} already. Replace them (--overwrite), or choose another name "
            "(--name)."
        )
    places = [f"/processing/{module}/{each}" for module in layout.MODULES for each in names]
    if taken := [place for place in places if place in file and place not in ours]:
        raise CannotWrite(
            f"{path} holds something else at {', '.join(taken)}, which is not replaced. Choose another name (--name)."
        )


def _check_rows(table: h5py.Group, path: Path, embeddings: Embeddings) -> None:
    ids, advice = stored.unit_ids(table), "They belong to another recording, or this one was edited: embed it again."
    if len(ids) != len(embeddings):
        raise CannotWrite(f"{path} has {len(ids)} rows in {table.name}, the results have {len(embeddings)}. {advice}")
    if not same_values(ids, embeddings.unit_ids):
        pairs = zip(ids.tolist(), embeddings.unit_ids.tolist(), strict=True)
        row, (there, here) = next((row, pair) for row, pair in enumerate(pairs) if pair[0] != pair[1])
        raise CannotWrite(
            f"{path} has other units in {table.name} than the results: the id in row {row} is {there!r} there and "
            f"{here!r} in the results. {advice}"
        )


def _verify(copy: Path, target: Path, name: str, objects: Sequence[NwbObject], table: str) -> None:
    """What was written reads back as it was, and refers to the table."""
    with h5py.File(copy, "r") as file:
        groups = stored.groups(file).get(name, [])
        found = {thing.name: thing for group in groups for thing in stored.objects(group)}
        wrong = [thing.name for thing in objects if thing.name not in found or not same(thing, found[thing.name])]
        wrong += [str(group.name) for group in groups if stored.table(group) not in (None, file[table])]
    if wrong:
        raise CannotWrite(
            f"{target} was not changed: what was written to its copy reads back otherwise ({', '.join(wrong)})."
        )


@contextmanager
def _cannot_write(path: Path) -> Iterator[None]:
    """Faults of the file system and of HDF5 are faults in what we were given."""
    try:
        yield
    except NeuridError:
        raise
    except FAILURES as error:
        raise CannotWrite(f"Nothing was written to {path}: {_reason(error)}.") from error


@contextmanager
def _unreadable(path: Path) -> Iterator[None]:
    try:
        yield
    except NeuridError:
        raise
    except FAILURES as error:
        raise UnreadableSource(f"The results in {path} cannot be read: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    """In the words of someone who does not know HDF5, where we have them."""
    said = str(error)
    if isinstance(error, BlockingIOError) or "already open" in said:
        return "it is open for writing in another program; close it there"
    known = {"signature not found": "it is not an HDF5 file", "truncated file": "it is truncated"}
    return next((ours for theirs, ours in known.items() if theirs in said), getattr(error, "strerror", None) or said)
