"""The results of one name in an open file: whether they fit there, putting them in, and looking them over."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid.errors import CannotWrite, ResultsExist
from nwb_neurid.ndx import layout, stored, unit_columns
from nwb_neurid.ndx.objects import Column, NwbObject, same, same_column, same_values
from nwb_neurid.results import Predictions

ROOM_BYTES = 2**18  # for the specification, and whatever else is written once


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Entry:
    """Results as they are to stand in a file.

    Parameters
    ----------
    name
        What they are called.
    objects
        The model and the tables.
    unit_ids
        The neurons that they are about.
    table
        Path of the table of these neurons within the file.
    columns_of
        The predictions that are to be columns of that table too.
    """

    name: str
    objects: tuple[NwbObject, ...]
    unit_ids: Shaped[np.ndarray, " units"]
    table: str
    columns_of: Sequence[Predictions] = ()

    @property
    def size_bytes(self) -> int:
        """About how much room it takes in a file."""
        twice = 2 if self.columns_of else 1  # what becomes a column stands in a table already
        return ROOM_BYTES + twice * sum(found.size_bytes for found in self.objects)

    def check_rows(self, file: h5py.File, path: Path) -> None:
        """Refuse a file whose table has other neurons.

        Raises
        ------
        CannotWrite
            If it has.
        """
        table = table_in(file, path, self.table)
        ids, advice = (
            stored.unit_ids(table),
            "They belong to another recording, or this one was edited: embed it again.",
        )
        if len(ids) != len(self.unit_ids):
            raise CannotWrite(
                f"{path} has {len(ids)} rows in {table.name}, the results have {len(self.unit_ids)}. {advice}"
            )
        if not same_values(ids, self.unit_ids):
            pairs = zip(ids.tolist(), self.unit_ids.tolist(), strict=True)
            row, (there, here) = next((row, pair) for row, pair in enumerate(pairs) if pair[0] != pair[1])
            raise CannotWrite(
                f"{path} has other units in {table.name} than the results: the id in row {row} is {there!r} there and "
                f"{here!r} in the results. {advice}"
            )

    def check_place(self, file: h5py.File, path: Path, *, overwrite: bool) -> None:
        """Refuse a file where something else has these names.

        Raises
        ------
        ResultsExist
            If it is results of this name, and they may not be replaced.
        CannotWrite
            If it is anything else.
        """
        check_names(file, path, self.name, [found.name for found in self.objects], overwrite)
        table = table_in(file, path, self.table)
        old = unit_columns.own(table, self.name)
        wanted = unit_columns.columns(table, self.name, self.columns_of, without=old)
        if taken := [column.name for column in wanted if column.name in set(table) - set(old)]:
            raise CannotWrite(
                f"{path} holds other columns called {', '.join(taken)} in {table.name}, which are not replaced. Choose "
                "another name (--name)."
            )

    def put(self, file: h5py.File) -> None:
        """Write it, in place of results of the same name."""
        for group in stored.groups(file).get(self.name, []):
            if (old := stored.table(group)) is not None:
                layout.drop_columns(old, unit_columns.own(old, self.name))
            del file[str(group.name)]
        table = file[self.table]
        columns = unit_columns.columns(table, self.name, self.columns_of)
        layout.append(file, self.objects, table)
        layout.add_columns(table, columns)

    def faults(self, file: h5py.File) -> list[str]:
        """What reads back otherwise than it was put, or does not refer to the table."""
        groups = stored.groups(file).get(self.name, [])
        found = {thing.name: thing for group in groups for thing in stored.objects(group)}
        wrong = [thing.name for thing in self.objects if thing.name not in found or not same(thing, found[thing.name])]
        table = file[self.table]
        wrong += [str(group.name) for group in groups if stored.table(group) not in (None, table)]
        own = unit_columns.own(table, self.name)
        wanted = unit_columns.columns(table, self.name, self.columns_of, without=own)
        return wrong + [column.name for column in wanted if not _holds(table, column)]


def table_in(file: h5py.File, path: Path, table: str) -> h5py.Group:
    """The table of neurons.

    Raises
    ------
    CannotWrite
        If it is none.
    """
    found = file.get(table)
    if not isinstance(found, h5py.Group) or "id" not in found:
        raise CannotWrite(f"{path} has no table {table!r} that results could refer to.")
    return found


def check_names(file: h5py.File, path: Path, name: str, names: Sequence[str], overwrite: bool) -> None:
    """Results of that name are not there, or may go; and nothing else has the names of their objects.

    Raises
    ------
    ResultsExist, CannotWrite
        Otherwise.
    """
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


def _holds(table: h5py.Group, column: Column) -> bool:
    return column.name in stored.column_names(table) and same_column(stored.column(table, column.name), column)
