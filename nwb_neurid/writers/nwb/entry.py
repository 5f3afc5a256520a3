"""Results with one name in an open file: check whether they can be written, write them, and verify them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.errors import CannotWrite, NeuridError
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.results import Embeddings, Predictions, select
from nwb_neurid.writers.nwb import existing, layout, tables, unit_columns
from nwb_neurid.writers.nwb.links import find_own_group
from nwb_neurid.writers.nwb.objects import (
    MODEL,
    PREDICTIONS,
    Column,
    NwbObject,
    are_same,
    are_same_columns,
    are_same_values,
)
from nwb_neurid.writers.nwb.own import check_names, find_own_results, find_own_table, remove_objects, wrap_group

UNFIT = re.compile(r"[^\w.-]")  # characters that are not allowed in the name of an object
ROUNDING = 1e-3  # tolerance for vectors that were recomputed on another machine
ROOM_BYTES = 2**18  # for the specification and other content that is written only once


class Results(NamedTuple):
    """The results of one model for a recording: their name, the vectors of the units, and the predictions."""

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
        """Estimate the disk space of the results in a file."""
        twice = 2 if self.columns_of else 1  # a prediction that becomes a column is also stored in a table
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
                f"{path}: the vectors of {self.name} have changed. Predictions of {', '.join(sorted(lost))} were made "
                "from the old vectors and are removed with them."
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
        remove_objects(file, self.name, but=self._sort_others(file)[0])
        table = file[self.table]
        columns = unit_columns.make_columns(table, self.name, self.columns_of, self.labels)
        layout.write_objects(file, self.objects, table)
        layout.add_columns(table, columns)

    def _sort_others(self, file: h5py.File) -> tuple[set[str], set[str]]:
        """List labels that only existing results of this name predict: those that are kept and those that are removed.

        Predictions are kept if the vectors are unchanged. They would be wrong for other vectors.
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
    """Return the name of the results `name` on each of these tables.

    If there are several tables, the name of the table is added.

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
    results: Sequence[Results],
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
    results
        The results for the rows of all tables. All results except the first replace existing results of the same
        names.
    columns
        Whether predictions are also written as columns of the tables.
    overwrite
        Whether existing results with the name of the first results may be replaced.
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
    entries = []
    for each in results:
        is_first = each is results[0]
        if len(places) > 1:
            tables.describe_results(*each)  # finds faults of the results as a whole
        for place, called, count, end in zip(places, name_on_tables(places, each.name), counts, ends, strict=True):
            rows = slice(end - count, None if place is places[-1] else end)  # also surplus rows, to report them
            part, predicted = select(each.embeddings, rows), [select(one, rows) for one in each.predictions]
            entry = Entry(
                name=called,
                objects=tables.describe_results(called, part, predicted),
                unit_ids=part.unit_ids,
                table=place,
                columns_of=predicted if columns else (),
                labels={label: values[rows] for label, values in (labels or {}).items() if is_first},
                overwrite=overwrite or not is_first,
            )
            entry.check_rows(file)
            entries.append(entry)
    return entries


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


def _read_all(file: h5py.File, name: str) -> list[NwbObject]:
    """Read the results of a name that are in the file itself. Damaged results are left out."""
    return [thing for group in find_own_results(file).get(name, []) for thing in _read_back(group)]


def _list_labels(objects: Sequence[NwbObject]) -> set[str]:
    return {str(thing.attributes.get("label_name")) for thing in objects if thing.neurodata_type == PREDICTIONS}


def _are_of_same_vectors(there: Sequence[NwbObject], objects: Sequence[NwbObject]) -> bool:
    """Return whether two results contain the same vectors of the same model, except for rounding."""
    models = [[_name_model(part) for part in each if part.neurodata_type == MODEL] for each in (there, objects)]
    vectors = [
        [column.values for part in each for column in part.columns if column.name == "embedding"]
        for each in (there, objects)
    ]
    if models[0] != models[1] or [len(each) for each in vectors] != [1, 1]:
        return False
    old, new = vectors[0][0], vectors[1][0]
    if old.shape != new.shape or old.dtype.kind not in "biuf":  # existing results may be damaged
        return False
    return bool(np.allclose(old, new, rtol=ROUNDING, atol=ROUNDING, equal_nan=True))


def _name_model(model: NwbObject) -> tuple[object, ...]:
    """Return the attributes that identify a model."""
    return tuple(model.attributes.get(name) for name in ("encoder", "encoder_version", "config", "weights_sha256"))


def _read_back(group: h5py.Group) -> Sequence[NwbObject]:
    """Read the objects in a group that was just written. Return () if the group cannot be read."""
    try:
        return existing.read_objects(wrap_group(group))
    except NeuridError:
        return ()


def _holds(table: h5py.Group, column: Column) -> bool:
    if column.name not in layout.list_columns(table):
        return False
    return are_same_columns(existing.read_column(wrap_group(table), column.name), column)
