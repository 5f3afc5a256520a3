"""Tables of new class names and of subjects of recordings, and groups of regions in an atlas."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.files import read_rows
from nwb_neurid._system.text import join_some
from nwb_neurid._system.warning import warn
from nwb_neurid.errors import InvalidOption
from nwb_neurid.vocabulary import is_unknown

ATLASES = {"beryl": "Beryl", "cosmos": "Cosmos"}
"""Groupings of the Allen CCF by Steinmetz and the IBL, and their names in iblatlas."""

REST = "*"
"""Entry of a table of names that stands for every name that is not listed."""

NAMES = ("old", "new")
SUBJECTS = ("source", "subject")


def map_labels(
    labels: Shaped[np.ndarray, " units"], how: Mapping[str, str] | str | Path | None
) -> Shaped[np.ndarray, " units"]:
    """Map labels to new names. Labels that are unknown, `root` or similar, or that have an empty new name, become "".

    Parameters
    ----------
    labels
        Labels of the recordings, shape (units,).
    how
        A mapping from old to new names, the path of a table with the columns old and new, "beryl" or "cosmos" for
        acronyms of the Allen CCF, or None. A name that is not listed is kept, unless `*` is listed.

    Returns
    -------
    array
        New labels, shape (units,).

    Raises
    ------
    InvalidOption
        If the table cannot be read, contains none of the labels, or the library for the atlas is missing.

    Warns
    -----
    NeuridWarning
        If a label is not an acronym of the atlas.

    Examples
    --------
    >>> map_labels(np.array(["PV", "SST", "unknown"]), {"PV": "interneuron", "*": ""}).tolist()
    ['interneuron', '', '']
    """
    labels = np.char.strip(np.asarray(labels, np.str_))
    names = [name for name in np.unique(labels).tolist() if not is_unknown(name)]
    new = {name: name for name in names}
    if isinstance(how, str) and how in ATLASES:
        new = _look_up(names, how)
    elif how is not None:
        table = how if isinstance(how, Mapping) else read_pairs(Path(how), NAMES)
        if names and not set(names) & (table.keys() | ({*names} if REST in table else set())):
            raise InvalidOption(f"--map {how} matches none of the classes in the data ({join_some(names, 10)}).")
        new = {name: table.get(name, table.get(REST, name)) for name in names}
    known = {name: text.strip() for name, text in new.items() if not is_unknown(text)}
    return np.array([known.get(name, "") for name in labels.tolist()], np.str_).reshape(len(labels))


def check_table(how: Mapping[str, str] | str | Path | None) -> None:
    """Check that `map_labels` can read a table. This is done before recordings are read.

    Raises
    ------
    InvalidOption
        If it cannot be read.
    """
    if how is not None and not isinstance(how, Mapping) and how not in ATLASES:
        read_pairs(Path(how), NAMES)


def read_subjects(how: Mapping[str, str] | str | Path | None) -> Mapping[str, str]:
    """Read the subject of each recording, by its path or file name. Return {} if there is no table."""
    if how is None:
        return {}
    return how if isinstance(how, Mapping) else read_pairs(Path(how), SUBJECTS)


def read_pairs(path: Path, columns: tuple[str, str]) -> dict[str, str]:
    """Read a csv file with these two columns.

    Raises
    ------
    InvalidOption
        If it cannot be read, has other columns, or has two values for one name.
    """
    rows = read_rows(path, "The table")
    if not rows or rows[0] != list(columns):
        got = ",".join(rows[0]) if rows else "nothing"
        raise InvalidOption(f"{path} must begin with the line {','.join(columns)}, got {got[:80]}.")
    pairs: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        if len(row) != 2:
            raise InvalidOption(f"{path} must have two columns, row {number} has {len(row)}.")
        if pairs.setdefault(row[0], row[1]) != row[1]:
            raise InvalidOption(f"{path} gives two new names for {row[0]}: {pairs[row[0]]} and {row[1]}.")
    return pairs


def find_subject(source: str, stated: str, table: Mapping[str, str]) -> str:
    """Find the subject of a recording: in the table, by its path or its file name, or otherwise in the recording."""
    return table.get(source, table.get(Path(source).name, stated))


def check_unambiguous(sources: Sequence[str], table: Mapping[str, str]) -> None:
    """Check that no file name in a table belongs to several files, such as `a/rec.nwb` and `b/rec.nwb`.

    Raises
    ------
    InvalidOption
        If a file name belongs to several files, because these files may be from different animals.
    """
    meant: dict[str, set[str]] = {}
    for source in set(sources) - table.keys():
        meant.setdefault(Path(source).name, set()).add(source)
    for name in sorted(meant.keys() & table.keys()):
        if len(meant[name]) > 1:
            raise InvalidOption(
                f"In the table of subjects, {name} may be any of {len(meant[name])} files: "
                f"{join_some(sorted(meant[name]))}. Give their full paths instead."
            )


def _look_up(acronyms: Sequence[str], atlas: str) -> dict[str, str]:
    """Look up the group of each acronym. Acronyms that the Allen CCF does not have get "", with a warning."""
    try:
        from iblatlas.regions import BrainRegions
    except ImportError as error:
        raise InvalidOption(f"--map {atlas} looks regions up in iblatlas. Install it: pip install iblatlas") from error
    regions = BrainRegions()
    groups = regions.acronym[regions.mappings[ATLASES[atlas]]]
    grouped = dict(zip(regions.acronym.tolist(), groups.tolist(), strict=True))
    if strange := [name for name in acronyms if name not in grouped]:
        warn(
            f"Not acronyms of the Allen CCF, so these regions count as unknown: {join_some(strange, 10)} "
            f"({len(strange)} in all)."
        )
    return {name: grouped.get(name, "") for name in acronyms}
