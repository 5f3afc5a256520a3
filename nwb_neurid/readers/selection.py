"""Selection of units: by the user's options, or all except those that the source labels as noise."""

from collections.abc import Mapping, Sequence

import numpy as np

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption
from nwb_neurid.readers.columns import Columns
from nwb_neurid.readers.condition import rows_where
from nwb_neurid.readers.words import split_words, squeeze
from nwb_neurid.vocabulary import is_unknown

ALL = "all"
"""The value of `where` that selects every row."""

VERDICTS = (
    *("group", "clustergroup", "phylabel", "phygroup", "manuallabel", "curation", "curationlabel", "verdict"),
    *(
        "quality",
        "unitquality",
        "clusterquality",
        "isolation",
        "isolationquality",
        "label",
        "unitlabel",
        "sortinglabel",
    ),
    *("classification", "unitclassification", "unittag", "unittype", "clusterlabel"),
    *("bcunittype", "bombcelllabel", "kslabel", "kilosortlabel"),
)
"""Columns that may label units as noise, in lower case and without punctuation. Manual labels come before automatic
ones.
"""

NOISE = frozenset({"artifact", "artifacts", "artefact", "artefacts", "noise", "noisy"})
"""Words that mean noise in any label, such as "noise_1" or "electrical artefact"."""

NOISE_ITSELF = frozenset({"bad", "crosstalk", "discard", "discarded", "garbage", "junk", "reject", "rejected", "trash"})
"""Words that mean noise only if they are the whole label."""

_DENIED = frozenset({"clean", "free", "less", "low", "no", "non", "not"})

UNDECIDED = frozenset({"not sorted", "unclassified", "unclustered", "unsorted"})
"""Labels that a sorting program gives to units that were not judged. If spikes were sorted by channel, these
labels mark the unsorted spikes.
"""


def is_noise(text: str) -> bool:
    """Return whether a quality label means that the row is not a neuron.

    Examples
    --------
    >>> [text for text in ("Noise", "noise_1", "Electrical artefact", "low noise", "good", "junk") if is_noise(text)]
    ['Noise', 'noise_1', 'Electrical artefact', 'junk']
    """
    words = set(split_words(text))
    return (not words.isdisjoint(NOISE) and words.isdisjoint(_DENIED)) or (len(words) == 1 and words <= NOISE_ITSELF)


def is_undecided(text: str) -> bool:
    """Return whether a quality label means that the row was not yet judged."""
    return " ".join(split_words(text)) in UNDECIDED


def leave_out(tables: Sequence[Columns], options: ReadOptions) -> dict[int, str]:
    """Find the rows that `options.where` does not select, and the reasons. Rows are numbered across all tables.

    Raises
    ------
    InvalidOption
        If it is not a condition, or selects nothing.
    """
    if options.where in {"", ALL}:
        return {}
    selected = np.concatenate([rows_where(options.where, table, "--where") for table in tables])
    if not selected.any():
        where = " and ".join(table.where for table in tables)
        raise InvalidOption(f"--where {options.where!r} selects none of the {len(selected)} rows of {where}.")
    return dict.fromkeys(np.flatnonzero(~selected).tolist(), f"not selected by --where {options.where}")


def leave_out_noise(columns: Columns, verdicts: Mapping[int, str], options: ReadOptions) -> dict[int, str]:
    """Find the rows that are not embedded, and the reasons: by `options.where`, or by quality labels of the source.

    Parameters
    ----------
    columns
        Columns of the units.
    verdicts
        For each row, the reason why the source considers it not a neuron. They are ignored if they reject every row.
    options
        Options for reading.

    Raises
    ------
    InvalidOption
        As for `leave_out`.

    Warns
    -----
    NeuridWarning
        If units are left out by default, or the quality labels reject every row.
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
        warn(
            f"{columns.where}: every unit is rejected ({reasons}), so these columns are ignored and all units are kept."
        )
    return {}


def find_verdicts(columns: Columns) -> dict[int, str]:
    """Find the rows that are noise according to the first column of `VERDICTS` that judges them, and its label."""
    order = {squeeze(name): name for name in reversed(columns.names())}
    verdicts: dict[int, str] = {}
    for name in filter(columns.is_text, [order[each] for each in VERDICTS if each in order]):
        for row, text in enumerate(map(str.strip, columns.texts(name).tolist())):
            if is_noise(text):
                verdicts.setdefault(row, f"{name} is {text!r}")
            elif not (is_unknown(text) or is_undecided(text)):
                verdicts.setdefault(row, "")
    return {row: why for row, why in verdicts.items() if why}
