"""The electrode of each unit, if the columns that state it agree."""

from collections import Counter
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.readers.nwb.contents import invalid
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.omissions import Omissions

Rows: TypeAlias = Int64[np.ndarray, " units"]
Splits: TypeAlias = Int64[np.ndarray, " units_and_one"]
NO_ELECTRODE = -1
UNITS_AT_ONCE = 256
REGION = "DynamicTableRegion"


def find_region(units: Table) -> str | None:
    """Return the column that refers to electrodes: `electrodes`, or another column of the same type."""
    if "electrodes" in units:
        return "electrodes"
    for name in units.names():
        if units.dataset(name).text_attribute("neurodata_type") == REGION and units.dataset(name).is_number:
            referred = units.dataset(name).referred_by("table")
            if referred is not None and referred.path.rpartition("/")[2] == "electrodes":
                return name
    return None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Evidence:
    """Other information in a file about the electrodes of units.

    Parameters
    ----------
    among
        Rows of the electrodes to which the units refer, one unit after another.
    splits
        Index at which the electrodes of each unit begin, and at which those of the last unit end.
    groups
        Group of each electrode, or None if it is not stated.
    own_group
        Group of each unit, or "" if the unit states no group of the electrodes.
    """

    among: Int64[np.ndarray, " referred"]
    splits: Splits
    groups: Shaped[np.ndarray, " electrodes"] | None
    own_group: Shaped[np.ndarray, " units"]

    def agrees(self, rows: Rows) -> Bool[np.ndarray, " units"]:
        """Return whether the electrode in these rows can be the electrode of the unit.

        A missing electrode is also accepted.
        """
        agrees = np.ones(len(rows), bool)
        for unit, row in enumerate(rows.tolist()):
            own = self.among[self.splits[unit] : self.splits[unit + 1]]
            if row != NO_ELECTRODE and len(own):
                agrees[unit] = row in own
            elif row != NO_ELECTRODE and self.groups is not None and self.own_group[unit]:
                agrees[unit] = self.groups[row] == self.own_group[unit]
        return agrees

    def within_groups(self, numbers: Rows) -> Rows:
        """Return the rows of the electrodes with these numbers, if numbers start at 0 within the group of each unit."""
        rows = np.full(len(numbers), NO_ELECTRODE, np.int64)
        if self.groups is None:
            return rows
        members = {name: np.flatnonzero(self.groups == name) for name in np.unique(self.groups).tolist()}
        for unit, number in enumerate(numbers.tolist()):
            own = members.get(str(self.own_group[unit]), np.empty(0, np.int64))
            if 0 <= number < len(own):
                rows[unit] = own[number]
        return rows


def find_peaks(
    units: Table,
    electrodes: Table,
    groups: Shaped[np.ndarray, " electrodes"] | None,
    own_group: Shaped[np.ndarray, " units"] | None,
    omissions: Omissions,
) -> Rows:
    """Find the row in the electrodes table of the electrode nearest to each unit, or -1 if none is stated.

    Three columns are tried in turn: `peak_channel_id` (an id, not a row), `max_electrode` (a row), and the references
    in `electrodes` (if there are several, the electrode with the largest `waveform_mean`). If one of the first two
    columns contradicts the references or the group, it is tested whether the column numbers the channels within each
    group. If this contradicts the other columns as well, the column is not used.

    Parameters
    ----------
    units, electrodes
        The tables.
    groups
        Group of each electrode; None if it is not stated.
    own_group
        Group that is stated for each unit; None if there is none.
    omissions
        Collects the columns that cannot be used.
    """
    name = omissions.attempt(lambda: find_region(units), None)
    splits, among = np.zeros(len(units) + 1, np.int64), np.empty(0, np.int64)
    if name is not None:
        splits, among = omissions.attempt(lambda: _referred(units, electrodes, name), (splits, among))
    evidence = _Evidence(
        among=among, splits=splits, groups=groups, own_group=_named_groups(among, splits, groups, own_group)
    )
    rows = np.full(len(units), NO_ELECTRODE, np.int64)
    for column in ("peak_channel_id", "max_electrode"):
        told = omissions.attempt(lambda column=column: _told(units, electrodes, column), None)  # type: ignore[misc]
        if told is not None:
            rows = np.where(rows == NO_ELECTRODE, _believed(units, column, *told, evidence), rows)
    largest = omissions.attempt(lambda: _largest_waveform(units, np.diff(splits)), np.zeros(len(units), np.int64))
    counts = np.diff(splits)
    referred = np.full(len(units), NO_ELECTRODE, np.int64)
    referred[counts > 0] = among[(splits[:-1] + largest)[counts > 0]]
    return np.where(rows == NO_ELECTRODE, referred, rows)


