"""Tables of clusters beside a sorting: `cluster_info.tsv`, `cluster_group.tsv` and their like."""

import codecs
import csv
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64

from nwb_neurid._system.files import open_regular
from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.labels import is_number
from nwb_neurid.readers.warning import Omissions

KEYS = ("cluster_id", "id", "cluster", "clusters", "cluster_ids", "unit_id", "unit", "clu")
"""What programs call the column of clusters, in lower case and without signs but the underscore."""

BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
Cell: TypeAlias = tuple[int | str, str, str]

SUMMARY = "cluster_info"
LARGEST_BYTES = 2**26


def read_columns(folder: Path, unit_ids: Int64[np.ndarray, " units"], omissions: Omissions) -> dict[str, list[str]]:
    """Read what the tables of clusters say of these units.

    Every `cluster_*.tsv` overrides `cluster_info.tsv`, which phy makes of them.

    Parameters
    ----------
    folder
        Where the tables are.
    unit_ids
        The clusters.
    omissions
        Told of every table that cannot be used, or of which no row is of these clusters.

    Returns
    -------
    dict
        Texts by column, one a unit, "" where a table says nothing.
    """
    paths = [*folder.glob("cluster_*.tsv"), *folder.glob("cluster_*.csv")]
    row_of = {unit: row for row, unit in enumerate(unit_ids.tolist())}
    columns: dict[str, list[str]] = {}
    for path in sorted(paths, key=lambda path: (path.stem != SUMMARY, path.name)):
        cells: list[Cell] = omissions.attempt(partial(_cells, path), [])
        used = False
        for cluster, name, text in cells:
            if (row := row_of.get(cluster)) is not None:
                columns.setdefault(name, [""] * len(unit_ids))[row] = text
                used = True
        if cells and not used:
            some = ", ".join(str(cluster) for cluster in dict.fromkeys(cluster for cluster, _, _ in cells[:3]))
            omissions.note(f"{path}: no row is of a cluster with spikes (its first are {some}).")
    return columns


def _cells(path: Path) -> list[Cell]:
    """Cluster, column and text of every cell of a table of clusters.

    Raises
    ------
    UnreadableSource
        If it cannot be read, is empty, or has no column of clusters.
    """
    rows = _rows(path)
    if not rows:
        raise UnreadableSource(f"{path} is empty. Save it again in phy.")
    names = [re.sub(r"[^\w]+", "_", name.strip().casefold()).strip("_") for name in rows[0]]
    key = next((names.index(name) for name in KEYS if name in names), None)
    header = [name.strip() for name in rows[0]]
    if key is None and len(rows[0]) == 2 and is_number(rows[0][0]):  # a table without a header
        key, header = 0, ["cluster_id", re.sub(r"^cluster_", "", path.stem)]
    elif key is None:
        raise UnreadableSource(
            f"{path} has no column {KEYS[0]}, it has: {', '.join(header)[:200]}. Rename the column of clusters."
        )
    else:
        rows = rows[1:]
    return [
        (_cluster(row[key]), name, row[column].strip())
        for row in rows
        for column, name in enumerate(header)
        if column != key and max(column, key) < len(row)
    ]


def _rows(path: Path) -> list[list[str]]:
    try:
        with open_regular(path) as file:
            data = file.read(LARGEST_BYTES)
        text = _decode(data)
        lines = [line for line in text.splitlines() if line.strip()]
        return list(csv.reader(lines, delimiter=_delimiter(lines), skipinitialspace=True))
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, csv.Error) as error:
        raise UnreadableSource(f"{path} cannot be read as a table: {error}. Save it again in phy.") from error


def _decode(data: bytes) -> str:
    """As text in UTF-8 or, as its first bytes say, UTF-16; else in the encoding of Windows."""
    for bom, encoding in BOMS.items():
        if data.startswith(bom):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _delimiter(lines: Sequence[str]) -> str:
    """What parts the columns of the first line: tabs, or else whatever there is most of."""
    first = lines[0] if lines else ""
    return "\t" if "\t" in first else max(",;| ", key=first.count)


def _cluster(text: str) -> int | str:
    """A cluster as a whole number, however it is written: `3`, `3.0` or `3e0`."""
    try:
        number = float(text)
        return int(number) if number == int(number) else text
    except (ValueError, OverflowError):
        return text.strip()
