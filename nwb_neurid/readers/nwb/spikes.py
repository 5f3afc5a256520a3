"""The spike trains of a units table."""

import numpy as np

from nwb_neurid._system.warning import warn
from nwb_neurid.activity import Spikes
from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.clock import check_seconds
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.trains import LATEST_S, check_times, sort_spikes

ADVICE = "divide them by the sampling rate in the file"


def spike_trains(units: Table) -> Spikes:
    """Return the spike trains of all units. Trains that are not sorted in the file are sorted.

    The column is read at once. If a compressed column were read unit by unit, it would be unpacked once per unit.

    Raises
    ------
    UnreadableSource
        If there are no spikes, or the column cannot be read.
    InvalidSource
        If spike times are not finite, or their clock restarts.

    Warns
    -----
    NeuridWarning
        If spike times had to be sorted, may not be in seconds, or contradict the resolution that the file states.
    """
    dataset = units.dataset("spike_times")
    splits = units.splits("spike_times")
    stored = dataset.column()
    if len(stored) == 0:
        raise UnreadableSource(f"{units.where} has {len(units)} units but no spikes. Choose a file with spikes.")
    times = stored.astype(np.float64, copy=False)

    def name_unit(at: int) -> str:
        row = int(np.searchsorted(splits, at, "right")) - 1
        return f"in row {row} (id {units.ids()[row]})"

    resolution_s = dataset.attribute("resolution") or 0.0  # -1 and NaN mean that it is not known
    resolution_s = resolution_s if 0 < resolution_s < LATEST_S else 0.0
    spikes = sort_spikes(
        times, splits, resolution_s, dataset.where, lambda: check_times(times, dataset.where, name_unit)
    )
    if stored.dtype.kind in "iu":
        warn(f"{dataset.where} are whole numbers: if they count samples, {ADVICE}.")
    else:
        check_seconds(spikes, dataset.where, ADVICE)
    return spikes
