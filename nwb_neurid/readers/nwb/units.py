"""The units table of an NWB file as a `Population`."""

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import UnreadableSource
from nwb_neurid.population import Population
from nwb_neurid.readers.labels import find_labels
from nwb_neurid.readers.nwb.contents import Group, invalid
from nwb_neurid.readers.nwb.electrodes import Places, read_places
from nwb_neurid.readers.nwb.metadata import session_id, subject_id
from nwb_neurid.readers.nwb.observed import observation
from nwb_neurid.readers.nwb.selection import leave_out_units
from nwb_neurid.readers.nwb.spikes import spike_trains
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.nwb.usable_time import find_usable
from nwb_neurid.readers.nwb.waveforms import read_waveforms
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.segments import check_kept


def read_units(file: Group, group: Group | None, options: ReadOptions) -> Population:
    """Read all rows of the units table, including silent units.

    Labels are `cell_type`, `brain_region`, and every text column under its own name.

    Parameters
    ----------
    file
        The root of the file.
    group
        The units table; None if there is none.
    options
        `keep_opto` keeps optogenetic stimulation and the time after it. By default, observed time ends 300 s before
        the first stimulation. `where` selects units by their columns. By default, units are selected by the quality
        columns of the data set. `intervals` restricts observed time. `rate_hz` is the sampling rate of waveforms, if
        the file does not state it.

    Raises
    ------
    UnreadableSource
        If there are no units or no spikes, or if they cannot be read.
    InvalidSource
        If the content of the table contradicts the NWB schema, or spike times are NaN.
    InvalidOption
        If `where` or `intervals` matches nothing in the source.

    Warns
    -----
    NeuridWarning
        If ids repeat, spike times had to be sorted, the duration is not stated, or if units, optogenetic time, or
        columns with positions, labels or quality are left out.
    """
    units = _units_table(file, group)
    spikes = spike_trains(units)
    ids = units.ids()
    if repeated := len(ids) - len(np.unique(ids)):
        warn(f"{units.where}/id repeats {repeated} ids, so units are identified by row index.")
    omissions = Omissions(file.file)
    places = read_places(file, units, omissions)
    observed_s, unit_observed = find_usable(*observation(file, units, spikes), file, places.group, options, omissions)
    waveforms_uv, waveform_rate_hz = read_waveforms(units, options.rate_hz)
    population = Population(
        unit_ids=ids,
        activity=spikes.within(observed_s, unit_observed),
        observed_s=observed_s,
        unit_observed=unit_observed,
        group=places.group,
        positions_um=places.positions_um,
        waveforms_uv=waveforms_uv,
        waveform_rate_hz=waveform_rate_hz,
        labels=_labels(units, places, omissions),
        excluded=leave_out_units(units, options, omissions),
        subject_id=subject_id(file),
        session_id=session_id(file),
        source=file.file,
        tables=(units.group.path,),
    )
    omissions.warn()
    advice = "Correct obs_intervals in the file; --keep-opto keeps what follows optogenetic stimulation."
    check_kept(population, len(spikes.times_s), advice, chosen=bool(options.intervals))
    return population


def _units_table(file: Group, group: Group | None) -> Table:
    if group is None or group.dataset("spike_times") is None:
        found = "it has no units table" if group is None else "its units table has no spike_times"
        raise UnreadableSource(
            f"{file.file} has no neurons to embed: {found}, and there are no traces of ROIs. Choose a file with "
            "sorted units or traces."
        )
    units = Table(group)
    if len(units) == 0:
        raise UnreadableSource(f"{file.file} has no units: its units table is empty. Choose a file with units.")
    if not units.is_ragged("spike_times"):
        raise invalid(units.where, "has spike_times but no spike_times_index, so spikes cannot be assigned to units")
    return units


def _labels(units: Table, places: Places, omissions: Omissions) -> dict[str, Shaped[np.ndarray, " units"]]:
    """Return every text column under its own name.

    Cell type and region are also returned under the names of this package.

    If the units table has no region, the region of the electrode is used.
    """
    labels = find_labels(units.known_texts(omissions))
    if "brain_region" not in labels:
        labels |= find_labels({"brain_region": places.regions})
    return labels
