"""The units table of an NWB file as a `Population`."""

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from nwb_neurid.activity import Spikes
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.intervals import Intervals, intersected, located, subtracted
from nwb_neurid.population import Population
from nwb_neurid.readers.nwb.electrodes import brain_region, group, peak_electrode, positions_um
from nwb_neurid.readers.nwb.file import opened
from nwb_neurid.readers.nwb.hdf5 import Group
from nwb_neurid.readers.nwb.observed import invalid_times, observation
from nwb_neurid.readers.nwb.opto import OPTO_MARGIN_S, opto_start
from nwb_neurid.readers.nwb.spikes import spike_trains
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
        spikes = spike_trains(units)
        ids = units.ids()
        if repeated := len(ids) - len(np.unique(ids)):
            _warn(f"{units.where}/id repeats {repeated} ids: units are addressed by their row.")
        observed_s, unit_observed = _usable(*observation(file, units, spikes), file, options)
        electrodes = _electrodes_table(file)
        peak = peak_electrode(units, electrodes)
        population = Population(
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
    _check_kept(population, spikes)
    return population


def _units_table(file: Group) -> Table:
    group = file.group("units")
    if group is None or group.dataset("spike_times") is None:
        found = "it has no units table" if group is None else "its units table has no spike_times"
        raise UnreadableSource(f"{file.file} has no spikes to embed: {found}. Name a file with sorted units.")
    units = Table(group)
    if len(units) == 0:
        raise UnreadableSource(f"{file.file} has no units: its units table is empty. Name a file with units.")
    if not units.is_ragged("spike_times"):
        raise InvalidSource(
            f"{units.where} has spike_times but no spike_times_index, so they belong to no unit. Validate the file."
        )
    return units


def _electrodes_table(file: Group) -> Table | None:
    electrodes = file.group("general/extracellular_ephys/electrodes")
    return None if electrodes is None else Table(electrodes)


def _usable(
    observed_s: Intervals,
    unit_observed: Bool[np.ndarray, "units intervals"] | None,
    file: Group,
    options: ReadOptions,
) -> tuple[Intervals, Bool[np.ndarray, "units pieces"] | None]:
    """Observed time without invalid and optogenetic time."""
    limits = observed_s[[0, -1], [0, 1]]
    usable = subtracted(observed_s, invalid_times(file).clip(*limits))
    if not options.keep_opto and (opto := opto_start(file)) is not None:
        start_s, where = opto
        before = intersected(usable, np.array([[-np.inf, start_s - OPTO_MARGIN_S]]))
        if np.diff(before).sum() < np.diff(usable).sum():
            usable = before
            _warn(
                f"{file.file}: optogenetic stimulation from {start_s:g} s ({where}). Observed time ends "
                f"{OPTO_MARGIN_S:g} s before it, at {start_s - OPTO_MARGIN_S:g} s; --keep-opto keeps all."
            )
    if len(usable) == 0:
        raise UnreadableSource(
            f"{file.file} has no observed time left: all of it is declared invalid, or follows optogenetic "
            "stimulation (--keep-opto keeps that)."
        )
    row = located(usable.mean(axis=1), observed_s)
    return usable, None if unit_observed is None else unit_observed[:, row]


def _check_kept(population: Population, read: Spikes) -> None:
    """Tell of spikes that were left out.

    Raises
    ------
    UnreadableSource
        If none is left.
    """
    kept, total = len(population.spikes.times_s), len(read.times_s)
    if kept == 0:
        raise UnreadableSource(
            f"{population.source}: none of its {total} spikes lies in observed time "
            f"({population.observed_s[0, 0]:g} to {population.observed_s[-1, 1]:g} s). Correct obs_intervals in the "
            "file; --keep-opto keeps what follows optogenetic stimulation."
        )
    if kept < total:
        _warn(f"{population.source}: {total - kept} of {total} spikes lie outside observed time and are left out.")


def _labels(
    units: Table, electrodes: Table | None, peak: Int64[np.ndarray, " units"]
) -> dict[str, Shaped[np.ndarray, " units"]]:
    """Every text column under its own name, and what is known of type and region under ours."""
    labels = {name: units.labels(name) for name in units.names() if units.is_text(name)}
    labels = {name: values for name, values in labels.items() if np.any(values != "")}
    for name in CELL_TYPE_COLUMNS:
        if name in labels:
            labels["cell_type"] = labels[name]
            break
    if (regions := brain_region(units, electrodes, peak)) is not None:
        labels["brain_region"] = regions
    return labels


def _text(file: Group, path: str) -> str:
    dataset = file.dataset(path)
    return str(dataset.texts()).strip() if dataset is not None and dataset.is_text and dataset.shape == () else ""


def _warn(message: str) -> None:
    warnings.warn(message, NeuridWarning, stacklevel=2)
