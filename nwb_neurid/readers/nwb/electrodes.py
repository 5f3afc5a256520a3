"""Where units sit: the electrode of each unit, its region, position and group.

Real files name the electrode of a unit in four ways; the order here was found by trying them on the layouts of the
Allen Institute, the IBL, Steinmetz et al. 2019 and the Buzsaki lab.
"""

import h5py
import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.nwb.table import Table

REGION_COLUMNS = ("location", "region", "brain_region", "brain_area", "structure_acronym")
NO_ELECTRODE = -1


def peak_electrode(units: Table, electrodes: Table) -> Int64[np.ndarray, " units"]:
    """Row in the electrodes table of the electrode nearest to each unit; -1 where none is named.

    Raises
    ------
    InvalidSource
        If a unit refers to an electrode that does not exist.
    """
    if "peak_channel_id" in units:
        row_of_id = {int(id_): row for row, id_ in enumerate(electrodes.ids())}
        return np.array([row_of_id.get(int(id_), NO_ELECTRODE) for id_ in units.column("peak_channel_id")], np.int64)
    if "max_electrode" in units:
        rows = units.column("max_electrode").astype(np.int64)
    elif "electrodes" in units:
        rows = _electrode_of_largest_waveform(units)
    else:
        return np.full(len(units), NO_ELECTRODE, np.int64)
    if np.any(rows >= len(electrodes)):
        raise InvalidSource(
            f"{units.where} refers to electrode row {rows.max()}, but {electrodes.where} has {len(electrodes)} rows."
        )
    return rows


def _electrode_of_largest_waveform(units: Table) -> Int64[np.ndarray, " units"]:
    """Of several electrodes of a unit, the one where `waveform_mean` has the largest peak-to-peak amplitude."""
    flat = np.asarray(units.group["electrodes"][:]).astype(np.int64)
    splits = units.splits("electrodes")
    offset = np.zeros(len(units), np.int64)
    counts = np.diff(splits)
    if counts.max(initial=0) > 1 and "waveform_mean" in units and not units.is_ragged("waveform_mean"):
        waveforms = units.group["waveform_mean"]  # (units, samples, electrodes), or (units, samples)
        for unit in np.flatnonzero(counts > 1) if waveforms.ndim == 3 else ():
            waveform = np.nan_to_num(waveforms[unit, :, : counts[unit]])
            offset[unit] = np.argmax(np.ptp(waveform, axis=0))
    rows = np.full(len(units), NO_ELECTRODE, np.int64)
    has = counts > 0
    rows[has] = flat[(splits[:-1] + offset)[has]]
    return rows


def at_electrode(values: Shaped[np.ndarray, " electrodes"], row: Int64[np.ndarray, " units"]) -> np.ndarray:
    """The value at the electrode of each unit; "" or NaN for a unit without one."""
    missing = "" if values.dtype.kind == "U" else np.nan
    return np.append(values, np.array([missing]).astype(values.dtype))[row]


def brain_region(
    units: Table, electrodes: Table | None, peak: Int64[np.ndarray, " units"]
) -> Shaped[np.ndarray, " units"] | None:
    """Region of each unit, "" where unknown: from the first column that knows any, of units, then of electrodes."""
    for name in REGION_COLUMNS:
        if name in units and units.is_text(name) and np.any((regions := units.labels(name)) != ""):
            return regions
    if electrodes is not None and "location" in electrodes and electrodes.is_text("location"):
        regions = at_electrode(electrodes.labels("location"), peak)
        return regions if np.any(regions != "") else None
    return None


def positions_um(electrodes: Table | None, peak: Int64[np.ndarray, " units"]) -> Float32[np.ndarray, "units 3"] | None:
    """Position of the electrode of each unit in micrometres: `x`, `y`, `z`, or else `rel_x`, `rel_y`, `rel_z`.

    None where the table has none, or the same for all electrodes (a placeholder).
    """
    if electrodes is None:
        return None
    for names in (("x", "y", "z"), ("rel_x", "rel_y", "rel_z")):
        axes = [electrodes.column(name).astype(np.float32) for name in names if name in electrodes]
        if len(axes) < 2:
            continue
        axes += [np.zeros_like(axes[0])] * (3 - len(axes))
        table = np.column_stack(axes)
        told_apart = len(table) == 1 or len(np.unique(table[~np.isnan(table).any(axis=1)], axis=0)) > 1
        if told_apart and not np.isnan(table).any(axis=1).all():
            return np.column_stack([at_electrode(axis, peak) for axis in table.T])
    return None


def group(
    units: Table, electrodes: Table | None, peak: Int64[np.ndarray, " units"]
) -> Shaped[np.ndarray, " units"] | None:
    """Electrode group (probe, shank) of each unit, None where it is not told."""
    if "electrode_group" in units and h5py.check_ref_dtype(units.group["electrode_group"].dtype) is h5py.Reference:
        return units.referred("electrode_group")
    if electrodes is not None and "group_name" in electrodes and np.any(peak != NO_ELECTRODE):
        return at_electrode(electrodes.column("group_name").astype(np.str_), peak)
    if "probe_name" in units and units.is_text("probe_name"):
        return units.column("probe_name").astype(np.str_)
    return None
