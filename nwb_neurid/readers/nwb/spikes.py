"""The spike trains of a units table."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid._system.warning import warn
from nwb_neurid.activity import Spikes
from nwb_neurid.errors import InvalidPopulation, InvalidSource, UnreadableSource
from nwb_neurid.readers.clock import check_one_clock, check_resolution, check_seconds
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.trains import LATEST_S, extent_s

ADVICE = "divide them by the sampling rate in the file"


def spike_trains(units: Table) -> Spikes:
    """Spike trains of all units. Trains that are not sorted in the file are sorted.

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
    resolution_s = dataset.attribute("resolution") or 0.0  # -1 and NaN stand for "not known"
    resolution_s = resolution_s if 0 < resolution_s < LATEST_S else 0.0
    try:
        spikes = Spikes(times_s=times, splits=splits, resolution_s=resolution_s)
    except InvalidPopulation:  # where nothing is wrong, one look at many million times is enough
        _check_times(units, times, splits)
        spikes = Spikes(times_s=_ascending(units, times, splits), splits=splits, resolution_s=resolution_s)
    if max(np.abs(extent_s(spikes))) >= LATEST_S:
        _check_times(units, times, splits)
    if stored.dtype.kind in "iu":
        warn(f"{dataset.where} are whole numbers: if they count samples, {ADVICE}.")
    else:
        check_seconds(spikes, dataset.where, ADVICE)
    believed = check_resolution(spikes, resolution_s, dataset.where)
    return spikes if believed == resolution_s else replace(spikes, resolution_s=believed)


def _check_times(
    units: Table, times_s: Float64[np.ndarray, " spikes"], splits: Int64[np.ndarray, " units_and_one"]
) -> None:
    """Refuse spike times that are none.

    Raises
    ------
    InvalidSource
        If a spike time is NaN, infinite, or 136 years away.
    """
    wrong = np.flatnonzero(~(np.abs(times_s) < LATEST_S))
    if len(wrong) == 0:
        return
    row = int(np.searchsorted(splits, wrong[0], "right")) - 1
    raise InvalidSource(
        f"{units.where}/spike_times must be finite seconds of the session clock, {len(wrong)} of {len(times_s)} are "
        f"not, the first in row {row} (id {units.ids()[row]}): {times_s[wrong[0]]} s. Correct them in the file."
    )


def _ascending(
    units: Table, times_s: Float64[np.ndarray, " spikes"], splits: Int64[np.ndarray, " units_and_one"]
) -> Float64[np.ndarray, " spikes"]:
    """The same times, sorted within each unit, with a warning."""
    check_one_clock(times_s, splits, f"{units.where}/spike_times")
    trains = np.split(times_s, splits[1:-1])
    unsorted = sum(bool(np.any(np.diff(train) < 0)) for train in trains)
    warn(f"{units.where}/spike_times were not in ascending order in {unsorted} of {len(units)} units, and were sorted.")
    return np.concatenate([np.sort(train) for train in trains])
