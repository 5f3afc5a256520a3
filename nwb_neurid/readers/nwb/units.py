"""The units table of an NWB file as a `Population`."""

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.activity import Spikes
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.population import Population
from nwb_neurid.readers.labels import find_labels
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.electrodes import brain_region, peak_electrode, positions_um
from nwb_neurid.readers.nwb.electrodes import group as electrode_group
from nwb_neurid.readers.nwb.metadata import session_id, subject_id
from nwb_neurid.readers.nwb.observed import observation
from nwb_neurid.readers.nwb.selection import units_left_out
from nwb_neurid.readers.nwb.spikes import spike_trains
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.nwb.usable_time import usable
from nwb_neurid.readers.nwb.waveforms import read_waveforms
from nwb_neurid.readers.warning import warn

PREDICTED = "\nndx-neurid {"
"""In the description of a column that we wrote (docs/format.md): what a model says is nothing that is known."""


def read_units(file: Group, group: Group | None, options: ReadOptions) -> Population:
    """Every row of the units table, silent units included.

    Labels are `cell_type`, `brain_region`, and every text column under its own name.

    Parameters
    ----------
    file
        The root of the file.
    group
        The units table; None where there is none.
    options
        `keep_opto` keeps optogenetic time, and what follows it; by default observed time ends 300 s before. `where`
        selects units by their columns; by default by what the data set says of their quality. `intervals` restricts
        observed time. `rate_hz` is the sampling rate of waveforms, where the file does not state it.

    Raises
    ------
    UnreadableSource
        If there are no units, or no spikes, or they cannot be read.
    InvalidSource
        If what they hold contradicts the NWB schema, or spike times are NaN.
    InvalidOption
        If `where` or `intervals` asks for what is not there.

    Warns
    -----
    NeuridWarning
        If ids repeat, spike times had to be sorted, the duration is not stated, or units or optogenetic time are left
        out.
    """
    units = _units_table(file, group)
    spikes = spike_trains(units)
    ids = units.ids()
    if repeated := len(ids) - len(np.unique(ids)):
        warn(f"{units.where}/id repeats {repeated} ids: units are addressed by their row.")
    excluded = units_left_out(units, options)
    observed_s, unit_observed = usable(*observation(file, units, spikes), file, options)
    electrodes = _electrodes_table(file)
    peak = peak_electrode(units, electrodes)
    waveforms = read_waveforms(units, options.rate_hz)
    population = Population(
        unit_ids=ids,
        activity=spikes,
        observed_s=observed_s,
        unit_observed=unit_observed,
        group=electrode_group(units, electrodes, peak),
        positions_um=positions_um(electrodes, peak),
        waveforms_uv=None if waveforms is None else waveforms.values_uv,
        waveform_rate_hz=None if waveforms is None else waveforms.rate_hz,
        labels=_labels(units, electrodes, peak),
        excluded=excluded,
        subject_id=subject_id(file),
        session_id=session_id(file),
        source=file.file,
        tables=(units.group.path,),
    )
    _check_kept(population, spikes, chosen=bool(options.intervals))
    return population


def _units_table(file: Group, group: Group | None) -> Table:
    if group is None or group.dataset("spike_times") is None:
        found = "it has no units table" if group is None else "its units table has no spike_times"
        raise UnreadableSource(
            f"{file.file} has no neurons to embed: {found}, and there are no traces of ROIs. Name a file with sorted "
            "units or traces."
        )
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


def _check_kept(population: Population, read: Spikes, *, chosen: bool) -> None:
    """Tell of spikes that were left out, unless the user chose the time.

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
    if kept < total and not chosen:
        warn(f"{population.source}: {total - kept} of {total} spikes lie outside observed time and are left out.")


def _labels(
    units: Table, electrodes: Table | None, peak: Int64[np.ndarray, " units"]
) -> dict[str, Shaped[np.ndarray, " units"]]:
    """Every text column under its own name, and what is known of type and region under ours; else of its electrode."""
    texts = [name for name in units.names() if units.is_text(name)]
    known = [name for name in texts if PREDICTED not in (units.dataset(name).text_attribute("description") or "")]
    labels = find_labels({name: units.texts(name).tolist() for name in known})
    if "brain_region" not in labels:
        labels |= find_labels({"brain_region": brain_region(electrodes, peak)})
    return labels
