"""The units table of an NWB file as a `Population`."""

import warnings
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nwb_neurid.activity import Spikes
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.intervals import Intervals, intersected, located, subtracted
from nwb_neurid.population import Population
from nwb_neurid.readers.nwb.electrodes import brain_region, group, peak_electrode, positions_um
from nwb_neurid.readers.nwb.file import opened
from nwb_neurid.readers.nwb.observed import OPTO_MARGIN_S, invalid_times, observation, opto_start
from nwb_neurid.readers.nwb.table import Table

CELL_TYPE_COLUMNS = ("cell_type", "putative_cell_type", "celltype", "neuron_type")


def read_units(path: Path, options: ReadOptions) -> Population:
    """Every row of the units table, silent units included.

    Labels are `cell_type`, `brain_region`, and every text column under its own name.

    Parameters
    ----------
    path
        An NWB file in HDF5.
    options
        `keep_opto` keeps optogenetic time, and what follows it; by default observed time ends 300 s before.

    Raises
    ------
    SourceNotFound, UnreadableSource
        If the file cannot be read, or has no units, or no spikes.
    InvalidSource
        If what it holds contradicts the NWB schema, or spike times are NaN.

    Warns
    -----
    NeuridWarning
        If ids repeat, spike times had to be sorted, the duration is not stated, or optogenetic time is left out.
    """
    with opened(path) as file:
        units = _units_table(file)
        spikes = _spikes(units)
        ids = units.ids()
        if repeated := len(ids) - len(np.unique(ids)):
            _warn(f"{units.where}/id repeats {repeated} ids: units are addressed by their row.")
        observed_s, unit_observed = _usable(*observation(units, spikes), file, options)
        electrodes = _electrodes_table(file)
        peak = peak_electrode(units, electrodes) if electrodes is not None else np.full(len(units), -1)
        return Population(
            unit_ids=ids,
            activity=spikes,
            observed_s=observed_s,
            unit_observed=unit_observed,
            group=group(units, electrodes, peak),
            positions_um=positions_um(electrodes, peak),
            labels=_labels(units, electrodes, peak),
            subject_id=_text(file, "general/subject/subject_id"),
            session_id=_text(file, "general/session_id") or _text(file, "identifier"),
            source=str(path),
        )


def _units_table(file: h5py.File) -> Table:
    units = file.get("units")
    if not isinstance(units, h5py.Group) or "spike_times" not in units:
        found = "its units table has no spike_times" if isinstance(units, h5py.Group) else "it has no units table"
        raise UnreadableSource(f"{file.filename} has no spikes to embed: {found}.")
    table = Table(units)
    if len(table) == 0:
        raise UnreadableSource(f"{file.filename} has no units: its units table is empty.")
    if not table.is_ragged("spike_times"):
        raise InvalidSource(f"{table.where} has spike_times but no spike_times_index, so they belong to no unit.")
    return table


def _electrodes_table(file: h5py.File) -> Table | None:
    electrodes = file.get("general/extracellular_ephys/electrodes")
    return Table(electrodes) if isinstance(electrodes, h5py.Group) and "id" in electrodes else None


def _spikes(units: Table) -> Spikes:
    """Spike trains, read in one piece: a compressed column read unit by unit would be unpacked once a unit."""
    dataset = units.group["spike_times"]
    splits = units.splits("spike_times")
    times = np.asarray(dataset[: splits[-1]], np.float64)
    if len(times) == 0:
        raise UnreadableSource(f"{units.where} has {len(units)} units but not one spike.")
    unsorted = _not_ascending(units, times, splits)
    for unit in unsorted:
        times[splits[unit] : splits[unit + 1]].sort()
    if len(unsorted):
        _warn(f"{units.where}/spike_times did not ascend in {len(unsorted)} of {len(units)} units: sorted.")
    resolution = float(dataset.attrs.get("resolution", 0.0))
    return Spikes(times_s=times, splits=splits, resolution_s=max(0.0, resolution) if resolution < np.inf else 0.0)


def _not_ascending(
    units: Table, times_s: Float64[np.ndarray, " spikes"], splits: Int64[np.ndarray, " units_and_one"]
) -> Int64[np.ndarray, " unsorted"]:
    """Rows whose spike times fall somewhere.

    Raises
    ------
    InvalidSource
        If a spike time is NaN or infinite.
    """
    finite = np.isfinite(times_s)
    if not finite.all():
        at = int(np.argmin(finite))
        row = int(np.searchsorted(splits, at, "right")) - 1
        raise InvalidSource(
            f"{units.where}/spike_times has {int((~finite).sum())} times that are NaN or infinite, the first in row "
            f"{row} (id {units.ids()[row]}). Remove them from the file."
        )
    falls = np.flatnonzero(times_s[1:] < times_s[:-1])
    rows = np.searchsorted(splits, falls, "right") - 1
    return np.unique(rows[rows == np.searchsorted(splits, falls + 1, "right") - 1])


def _usable(
    observed_s: Intervals,
    unit_observed: Bool[np.ndarray, "units intervals"] | None,
    file: h5py.File,
    options: ReadOptions,
) -> tuple[Intervals, Bool[np.ndarray, "units pieces"] | None]:
    """Observed time without invalid and optogenetic time."""
    usable = subtracted(observed_s, invalid_times(file))
    if not options.keep_opto and (opto := opto_start(file)) is not None:
        start, where = opto
        usable = intersected(usable, np.array([[-np.inf, start - OPTO_MARGIN_S]]))
        _warn(
            f"{file.filename}: optogenetic stimulation from {start:g} s ({where}). Observed time ends "
            f"{OPTO_MARGIN_S:g} s before it, at {start - OPTO_MARGIN_S:g} s; --keep-opto keeps all."
        )
    if len(usable) == 0:
        raise UnreadableSource(
            f"{file.filename} has no observed time left: all of it is declared invalid, or follows optogenetic "
            "stimulation (--keep-opto keeps that)."
        )
    row = located(usable.mean(axis=1), observed_s)
    return usable, None if unit_observed is None else unit_observed[:, row]


def _labels(
    units: Table, electrodes: Table | None, peak: Int64[np.ndarray, " units"]
) -> dict[str, Shaped[np.ndarray, " units"]]:
    labels = {name: units.labels(name) for name in units.names() if units.is_text(name) and not units.is_ragged(name)}
    for name in CELL_TYPE_COLUMNS:
        if name in labels and np.any(labels[name] != ""):
            labels["cell_type"] = labels[name]
            break
    if (regions := brain_region(units, electrodes, peak)) is not None:
        labels["brain_region"] = regions
    return {name: values for name, values in labels.items() if np.any(values != "")}


def _text(file: h5py.File, path: str) -> str:
    dataset = file.get(path)
    if not isinstance(dataset, h5py.Dataset) or h5py.check_string_dtype(dataset.dtype) is None or dataset.shape != ():
        return ""
    return str(dataset.asstr(errors="replace")[()]).strip()


def _warn(message: str) -> None:
    warnings.warn(message, NeuridWarning, stacklevel=2)