def _told(units: Table, electrodes: Table, column: str) -> tuple[Rows, Rows] | None:
    """Return the numbers in a column that states one electrode per unit, and the rows of these electrodes.

    Return None if there is no such column.

    Raises
    ------
    InvalidSource
        If the numbers are not whole, or refer to a row that does not exist.
    """
    if column not in units:
        return None
    numbers = units.integers(column, missing=NO_ELECTRODE)
    if column == "peak_channel_id":
        return numbers, _rows_of_ids(electrodes, numbers)
    _check_rows(numbers, units, electrodes)
    return numbers, numbers


def _believed(units: Table, column: str, numbers: Rows, rows: Rows, evidence: _Evidence) -> Rows:
    """Return the rows of a column that agree with the other columns, and warn if some rows do not agree."""
    agrees = evidence.agrees(rows)
    if agrees.all():
        return rows
    counted = evidence.within_groups(numbers)
    if np.all(counted[numbers >= 0] != NO_ELECTRODE) and evidence.agrees(counted).all():
        warn(
            f"{units.where}/{column} contradicts the electrodes or groups of {np.sum(~agrees)} of {len(units)} units "
            "if its values are rows of the electrodes table, so they are read as channel numbers within each group."
        )
        return counted
    warn(
        f"{units.where}/{column} contradicts the electrodes or groups of {np.sum(~agrees)} of {len(units)} units, "
        "and is ignored for those."
    )
    return np.where(agrees, rows, NO_ELECTRODE)


def _named_groups(
    among: Int64[np.ndarray, " referred"],
    splits: Splits,
    groups: Shaped[np.ndarray, " electrodes"] | None,
    own_group: Shaped[np.ndarray, " units"] | None,
) -> Shaped[np.ndarray, " units"]:
    """Return the group of each unit, from its electrodes or otherwise from the unit itself.

    It is "" if neither states a known group.
    """
    units = len(splits) - 1
    known = set() if groups is None else set(groups.tolist())
    named = [name if name in known else "" for name in ([""] * units if own_group is None else own_group.tolist())]
    for unit in range(units):
        own = among[splits[unit] : splits[unit + 1]]
        if groups is not None and len(own) and len(set(groups[own].tolist())) == 1:
            named[unit] = str(groups[own[0]])
    return np.array(named, np.str_)


def _rows_of_ids(electrodes: Table, wanted: Rows) -> Rows:
    """Return the rows with these ids. There is no row for an id that does not exist or is not unique."""
    ids = electrodes.ids().tolist()
    times = Counter(ids)
    row_of = {id_: row for row, id_ in enumerate(ids) if times[id_] == 1}
    return np.array([row_of.get(id_, NO_ELECTRODE) for id_ in wanted.tolist()], np.int64)


def _referred(units: Table, electrodes: Table, name: str) -> tuple[Splits, Int64[np.ndarray, " referred"]]:
    """Return the rows of the electrodes to which the units refer, and the index at which those of each unit begin."""
    splits = units.splits(name)
    referred = units.dataset(name).integers()
    _check_rows(referred, units, electrodes)
    return splits, referred


def _check_rows(rows: Int64[np.ndarray, " rows"], units: Table, electrodes: Table) -> None:
    for row in rows[(rows < NO_ELECTRODE) | (rows >= len(electrodes))]:
        raise invalid(units.where, f"refers to electrode row {row}, but {electrodes.where} has {len(electrodes)} rows")


def _largest_waveform(units: Table, counts: Rows) -> Rows:
    """Return which of a unit's first `counts` waveforms has the largest peak-to-peak amplitude, or 0 if not known."""
    largest = np.zeros(len(units), np.int64)
    if counts.max(initial=0) < 2 or "waveform_mean" not in units or units.is_ragged("waveform_mean"):
        return largest
    waveforms = units.dataset("waveform_mean")
    if len(waveforms.shape) != 3 or 0 in waveforms.shape or len(waveforms) != len(units):
        return largest
    for start in range(0, len(units), UNITS_AT_ONCE):
        block = slice(start, start + UNITS_AT_ONCE)
        volts = np.nan_to_num(waveforms.numbers(block).astype(np.float64), posinf=0.0, neginf=0.0)
        with np.errstate(over="ignore"):
            amplitude = np.ptp(volts, axis=1)  # the array has the axes units, samples and electrodes
        amplitude[np.arange(amplitude.shape[1]) >= counts[block, None]] = -1.0  # padding
        largest[block] = np.argmax(amplitude, axis=1)
    return largest
