"""Labels of units from a table that the user gives, in addition to the labels in the recording."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nwb_neurid._system.files import read_rows
from nwb_neurid._system.text import join_some
from nwb_neurid._system.warning import warn
from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population
from nwb_neurid.readers.labels import find_labels
from nwb_neurid.vocabulary import ALIASES, is_unknown

IDS = ("unit_id", "cluster_id", "id")
ROW = "row"
SOURCE = "source"
WHAT = "The table of labels"


def add_labels(population: Population, path: Path, source: str, others: Collection[str] = ()) -> Population:
    """Add the labels of a table to the units. A label in the table takes precedence over a label in the recording.

    Parameters
    ----------
    population
        The recording.
    path
        A csv or tsv file. A unit is identified by its id (`unit_id`, `cluster_id` or `id`) or by its row, counted from
        0 (`row`). If there is a column `source`, only rows that give the path or the file name of the recording are
        used. Every other column is a label.
    source
        Path of the recording, for the column `source` and for messages.
    others
        Paths of other recordings. Rows that give one of these paths belong to that recording, even if this recording
        has the same file name.

    Raises
    ------
    InvalidOption
        If the table cannot be read, has no such columns, lists a unit twice, or lists a unit that does not exist.
    """
    header, lines = read_table(path, WHAT)
    labels = [name for name in header if name not in {*IDS, ROW, SOURCE}]
    key = next((name for name in (ROW, *IDS) if name in header), "")
    if not key or not labels:
        raise InvalidOption(
            f"{path} must have a column {', '.join(IDS[:-1])}, {IDS[-1]} or {ROW} that identifies units, and a "
            f"column for each label, got {','.join(header)[:80]}."
        )
    own = [(number, line) for number, line in lines if _is_about(line.get(SOURCE), source, others)]
    rows = _find_rows(population, path, source, key, own)
    columns = {name: [""] * len(population) for name in labels}
    for row, (_, line) in zip(rows, own, strict=True):
        for name in labels:
            columns[name][row] = "" if is_unknown(line[name]) else line[name]
    found = {name: np.array(values, np.str_) for name, values in columns.items() if any(values)}
    found |= {name: values for name, values in find_labels(columns).items() if name in ALIASES}
    merged = {
        name: np.where(values == "", population.labels[name], values) if name in population.labels else values
        for name, values in found.items()
    }
    for name in [name for name in labels if name in merged and name in population.labels]:
        if kept := int(((found[name] == "") & (population.labels[name] != "")).sum()):
            warn(
                f"{path} has no {name} for {kept} of {len(population)} units of {source}, which keep the label that "
                "the recording has."
            )
    return replace(population, labels={**population.labels, **merged})


def check_sources(path: Path, sources: Collection[str]) -> None:
    """Refuse a table of labels whose rows do not state the recording, or in which no row belongs to these recordings.

    Raises
    ------
    InvalidOption
        If the table does not fit the recordings in this way, or cannot be read.
    """
    header, lines = read_table(path, WHAT)
    if len(sources) > 1 and SOURCE not in header:
        raise InvalidOption(
            f"{path} must have a column {SOURCE} that says which of {len(sources)} recordings a row is about, got "
            f"{','.join(header)[:80]}."
        )
    known = {*sources, *(Path(each).name for each in sources)}
    said = list(dict.fromkeys(line[SOURCE] for _, line in lines if SOURCE in line))
    if said and not known & {*said}:
        raise InvalidOption(
            f"{path} is about other recordings: {join_some(said)}. There are: {join_some(sorted(sources))}."
        )


def list_label_names(path: Path) -> list[str]:
    """List the labels in a table, in the order of its columns. It raises the same errors as `read_table`."""
    return [name for name in read_table(path, WHAT)[0] if name not in {*IDS, ROW, SOURCE}]


def read_table(path: Path, what: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Read the header of a csv or tsv file, and each row with its number in the file.

    Parameters
    ----------
    path
        The file.
    what
        Description of the file, for messages.

    Raises
    ------
    InvalidOption
        If the file cannot be read, is empty, or has rows with different numbers of columns.
    """
    rows = read_rows(path, what)
    if not rows:
        raise InvalidOption(f"{what} {path} is empty.")
    header = rows[0]
    if repeated := [name for name in header if header.count(name) > 1 or not name]:
        raise InvalidOption(f"{path} must have each column only once, got {repeated[0]!r} in {','.join(header)[:80]}.")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            raise InvalidOption(f"{path} must have {len(header)} columns, row {number} has {len(row)}.")
    return header, [(number, dict(zip(header, row, strict=True))) for number, row in enumerate(rows[1:], 2)]


def _is_about(said: str | None, source: str, others: Collection[str]) -> bool:
    """Return whether a row belongs to this recording."""
    return said is None or said == source or (said == Path(source).name and said not in others)


def _find_rows(
    population: Population, path: Path, source: str, key: str, lines: Sequence[tuple[int, Mapping[str, str]]]
) -> list[int]:
    """Return the row of the population that belongs to each row of the table."""
    names = [str(row) for row in range(len(population))]
    if key != ROW:
        names = list(map(str, population.unit_ids.tolist()))
    at = {name: row for row, name in enumerate(names)}
    said = [line[key] for _, line in lines]
    if strange := [name for name in dict.fromkeys(said) if name not in at]:
        raise InvalidOption(
            f"{path} lists units that {source} does not have, by {key}: {join_some(strange)}. The recording has "
            f"{len(names)} units: {join_some(names)}. For several recordings, add a column {SOURCE} that says which "
            "recording each row is about."
        )
    if repeated := next((name for name in said if said.count(name) > 1), None):
        numbers = [number for number, line in lines if line[key] == repeated]
        raise InvalidOption(f"{path} lists unit {repeated} twice, in rows {numbers[0]} and {numbers[1]}.")
    if len(at) < len(names) and (unclear := [name for name in said if names.count(name) > 1]):
        raise InvalidOption(
            f"{source} has several units called {unclear[0]}: identify units by {ROW} in {path}, counting from 0."
        )
    return [at[name] for name in said]
