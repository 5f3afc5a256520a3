"""Where units sit: the electrode of each unit, its region, position and group.

Real files name the electrode of a unit in three ways; the order here was found by trying them on the layouts of the
Allen Institute, the IBL, Steinmetz et al. 2019 and the Buzsaki lab.
"""

from collections import Counter

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.nwb.table import Table

NO_ELECTRODE = -1
UNITS_AT_ONCE = 256


def peak_electrode(units: Table, electrodes: Table | None) -> Int64[np.ndarray, " units"]:
    """Row in the electrodes table of the electrode nearest to each unit; -1 where none is named.

    By `peak_channel_id`, which is an id and no row, then by the row in `max_electrode`, then by the references in
    `electrodes`, of several the one where `waveform_mean` is largest.

    Raises
    ------
    InvalidSource
        If a unit refers to a row that does not exist.
    """
    rows = np.full(len(units), NO_ELECTRODE, np.int64)
    if electrodes is None:
        return rows
    if "peak_channel_id" in units:
        rows = _rows_of_ids(electrodes, units.integers("peak_channel_id", missing=NO_ELECTRODE))
    if "max_electrode" in units:
        rows = np.where(rows == NO_ELECTRODE, units.integers("max_electrode", missing=NO_ELECTRODE), rows)
    if "electrodes" in units:
        rows = np.where(rows == NO_ELECTRODE, _electrode_of_largest_waveform(units), rows)
    for row in rows[(rows < NO_ELECTRODE) | (rows >= len(electrodes))]:
        raise InvalidSource(
            f"{units.where} refers to electrode row {row}, but {electrodes.where} has {len(electrodes)} rows. Validate "
            "the file."
        )
    return rows


def _rows_of_ids(electrodes: Table, wanted: Int64[np.ndarray, " units"]) -> Int64[np.ndarray, " units"]:
    """Rows of these ids; none for an id that is not there, or there more than once."""
    ids = electrodes.ids().tolist()
    times = Counter(ids)
    row_of = {id_: row for row, id_ in enumerate(ids) if times[id_] == 1}
    return np.array([row_of.get(id_, NO_ELECTRODE) for id_ in wanted.tolist()], np.int64)


def _electrode_of_largest_waveform(units: Table) -> Int64[np.ndarray, " units"]:
    """Of the electrodes that a unit refers to, the one where its mean waveform is largest, or else the first."""
    splits = units.splits("electrodes")
    counts = np.diff(splits)
    referred = units.dataset("electrodes").integers(slice(0, splits[-1]))
    rows = np.full(len(units), NO_ELECTRODE, np.int64)
    rows[counts > 0] = referred[(splits[:-1] + _largest_waveform(units, counts))[counts > 0]]
    return rows


def _largest_waveform(units: Table, counts: Int64[np.ndarray, " units"]) -> Int64[np.ndarray, " units"]:
    """Which of its first `counts` waveforms has the largest peak-to-peak amplitude; 0 where that is not told."""
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
            amplitude = np.ptp(volts, axis=1)  # over (units, samples, electrodes)
        amplitude[np.arange(amplitude.shape[1]) >= counts[block, None]] = -1.0  # padding
        largest[block] = np.argmax(amplitude, axis=1)
    return largest


def at_electrode(values: Shaped[np.ndarray, "electrodes ..."], row: Int64[np.ndarray, " units"]) -> np.ndarray:
    """The text or numbers at the electrode of each unit; "" or NaN for a unit without one."""
    missing = np.full((1, *values.shape[1:]), "" if values.dtype.kind == "U" else np.nan, values.dtype)
    return np.concatenate([values, missing])[row]  # NO_ELECTRODE is the last row


def brain_region(electrodes: Table | None, peak: Int64[np.ndarray, " units"]) -> list[str]:
    """Location of the electrode of each unit, "" where unknown."""
    if electrodes is None or not electrodes.is_text("location"):
        return [""] * len(peak)
    regions: list[str] = at_electrode(electrodes.labels("location"), peak).tolist()
    return regions


def positions_um(electrodes: Table | None, peak: Int64[np.ndarray, " units"]) -> Float32[np.ndarray, "units 3"] | None:
    """Position of the electrode of each unit in micrometres: `x`, `y`, `z`, or else `rel_x`, `rel_y`, `rel_z`.

    None where the table has none, or the same for all electrodes, or zeros: a placeholder.
    """
    if electrodes is None:
        return None
    for names in (("x", "y", "z"), ("rel_x", "rel_y", "rel_z")):
        told = {axis: electrodes.numbers(name) for axis, name in enumerate(names) if name in electrodes}
        if len(told) < 2:
            continue
        places = np.zeros((len(electrodes), 3), np.float32)
        with np.errstate(over="ignore"):
            for axis, values in told.items():
                places[:, axis] = values
        places[~np.isfinite(places).all(axis=1)] = np.nan
        known = places[~np.isnan(places[:, 0])]
        if known.any() and (len(places) == 1 or np.any(known != known[0])):
            return at_electrode(places, peak)
    return None


def group(
    units: Table, electrodes: Table | None, peak: Int64[np.ndarray, " units"]
) -> Shaped[np.ndarray, " units"] | None:
    """Electrode group (probe, shank) of each unit, None where it is not told."""
    if "electrode_group" in units and units.dataset("electrode_group").is_reference:
        return units.referred("electrode_group")
    if electrodes is not None and electrodes.is_text("group_name") and np.any(peak != NO_ELECTRODE):
        return at_electrode(electrodes.texts("group_name"), peak)
    if units.is_text("probe_name"):
        return units.texts("probe_name")
    return None
