"""Tables of clusters beside a sorting: `cluster_info.tsv`, `cluster_group.tsv` and similar files."""

import csv
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64

from nwb_neurid._system.files import open_regular
from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.labels import is_number
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.spikeinterface.files import decode
from nwb_neurid.readers.words import squeeze

KEYS = (
    *("clusterid", "id", "cluster", "clusters", "clusterids", "clusterindex", "clusternumber", "clust", "clu", "cluid"),
    *("unitid", "unit", "units", "unitids", "unitindex", "unitnumber", "neuron", "neuronid", "originalclusterid"),
)
"""Names of the column of cluster ids in different programs, in lower case and without punctuation."""

_NUMBERED = re.compile(r"(?:unit|cluster|clust|clu|neuron|cell)?[\W_]*(\d+)", re.IGNORECASE)

Cell: TypeAlias = tuple[int | str, str, str]

NAME, SUMMARY = "cluster_id", "cluster_info"
LARGEST_BYTES = 2**26


def read_columns(folder: Path, unit_ids: Int64[np.ndarray, " units"], omissions: Omissions) -> dict[str, list[str]]:
    """Read the columns of the tables of clusters, for these units.

    Every `cluster_*.tsv` overrides `cluster_info.tsv`, which phy compiles from them.

    Parameters
    ----------
    folder
        The folder with the tables.
    unit_ids
        The clusters.
    omissions
        Collects the tables that cannot be used, or that have no row for these clusters.

    Returns
    -------
    dict
        For each column, one text per unit; "" if no table has a value.
    """
    paths = [path for path in folder.glob("cluster_*") if path.suffix.lower() in {".tsv", ".csv"}]
    row_of = {unit: row for row, unit in enumerate(unit_ids.tolist())}
    columns: dict[str, list[str]] = {}
    for path in sorted(paths, key=lambda path: (path.stem != SUMMARY, path.name)):
        cells: list[Cell] = omissions.attempt(partial(_cells, path), [])
        if _count_from_one(cells, row_of):
            omissions.note(
                f"{path}: its cluster ids are one higher than those of the spikes, as if they were counted from 1."
            )
            continue
        used = False
        for cluster, name, text in cells:
            if (row := row_of.get(cluster)) is not None:
                columns.setdefault(name, [""] * len(unit_ids))[row] = text
                used = True
        if cells and not used:
            some = ", ".join(str(cluster) for cluster in dict.fromkeys(cluster for cluster, _, _ in cells[:3]))
            omissions.note(f"{path}: none of its clusters has spikes (the first are {some}).")
    return columns


def _count_from_one(cells: Sequence[Cell], row_of: Mapping[int, int]) -> bool:
    """Return whether the cluster ids in a table are those of the sorting plus 1."""
    named = {cluster for cluster, _, _ in cells}
    return len(row_of) > 2 and named == {unit + 1 for unit in row_of}


def _cells(path: Path) -> list[Cell]:
    """Return cluster, column and text of every cell of a table of clusters.

    Raises
    ------
    UnreadableSource
        If the table cannot be read, is empty, or has no column of clusters.
    """
    rows = _rows(path)
    if not rows:
        raise UnreadableSource(f"{path} is empty. Save it again in phy.")
    while len(rows) > 1 and rows[0] and rows[0][0].startswith("#") and _find_key(rows[0]) is None:  # a line of comment
        rows = rows[1:]
    key, header = _find_key(rows[0]), [name.strip() for name in rows[0]]
    if key is None and len(rows[0]) == 2 and is_number(rows[0][0]):  # the table has no header
        key, header = 0, [NAME, re.sub(r"^cluster_", "", path.stem)]
    elif (
        key is None
        and len(rows) > 1 < len(header)
        and not header[0]
        and all(row and is_number(row[0]) for row in rows[1:])
    ):  # the first column is an index of pandas
        key, rows = 0, rows[1:]
    elif key is None:
        raise UnreadableSource(
            f"{path} has no column {NAME}, it has: {', '.join(header)[:200]}. Rename the column of clusters."
        )
    else:
        rows = rows[1:]
    return [
        (_cluster(row[key]), name, row[column].strip())
        for row in rows
        for column, name in enumerate(header)
        if column != key and max(column, key) < len(row)
    ]


def _find_key(header: Sequence[str]) -> int | None:
    """Return the index of the column of clusters, or None if no column has a known name."""
    names = [squeeze(name) for name in header]
    return next((names.index(name) for name in KEYS if name in names), None)


def _rows(path: Path) -> list[list[str]]:
    try:
        with open_regular(path) as file:
            data = file.read(LARGEST_BYTES)
        text = decode(data)
        lines = [line for line in text.splitlines() if line.strip()]
        return list(csv.reader(lines, delimiter=_delimiter(lines), skipinitialspace=True))
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, csv.Error) as error:
        raise UnreadableSource(f"{path} cannot be read as a table: {error}. Save it again in phy.") from error


def _delimiter(lines: Sequence[str]) -> str:
    """Find the delimiter of the first line that is not a comment: a tab, or otherwise the most frequent candidate."""
    first = next((line for line in lines if not line.startswith("#")), "")
    return "\t" if "\t" in first else max(",;| ", key=first.count)


def _cluster(text: str) -> int | str:
    """Parse the number of a cluster, which may be written as `3`, `3.0`, `3,0`, `3e0`, `#3` or `unit_3`."""
    numbered = _NUMBERED.fullmatch(text.strip())
    try:
        number = float(numbered[1] if numbered else text.replace(",", "."))
        return int(number) if number == int(number) else text
    except (ValueError, OverflowError):
        return text.strip()
