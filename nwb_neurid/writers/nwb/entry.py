"""Results of one name in an open file: check whether they can be written, write them, and verify them."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid.errors import CannotWrite, NeuridError, ResultsExist
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.hdf5 import H5PY_ERRORS, Hdf5Group
from nwb_neurid.readers.warning import warn
from nwb_neurid.results import Embeddings, Predictions, select
from nwb_neurid.writers.nwb import existing, layout, tables, unit_columns
from nwb_neurid.writers.nwb.links import find_own, find_own_group
from nwb_neurid.writers.nwb.objects import (
    MODEL,
    PREDICTIONS,
    Column,
    NwbObject,
    are_same,
    are_same_columns,
    are_same_values,
    name_object,
)

UNFIT = re.compile(r"[^\w.-]")  # for the name of an object
ROUNDING = 1e-3  # of vectors that were computed again, on another machine
ROOM_BYTES = 2**18  # for the specification, and whatever else is written once


class Results(NamedTuple):
    """The results of one model for a recording: their name in the file, a vector per unit, a prediction per label."""

    name: str
    embeddings: Embeddings
    predictions: list[Predictions]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Entry:
    """Results in the form in which they are written into a file.

    Parameters
    ----------
    name
        Name of the results.
    objects
        The model and the tables.
    unit_ids
        Ids of the neurons to which they belong.
    table
        Path of the table of these neurons within the file.
    columns_of
        The predictions that are also written as columns of that table.
    labels
        Labels of the user that are written as columns of that table, by their names.
    overwrite
        Whether results of the same name may be replaced.
    """

    name: str
    objects: tuple[NwbObject, ...]
    unit_ids: Shaped[np.ndarray, " units"]
    table: str
    columns_of: Sequence[Predictions] = ()
    labels: unit_columns.Labels = field(default_factory=dict)
    overwrite: bool = False

    @property
    def size_bytes(self) -> int:
        """Approximate disk space of the results in a file."""
        twice = 2 if self.columns_of else 1  # what becomes a column stands in a table already
        return ROOM_BYTES + twice * sum(found.size_bytes for found in self.objects)

    def check_rows(self, file: Group) -> None:
        """Refuse a file whose table has other neurons.

        Raises
        ------
        CannotWrite
            If the neurons differ.
        """
        table = find_table(file, self.table)
        ids = existing.read_ids(table)
        advice = "They belong to another recording, or this one was edited: embed it again."
        if len(ids) != len(self.unit_ids):
            raise CannotWrite(
                f"{file.file} has {len(ids)} rows in {table.path}, the results have {len(self.unit_ids)}. {advice}"
            )
        if not are_same_values(ids, self.unit_ids):
            pairs = zip(ids.tolist(), self.unit_ids.tolist(), strict=True)
            row, (there, here) = next((row, pair) for row, pair in enumerate(pairs) if pair[0] != pair[1])
            raise CannotWrite(
                f"{file.file} has other units in {table.path} than the results: the id in row {row} is {there!r} there "
                f"and {here!r} in the results. {advice}"
            )

    def check_place(self, file: h5py.File, path: Path) -> None:
        """Refuse a file in which these names are already used.

        Raises
        ------
        ResultsExist
            If there are results of this name, and they must not be replaced.
        CannotWrite
            If other objects have these names.
        """
        check_names(file, path, self.name, [found.name for found in self.objects], self.overwrite)
        if lost := self._sort_others(file)[1]:
            warn(
                f"{path}: the vectors of {self.name} were others before. Predictions of {', '.join(sorted(lost))} were "
                "made from those and are removed with them."
            )
        table = find_own_group(file, self.table)
        if table is None:
            raise CannotWrite(f"Results cannot refer to {self.table}: it is in another file, to which {path} links.")
        old = unit_columns.list_own(table, self.name)
        wanted = unit_columns.make_columns(table, self.name, self.columns_of, self.labels, without=old)
        if taken := [column.name for column in wanted if column.name in set(table) - set(old)]:
            raise CannotWrite(
                f"{path} already has other columns called {', '.join(taken)} in {table.name}, which are not "
                "replaced. Choose "
                "another name (--name)."
            )

    def put(self, file: h5py.File) -> None:
        """Write the results, and replace results of the same name."""
        _remove_objects(file, self.name, but=self._sort_others(file)[0])
        table = find_own_group(file, self.table)
        if table is None:
            raise CannotWrite(f"Results cannot refer to {self.table}: it is in another file, to which this one links.")
        columns = unit_columns.make_columns(table, self.name, self.columns_of, self.labels)
        layout.write_objects(file, self.objects, table)
        layout.add_columns(table, columns)

    def _sort_others(self, file: h5py.File) -> tuple[set[str], set[str]]:
        """Labels that results of this name predict and these do not: those that stay, as their vectors do, and others.

        Predictions are of the vectors that they were made from: of others, they would be wrong.
        """
        there = _read_all(file, self.name)
        others = _list_labels(there) - _list_labels(self.objects)
        return (others, set()) if others and _are_of_same_vectors(there, self.objects) else (set(), others)

    def list_faults(self, file: h5py.File) -> list[str]:
        """List the parts that differ when they are read back, or that do not refer to the table."""
        groups = find_own_results(file).get(self.name, [])
        found = {thing.name: thing for group in groups for thing in _read_back(group)}
        wrong = [
            thing.name for thing in self.objects if thing.name not in found or not are_same(thing, found[thing.name])
        ]
        table = file[self.table]
        wrong += [str(group.name) for group in groups if find_own_table(group) not in (None, table)]
        own = unit_columns.list_own(table, self.name)
        wanted = unit_columns.make_columns(table, self.name, self.columns_of, self.labels, without=own)
        return wrong + [column.name for column in wanted if not _holds(table, column)]


def name_on_tables(places: Sequence[str], name: str) -> list[str]:
    """Names of the results `name` on each of these tables. If there are several, the name of the table is added.

    Parameters
    ----------
    places
        Paths of the tables within the file.
    name
        Name of the results.
    """
    if len(places) == 1:
        return [name]
    for ends in ([place.rpartition("/")[2] for place in places], [place.strip("/") for place in places]):
        names = [f"{name}_{UNFIT.sub('_', each)}" for each in ends]
        if len(set(names)) == len(names):
            break
    return names


def make_entries(
    file: Group,
    places: Sequence[str],
    name: str,
    embeddings: Embeddings,
    predictions: Sequence[Predictions],
    *,
    columns: bool,
    overwrite: bool,
    labels: unit_columns.Labels | None = None,
) -> list[Entry]:
    """Make the entries for each of these tables. Rows of the first table come first.

    Parameters
    ----------
    file
        The root of the recording.
    places
        Paths of the tables within the file.
    name, embeddings, predictions
        The results for the rows of all tables.
    columns
        Whether predictions are also written as columns of the tables.
    overwrite
        Whether results of the same name may be replaced.
    labels
        Labels of the user that are written as columns of the tables, by their names.

    Raises
    ------
    CannotWrite
        If there is no such table, or its rows do not match the results.
    InvalidResults, InvalidOption
        As for `nwb_neurid.writers.nwb.tables.describe_results`.
    """
    counts = [len(existing.read_ids(find_table(file, place))) for place in places]
    ends = np.cumsum(counts).tolist()
    if len(places) > 1:
        tables.describe_results(name, embeddings, predictions)  # what is wrong with them as a whole
    entries = []
    for place, called, count, end in zip(places, name_on_tables(places, name), counts, ends, strict=True):
        rows = slice(end - count, None if place is places[-1] else end)  # the last reports rows that are too many
        part, predicted = select(embeddings, rows), [select(each, rows) for each in predictions]
        entry = Entry(
            name=called,
            objects=tables.describe_results(called, part, predicted),
            unit_ids=part.unit_ids,
            table=place,
            columns_of=predicted if columns else (),
            labels={label: values[rows] for label, values in (labels or {}).items()},
            overwrite=overwrite,
        )
        entry.check_rows(file)
        entries.append(entry)
    return entries


def make_all_entries(
    file: Group,
    places: Sequence[str],
    main: Results,
    beside: Sequence[Results],
    *,
    columns: bool,
    overwrite: bool,
    labels: unit_columns.Labels | None = None,
) -> list[Entry]:
    """Make the entries for results and those in `beside`, which replace existing results of the same names."""
    return [
        entry
        for each in (main, *beside)
        for entry in make_entries(
            file,
            places,
            *each,
            columns=columns,
            overwrite=overwrite or each is not main,
            labels=labels if each is main else None,
        )
    ]


def find_table(file: Group, table: str) -> Group:
    """Find the table of neurons.

    Raises
    ------
    CannotWrite
        If the object is not a table of neurons.
    """
    found = file.group(table.strip("/"))
    if found is None or found.dataset("id") is None:
        raise CannotWrite(f"{file.file} has no table {table!r} that results could refer to.")
    return found


def find_own_results(file: h5py.File) -> dict[str, list[h5py.Group]]:
    """Find the paths of the objects of all results that are in the file itself, by the name of the results."""
    found: dict[str, list[h5py.Group]] = {}
    for module in _list_own_groups(find_own_group(file, "processing")):
        for group in _list_own_groups(module):
            if name := existing.name_results(_wrap(group)):
                found.setdefault(name, []).append(group)
    return found


def check_names(file: h5py.File, path: Path, name: str, names: Sequence[str], overwrite: bool) -> None:
    """Check that there are no results of that name, or that they may be replaced, and that object names are free.

    Raises
    ------
    ResultsExist, CannotWrite
        If this is not the case.
    """
    ours = [str(group.name) for group in find_own_results(file).get(name, [])]
    if ours and not overwrite:
        raise ResultsExist(
            f"{path} holds results called {name!r} already. Replace them (--overwrite), or choose another name "
            "(--name)."
        )
    modules = {place: find_own_group(file, place) for place in (f"/processing/{module}" for module in layout.MODULES)}
    there = [f"{place}/{each}" for place, module in modules.items() for each in names if each in (module or ())]
    if taken := [place for place in there if place not in ours]:
        raise CannotWrite(
            f"{path} has other objects at {', '.join(taken)}, which are not replaced. Choose another name (--name)."
        )


def remove_results(file: h5py.File, name: str) -> None:
    """Remove results from a file, together with objects that were written only for them.

    Parameters
    ----------
    file
        The file, open for writing.
    name
        Name of the results.
    """
    traces = layout.list_traces(file, {str(group.name) for group in find_own_results(file).get(name, [])})
    _remove_objects(file, name)
    for place in traces:
        del file[place]


def list_columns(file: h5py.File, name: str, *, but: Collection[str] = ()) -> dict[str, list[str]]:
    """List the columns with predictions of these results, except some labels, by the paths of their tables."""
    groups = find_own_results(file).get(name, [])
    tables = {str(table.name): table for group in groups if (table := find_own_table(group)) is not None}
    return {place: unit_columns.list_own(table, name, but=but) for place, table in tables.items()}


def _remove_objects(file: h5py.File, name: str, *, but: Collection[str] = ()) -> None:
    """Remove the objects of results, and their columns of the units, but for predictions of some labels."""
    for place, columns in list_columns(file, name, but=but).items():
        layout.drop_columns(file[place], columns)
    kept = {name_object(name, PREDICTIONS, label) for label in but}
    for place in [str(group.name) for group in find_own_results(file).get(name, [])]:
        if place.rpartition("/")[2] not in kept:
            del file[place]


def _read_all(file: h5py.File, name: str) -> list[NwbObject]:
    """The results of a name that are in the file itself, as far as they can be read."""
    return [thing for group in find_own_results(file).get(name, []) for thing in _read_back(group)]


def _list_labels(objects: Sequence[NwbObject]) -> set[str]:
    return {str(thing.attributes.get("label_name")) for thing in objects if thing.neurodata_type == PREDICTIONS}


def _are_of_same_vectors(there: Sequence[NwbObject], objects: Sequence[NwbObject]) -> bool:
    """Whether the same model gave the same vectors, but for rounding."""
    models = [[_name_model(part) for part in each if part.neurodata_type == MODEL] for each in (there, objects)]
    vectors = [
        [column.values for part in each for column in part.columns if column.name == "embedding"]
        for each in (there, objects)
    ]
    if models[0] != models[1] or [len(each) for each in vectors] != [1, 1]:
        return False
    old, new = vectors[0][0], vectors[1][0]
    if old.shape != new.shape or old.dtype.kind not in "biuf":  # what is there may be damaged
        return False
    return bool(np.allclose(old, new, rtol=ROUNDING, atol=ROUNDING, equal_nan=True))


def _name_model(model: NwbObject) -> tuple[object, ...]:
    """What tells one model from another."""
    return tuple(model.attributes.get(name) for name in ("encoder", "encoder_version", "config", "weights_sha256"))


def _list_own_groups(parent: h5py.Group | None) -> list[h5py.Group]:
    children = [] if parent is None else [find_own_group(parent, name) for name in parent]
    return [child for child in children if child is not None]


def find_own_table(group: h5py.Group) -> h5py.Group | None:
    """The table of the file to which the rows of our table refer; None for a model, or if the reference is damaged."""
    neuron = find_own(group, "neuron")
    try:
        reference = None if neuron is None else neuron.attrs.get("table")
        found = group.file[reference] if isinstance(reference, h5py.Reference) and reference else None
    except H5PY_ERRORS:
        return None
    return found if isinstance(found, h5py.Group) else None


def _read_back(group: h5py.Group) -> Sequence[NwbObject]:
    """What lies in a group that was just written; nothing if it cannot be read."""
    try:
        return existing.read_objects(_wrap(group))
    except NeuridError:
        return ()


def _holds(table: h5py.Group, column: Column) -> bool:
    if column.name not in layout.list_columns(table):
        return False
    return are_same_columns(existing.read_column(_wrap(table), column.name), column)


def _wrap(group: h5py.Group) -> Group:
    """A group as the reader of NWB files has it."""
    path = str(group.name)
    return Group(Hdf5Group(group, str(group.file.filename), "" if path == "/" else path))
