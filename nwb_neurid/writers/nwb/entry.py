"""The results of one name in an open file: whether they fit there, putting them in, and looking them over."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.errors import CannotWrite, ResultsExist
from nwb_neurid.results import Embeddings, Predictions, select
from nwb_neurid.writers.nwb import existing, layout, tables, unit_columns
from nwb_neurid.writers.nwb.links import own_group
from nwb_neurid.writers.nwb.objects import Column, NwbObject, same, same_column, same_values
from nwb_neurid.writers.nwb.opening import Group

UNFIT = re.compile(r"[^\w.-]")  # for the name of an object
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

    def check_rows(self, file: Group, path: Path) -> None:
        """Refuse a file whose table has other neurons.

        Raises
        ------
        CannotWrite
            If it has.
        """
        table = table_in(file, path, self.table)
        ids, advice = (
            existing.unit_ids(table),
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

    def check_place(self, file: Group, path: Path, *, overwrite: bool) -> None:
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

    def put(self, file: Group) -> None:
        """Write it, in place of results of the same name."""
        for group in existing.groups(file).get(self.name, []):
            if (old := existing.table(group)) is not None:
                layout.drop_columns(old, unit_columns.own(old, self.name))
            del file[str(group.name)]
        table = own_group(file, self.table)
        if table is None:
            raise CannotWrite(f"Results cannot refer to {self.table}: it is in another file, to which this one links.")
        columns = unit_columns.columns(table, self.name, self.columns_of)
        layout.append(file, self.objects, table)
        layout.add_columns(table, columns)

    def faults(self, file: Group) -> list[str]:
        """What reads back otherwise than it was put, or does not refer to the table."""
        groups = existing.groups(file).get(self.name, [])
        found = {thing.name: thing for group in groups for thing in existing.objects(group)}
        wrong = [thing.name for thing in self.objects if thing.name not in found or not same(thing, found[thing.name])]
        table = file[self.table]
        wrong += [str(group.name) for group in groups if existing.table(group) not in (None, table)]
        own = unit_columns.own(table, self.name)
        wanted = unit_columns.columns(table, self.name, self.columns_of, without=own)
        return wrong + [column.name for column in wanted if not _holds(table, column)]


def names_on(places: Sequence[str], name: str) -> list[str]:
    """What the results `name` are called on each of these tables: where there are several, the table's name is added.

    Parameters
    ----------
    places
        Paths of the tables within the file.
    name
        What the results are called.
    """
    if len(places) == 1:
        return [name]
    for told in ([place.rpartition("/")[2] for place in places], [place.strip("/") for place in places]):
        names = [f"{name}_{UNFIT.sub('_', each)}" for each in told]
        if len(set(names)) == len(names):
            break
    return names


def entries_on(
    file: Group,
    path: Path,
    places: Sequence[str],
    name: str,
    embeddings: Embeddings,
    predictions: Sequence[Predictions],
    *,
    columns: bool,
) -> list[Entry]:
    """The results on each of these tables: rows of the first come first.

    Parameters
    ----------
    file, path
        The recording, open, and where it lies.
    places
        Paths of the tables within the file.
    name, embeddings, predictions
        The results on all of them.
    columns
        Whether predictions are to be columns of the tables too.

    Raises
    ------
    CannotWrite
        If there is no such table, or the rows are not those of the results.
    InvalidResults, InvalidOption
        As `nwb_neurid.writers.nwb.tables.described`.
    """
    counts = [len(existing.unit_ids(table_in(file, path, place))) for place in places]
    ends = np.cumsum(counts).tolist()
    if len(places) > 1:
        tables.described(name, embeddings, predictions)  # what is wrong with them as a whole
    entries = []
    for place, called, count, end in zip(places, names_on(places, name), counts, ends, strict=True):
        rows = slice(end - count, None if place is places[-1] else end)  # rows that are too many are told by the last
        part, predicted = select(embeddings, rows), [select(each, rows) for each in predictions]
        entry = Entry(
            name=called,
            objects=tables.described(called, part, predicted),
            unit_ids=part.unit_ids,
            table=place,
            columns_of=predicted if columns else (),
        )
        entry.check_rows(file, path)
        entries.append(entry)
    return entries


def table_in(file: Group, path: Path, table: str) -> Group:
    """The table of neurons.

    Raises
    ------
    CannotWrite
        If it is none.
    """
    found = file.get(table)
    if not isinstance(found, Group) or "id" not in found:
        raise CannotWrite(f"{path} has no table {table!r} that results could refer to.")
    return found


def check_names(file: Group, path: Path, name: str, names: Sequence[str], overwrite: bool) -> None:
    """Results of that name are not there, or may go; and nothing else has the names of their objects.

    Raises
    ------
    ResultsExist, CannotWrite
        Otherwise.
    """
    ours = [str(group.name) for group in existing.groups(file).get(name, [])]
    if ours and not overwrite:
        raise ResultsExist(
            f"{path} holds results called {name!r} already. Replace them (--overwrite), or choose another name "
            "(--name)."
        )
    modules = {path: own_group(file, path) for path in (f"/processing/{module}" for module in layout.MODULES)}
    there = [f"{path}/{each}" for path, module in modules.items() for each in names if each in (module or ())]
    if taken := [place for place in there if place not in ours]:
        raise CannotWrite(
            f"{path} holds something else at {', '.join(taken)}, which is not replaced. Choose another name (--name)."
        )


def _holds(table: Group, column: Column) -> bool:
    return column.name in existing.column_names(table) and same_column(existing.column(table, column.name), column)
