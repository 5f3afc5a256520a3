"""Selection of rows of a table and of time: by the user's options, or by the quality columns of the data set."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption
from nwb_neurid.intervals import Intervals, merged
from nwb_neurid.readers.condition import rows_where
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.selection import ALL, find_verdicts, leave_out, leave_out_noise
from nwb_neurid.readers.words import split_words

KEPT = ("left_out", "Why the source rejects the unit")
"""Name of a column, and start of its description, in recordings that `nwb_neurid.writers.nwb.standalone` wrote."""

GOOD = frozenset(
    {
        *(
            "best",
            "excellent",
            "good",
            "great",
            "outstanding",
            "perfect",
            "superb",
            "very good",
            "high",
            "high quality",
        ),
        *("isolated", "well isolated", "very well isolated", "well isolated single unit", "good single unit"),
        *("single", "single unit", "single neuron", "singleunit", "su", "sua", "good unit"),
    }
)
"""Labels of well-isolated units in public data sets, in lower case and without punctuation and numbers."""


Good: TypeAlias = Bool[np.ndarray, " rows"] | None
"""A function that returns which rows are good, or None if the data set does not have the columns of the criterion."""


def _have_good_quality(units: Table) -> Good:
    if not units.is_text("quality"):
        return None
    words = [" ".join(split_words(text)) for text in units.texts("quality").tolist()]
    return np.array([each in GOOD for each in words], bool)


def _reach(least: int, name: str, units: Table, *, beside: str = "") -> Good:
    """Return the rows in which a column of numbers is at least `least`.

    With `beside`, a text column of that name must exist too.
    """
    if not units.is_number(name) or (beside and not units.is_text(beside)):
        return None
    return np.asarray(units.numbers(name) >= least)


JUDGEMENTS: Sequence[tuple[Callable[[Table], Good], str]] = (
    # Allen Institute, Visual Coding Neuropixels: "good" or "noise" (Siegle et al. 2021, 10.1038/s41586-020-03171-x);
    # Svoboda lab: "Excellent", "Good", "Fair" and so on (DANDI 000009 to 000011)
    (_have_good_quality, "quality is not 'good' or better"),
    # Steinmetz et al. 2019 (10.1038/s41586-019-1787-x): 0 noise, 1 multi-unit, 2 good, 3 unsorted
    (partial(_reach, 2, "phy_annotations"), "phy_annotations is below 2"),
    # International Brain Laboratory: the share of its three criteria that a unit meets (10.6084/m9.figshare.19705522)
    (partial(_reach, 1, "ibl_quality_score"), "ibl_quality_score is below 1"),
    # IBL files of 2021 state the same share in `label`. They are recognised by their column `ks2_label`.
    (partial(_reach, 1, "label", beside="ks2_label"), "label is below 1"),
)
"""The quality criteria of public data sets, and the reason for rows that are not good."""


def leave_out_before(table: Table) -> dict[int, str]:
    """Find the rows that were left out of the source of a recording that this package wrote, and the reasons."""
    name, description = KEPT
    if not table.is_text(name) or not (table.dataset(name).text_attribute("description") or "").startswith(description):
        return {}
    return {row: why for row, why in enumerate(table.texts(name).tolist()) if why}


def leave_out_units(units: Table, options: ReadOptions, omissions: Omissions) -> dict[int, str]:
    """Find the rows that are not embedded, and the reasons: by `options.where`, or otherwise by `JUDGEMENTS`.

    A criterion that no unit meets is not used. If there is none, units that are labelled as noise are left out.

    Parameters
    ----------
    units
        The units table.
    options
        Options for reading.
    omissions
        Collects the quality columns that cannot be used.

    Raises
    ------
    InvalidOption
        As for `nwb_neurid.readers.selection.leave_out`.

    Warns
    -----
    NeuridWarning
        If units are left out by default.
    """
    if options.where:
        return leave_out([units], options)
    if before := omissions.attempt(lambda: leave_out_before(units), None):
        return before
    for find_good, otherwise in JUDGEMENTS:
        good = omissions.attempt(partial(find_good, units), None)
        if good is None or not good.any():
            continue
        rows = np.flatnonzero(~good).tolist()
        if rows:
            warn(
                f"{units.where}: left out {len(rows)} of {len(units)} units: {otherwise}; --where {ALL} "
                "keeps every unit."
            )
        return dict.fromkeys(rows, otherwise)
    return leave_out_noise(units, omissions.attempt(lambda: find_verdicts(units), {}), options)


def chosen_intervals(file: Group, options: ReadOptions) -> Intervals:
    """Return the time that `options.intervals` selects, in seconds.

    This time consists of all rows of a table of intervals, or of the rows that fulfil a condition.

    Raises
    ------
    InvalidOption
        If there is no such table, the condition is invalid, or no row fulfils it.
    """
    option = f"--intervals {options.intervals!r}"
    name, _, condition = options.intervals.partition(":")
    place = name.strip().strip("/")
    group = file.group(f"intervals/{place}") or file.group(place)
    if not place or group is None or not (table := Table(group)).has_spans:
        within = file.group("intervals")
        known = ", ".join(within.names()) if within is not None else ""
        raise InvalidOption(f"{option}: {file.file} has no table of intervals {name!r}. It has: {known or 'none'}.")
    chosen = table.spans_s()
    if condition.strip():
        chosen = chosen[rows_where(condition, table, f"{option}:")]
    chosen = merged(chosen[np.isfinite(chosen).all(axis=1)])
    if len(chosen) == 0:
        raise InvalidOption(f"{option} selects no time: none of the {len(table)} rows of {table.where} matches.")
    return chosen
