"""Lists of recordings: a table of sources and splits, or the manifest of an embedded archive."""

import csv
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nwb_neurid.contracts import is_url
from nwb_neurid.errors import InvalidOption, Leak, UnreadableSource

TABLES = {".csv": ",", ".tsv": "\t"}
DATABASES = {".sqlite", ".sqlite3", ".db"}
TRAIN = "train"


@dataclass(frozen=True, slots=True)
class Listing:
    """Recordings to train on, and the held-out subjects, whose recordings must not be among them.

    Parameters
    ----------
    sources
        Paths, URLs or objects in memory.
    held_out
        Subjects that are held out.
    """

    sources: tuple[object, ...]
    held_out: frozenset[str] = frozenset()


def expand(sources: Sequence[object], held_out: Sequence[str] = ()) -> Listing:
    """Replace lists by their recordings.

    Parameters
    ----------
    sources
        Recordings, and lists of recordings: csv or tsv tables with a column `source`, or the manifest of an archive
        (SQLite). Paths in a list are relative to its folder. If there is a column `split`, only rows with the split
        "train" are used, and the subjects of all other rows (column `subject`) are held out.
    held_out
        Further subjects that are held out.

    Returns
    -------
    Listing
        The recordings.

    Raises
    ------
    UnreadableSource
        If a list cannot be read.
    InvalidOption
        If a list lacks a column, or no row is used for training.
    Leak
        If a subject is in the training split and in another split.
    """
    found: list[object] = []
    subjects = {*held_out}
    for source in sources:
        kind = Path(source).suffix.lower() if isinstance(source, str | Path) and not is_url(source) else ""
        if kind in TABLES:
            rows = _read_table(Path(str(source)), TABLES[kind])
            found += [_place(row["source"], Path(str(source))) for row in rows if _trains(row)]
            subjects |= _find_held_out(Path(str(source)), rows)
        elif kind in DATABASES:
            found += _read_manifest(Path(str(source)))
        else:
            found.append(source)
    if not found:
        raise InvalidOption("The lists have no recording to train on: no row has train in the column split.")
    return Listing(tuple(found), frozenset(subjects))


def check_subjects(subjects: Sequence[str], held_out: frozenset[str]) -> None:
    """Check that no recording to train on is from a held-out subject.

    Parameters
    ----------
    subjects
        The subjects that the recordings to train on state.
    held_out
        The held-out subjects.

    Raises
    ------
    Leak
        If there is such a recording.
    """
    if both := sorted({*subjects} & held_out):
        raise Leak(
            f"Recordings of held-out subjects would be trained on: {', '.join(both)}. Leave out those recordings, or "
            "correct the list."
        )


def _read_table(path: Path, separator: str) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {str(key).strip(): str(value or "").strip() for key, value in row.items()}
                for row in csv.DictReader(file, delimiter=separator)
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableSource(f"{path} cannot be read as a list of recordings: {error}.") from error
    if not rows or "source" not in rows[0]:
        has = f"it has the columns {', '.join(rows[0])}" if rows else "it has no rows"
        raise InvalidOption(f"{path} is not a list of recordings: a column source is needed, {has}.")
    return [row for row in rows if row["source"]]


def _trains(row: dict[str, str]) -> bool:
    return row.get("split", TRAIN).lower() in {TRAIN, ""}


def _find_held_out(path: Path, rows: Sequence[dict[str, str]]) -> set[str]:
    """Return the subjects of the rows that are not used for training."""
    others = [row for row in rows if not _trains(row)]
    if any(not row.get("subject") for row in others):
        raise InvalidOption(
            f"{path} has rows without a subject that are not in the split train, so it cannot be checked whether their "
            "animals are also used for training. Fill the column subject."
        )
    held_out = {row["subject"] for row in others}
    check_subjects([row.get("subject", "") for row in rows if _trains(row)], frozenset(held_out))
    return held_out


def _place(name: str, listed_in: Path) -> object:
    return name if is_url(name) else listed_in.parent / name


def _read_manifest(path: Path) -> list[object]:
    """Return the sources in the manifest of an archive."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT DISTINCT source FROM recordings ORDER BY source").fetchall()
    except sqlite3.Error as error:
        raise UnreadableSource(f"{path} cannot be read as the manifest of an archive: {error}.") from error
    return [_place(str(name), path) for (name,) in rows]
