"""Which units are taken: as the user asks, or all but what the source calls noise."""

from collections.abc import Mapping, Sequence

import numpy as np

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption
from nwb_neurid.readers.columns import Columns
from nwb_neurid.readers.condition import rows_where
from nwb_neurid.readers.warning import warn
from nwb_neurid.vocabulary import is_unknown

ALL = "all"
"""The `where` that takes every row."""

NOISE = frozenset({"noise", "artifact", "artefact"})
"""Verdicts by which a row is no neuron."""

UNDECIDED = frozenset({"unsorted", "unclassified"})
"""No verdict where a program has its own; but where spikes were sorted by channel, what was left over."""


def leave_out(tables: Sequence[Columns], options: ReadOptions) -> dict[int, str]:
    """Find the rows of these tables, one after another, that `options.where` does not select, and why.

    Raises
    ------
    InvalidOption
        If it is no condition, or selects nothing.
    """
    if options.where in {"", ALL}:
        return {}
    selected = np.concatenate([rows_where(options.where, table, "--where") for table in tables])
    if not selected.any():
        where = " and ".join(table.where for table in tables)
        raise InvalidOption(f"--where {options.where!r} selects none of the {len(selected)} rows of {where}.")
    return dict.fromkeys(np.flatnonzero(~selected).tolist(), f"not selected by --where {options.where}")


def leave_out_noise(columns: Columns, verdicts: Mapping[int, str], options: ReadOptions) -> dict[int, str]:
    """Find the rows that are not to be embedded, and why: as `options.where` says, or else by verdicts of the source.

    Parameters
    ----------
    columns
        Of the units.
    verdicts
        Why the source takes a row for no neuron. Verdicts that reject every row are none.
    options
        For the reader.

    Raises
    ------
    InvalidOption
        As `leave_out`.

    Warns
    -----
    NeuridWarning
        If units are left out without having been asked for, or verdicts reject every row.
    """
    if options.where:
        return leave_out([columns], options)
    reasons = "; ".join(dict.fromkeys(verdicts[row] for row in sorted(verdicts)))
    if 0 < len(verdicts) < len(columns):
        warn(
            f"{columns.where}: left out {len(verdicts)} of {len(columns)} units: {reasons}; --where {ALL} keeps every "
            "unit."
        )
        return dict(verdicts)
    if verdicts:
        warn(f"{columns.where}: every unit is rejected ({reasons}), which is taken for no verdict: all are kept.")
    return {}


def find_verdicts(columns: Columns, names: Sequence[str], words: frozenset[str] = NOISE) -> dict[int, str]:
    """Find the rows that the first of these columns with a verdict on them calls noise, and what it says."""
    verdicts: dict[int, str] = {}
    for name in filter(columns.is_text, names):
        for row, text in enumerate(map(str.strip, columns.texts(name).tolist())):
            word = text.casefold()
            if word in words or not (is_unknown(word) or word in UNDECIDED):
                verdicts.setdefault(row, f"{name} is {text!r}" if word in words else "")
    return {row: why for row, why in verdicts.items() if why}
