"""Time that a file declares invalid: for all units, or for the probes and planes that are given by tags."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.intervals import Intervals
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.groups import COLUMN, find_named, match_groups
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.words import squeeze

TABLE = "intervals/invalid_times"
GROUPS = "general/extracellular_ephys"
IDS = ("probe_id", "id", "name")
"""Attributes by which NWB extensions identify a probe in addition to the name of its group."""


def read_invalid(
    file: Group, groups: Shaped[np.ndarray, " units"] | None, omissions: Omissions
) -> dict[frozenset[str] | None, Intervals]:
    """Read the time that a file declares invalid.

    Parameters
    ----------
    file
        The root of the file.
    groups
        Probe or plane of each unit; None if the file does not state it.
    omissions
        Collects the tags that cannot be read.

    Returns
    -------
    dict
        Intervals in seconds, which may have no end, by the groups for which they are invalid; None for all groups.
    """
    group = file.group(TABLE)
    if group is None or not (table := Table(group)).has_spans:
        return {}
    names = omissions.attempt(lambda: _names_of_groups(file, groups), None) or {}
    own = list(dict.fromkeys(names.values()))
    by_name = {squeeze(name): group for name, group in names.items()}
    words = omissions.attempt(lambda: _words(table), None) or [set[str]() for _ in range(len(table))]
    numbered = omissions.attempt(lambda: _numbered(table, own), None) or [set[str]() for _ in range(len(table))]
    found: dict[frozenset[str] | None, list[np.ndarray]] = {}
    for row, said, counted in zip(table.spans_s(), words, numbered, strict=True):
        if not np.isnan(row).any():
            named = [each for word in said if (each := find_named(word, by_name, own)) is not None]
            scope = frozenset(counted).union(*named) if named or counted else None
            found.setdefault(scope, []).append(row)
    return {scope: np.array(rows_s) for scope, rows_s in found.items()}


def _names_of_groups(file: Group, groups: Shaped[np.ndarray, " units"] | None) -> Mapping[str, str]:
    """Map each name of a group to the group: its name, its id, or its device if no other group has this device."""
    names: dict[str, str] = {}
    devices: dict[str, list[str]] = {}
    own: list[str] = []
    for group in file.groups(GROUPS):
        if group.dataset("id") is not None:  # this is the electrodes table
            continue
        name = group.path.rpartition("/")[2]
        own.append(name)
        names |= {text: name for key in IDS if (text := group.attribute(key))}
        if group.group("device") is not None:
            devices.setdefault(group.name_of("device"), []).append(name)
    names |= {device: only[0] for device, only in devices.items() if len(only) == 1}
    return names | {name: name for name in (*own, *([] if groups is None else groups.tolist())) if name}


def _numbered(table: Table, groups: Sequence[str]) -> list[set[str]]:
    """Find the groups that each row states in columns of numbers."""
    numbered: list[set[str]] = [set() for _ in range(len(table))]
    for name in filter(COLUMN.fullmatch, table.names()):
        if table.is_number(name):
            values = table.numbers(name).astype(np.float64).tolist()
            named = match_groups(list(dict.fromkeys(values)), groups)
            for row, value in enumerate(values):
                numbered[row] |= {named[value]} if value in named else set()
    return numbered


def _words(table: Table) -> list[set[str]]:
    """Collect the texts in each row, also from ragged columns, and the names of the objects to which the row refers."""
    words: list[set[str]] = [set() for _ in range(len(table))]
    for name in table.names():
        dataset = table.dataset(name)
        if not (dataset.is_text or dataset.is_reference) or len(dataset.shape) != 1:
            continue
        texts = dataset.texts().ravel().tolist() if dataset.is_text else dataset.referred()
        splits = table.splits(name).tolist()
        for row, own in enumerate(words):
            own.update(str(text).strip() for text in texts[splits[row] : splits[row + 1]])
    return words
