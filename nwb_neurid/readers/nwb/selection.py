"""Which rows of a table and which time are taken: as the user asks, or as the data set judges its units."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption
from nwb_neurid.intervals import Intervals, merged
from nwb_neurid.readers.condition import rows_where
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.warning import warn

ALL = "all"
"""The `where` that takes every row."""


KEPT = ("left_out", "Why the source leaves it out")
"""A column, and how its description begins, of recordings that `nwb_neurid.writers.nwb.standalone` wrote."""


class Judgement(NamedTuple):
    """How a data set tells good units: the columns that it has then, the condition, and why others are left out."""

    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    condition: str
    otherwise: str


JUDGEMENTS = (
    # Allen Institute, Visual Coding Neuropixels: "good" or "noise" (Siegle et al. 2021, 10.1038/s41586-020-03171-x)
    Judgement(("quality",), (), "quality == 'good'", "quality is not 'good'"),
    # Steinmetz et al. 2019 (10.1038/s41586-019-1787-x): 0 noise, 1 multi-unit, 2 good, 3 unsorted
    Judgement((), ("phy_annotations",), "phy_annotations >= 2", "phy_annotations is below 2"),
    # International Brain Laboratory: the share of its three criteria that a unit meets (10.6084/m9.figshare.19705522)
    Judgement((), ("ibl_quality_score",), "ibl_quality_score == 1", "ibl_quality_score is below 1"),
    # The same in its files of 2021, which are told by their other columns
    Judgement(("ks2_label",), ("label",), "label == 1", "label is below 1"),
)


def left_out(tables: Sequence[Table], options: ReadOptions) -> dict[int, str]:
    """Rows of these tables, one after another, that `options.where` does not select, and why.

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


def left_out_before(table: Table) -> dict[int, str]:
    """Rows of a recording that we wrote, which its source had left out, and why."""
    name, description = KEPT
    if not table.is_text(name) or not (table.dataset(name).text_attribute("description") or "").startswith(description):
        return {}
    return {row: why for row, why in enumerate(table.texts(name).tolist()) if why}


def units_left_out(units: Table, options: ReadOptions) -> dict[int, str]:
    """Rows of a units table that are not to be embedded, and why: by `options.where`, or else by `JUDGEMENTS`.

    A judgement that no unit stands is left aside.

    Raises
    ------
    InvalidOption
        As `left_out`.

    Warns
    -----
    NeuridWarning
        If units are left out without having been asked for.
    """
    if options.where:
        return left_out([units], options)
    if before := left_out_before(units):
        return before
    for judgement in JUDGEMENTS:
        if not all(map(units.is_text, judgement.texts)) or not all(map(units.is_number, judgement.numbers)):
            continue
        good = rows_where(judgement.condition, units, "--where")
        if not good.any():
            continue
        rows = np.flatnonzero(~good).tolist()
        if rows:
            warn(
                f"{units.where}: left out {len(rows)} of {len(units)} units: {judgement.otherwise}; --where {ALL} "
                "keeps every unit."
            )
        return dict.fromkeys(rows, judgement.otherwise)
    return {}


def chosen_intervals(file: Group, options: ReadOptions) -> Intervals:
    """The time that `options.intervals` asks for, in seconds: the rows of a table that fulfil a condition, or all.

    Raises
    ------
    InvalidOption
        If there is no such table, it is no condition, or no row fulfils it.
    """
    option = f"--intervals {options.intervals!r}"
    name, _, condition = options.intervals.partition(":")
    place = name.strip().strip("/")
    group = file.group(f"intervals/{place}") or file.group(place)
    if not place or group is None or "start_time" not in (table := Table(group)) or "stop_time" not in table:
        within = file.group("intervals")
        known = ", ".join(within.names()) if within is not None else ""
        raise InvalidOption(f"{option}: {file.file} has no table of intervals {name!r}. It has: {known or 'none'}.")
    chosen = np.column_stack([table.numbers("start_time"), table.numbers("stop_time")]).astype(np.float64)
    if condition.strip():
        chosen = chosen[rows_where(condition, table, f"{option}:")]
    chosen = merged(chosen[np.isfinite(chosen).all(axis=1)])
    if len(chosen) == 0:
        raise InvalidOption(f"{option} selects no time: none of the {len(table)} rows of {table.where} is of it.")
    return chosen
