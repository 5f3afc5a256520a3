"""Observed time of the units of an NWB file, without the time that the file declares invalid."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from nwb_neurid._system.warning import warn
from nwb_neurid.activity import Spikes
from nwb_neurid.intervals import EDGE_S, Intervals, merged
from nwb_neurid.readers.nwb.contents import Group, invalid
from nwb_neurid.readers.nwb.series import sample_times_s
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.trains import LATEST_S, extent_s


def observation(
    file: Group, units: Table, spikes: Spikes
) -> tuple[Intervals, Bool[np.ndarray, "units intervals"] | None]:
    """Find the observed time, and whether each unit was observed in each part of this time.

    Observed time is taken from `obs_intervals` if the file has this column. Otherwise, it lasts from the start of the
    first to the end of the last epoch or raw recording, if all spikes lie within this time. If they do not, it lasts
    from the first spike to the last spike, and a warning is issued.

    Raises
    ------
    InvalidSource
        If `obs_intervals` are not intervals.
    """
    per_unit = _obs_intervals(units)
    if any(np.any(np.diff(own) > EDGE_S) for own in per_unit):
        return _split_at_changes(per_unit)
    first, last = extent_s(spikes)
    stated = list(_stated_extents(file))
    if stated:
        start, stop = min(start for start, _ in stated), max(stop for _, stop in stated)
        if start - EDGE_S <= first and last < stop - EDGE_S:
            return np.array([[start, stop]]), None
    warn(
        f"{file.file} does not state when its units were observed: taken from the first spike ({first:g} s) to the "
        f"last ({last:g} s)."
    )
    return np.array([[first, last + 2 * EDGE_S]]), None


def _obs_intervals(units: Table) -> list[Float64[np.ndarray, "_ 2"]]:
    """Return the observed intervals of each unit. The list is empty if the file has no such column.

    Raises
    ------
    InvalidSource
        If the column does not contain pairs of start and stop.
    """
    if "obs_intervals" not in units:
        return []
    splits = units.splits("obs_intervals")
    rows = units.dataset("obs_intervals").numbers().astype(np.float64)
    if rows.shape[1:] != (2,) or not np.all(np.abs(rows) < LATEST_S) or np.any(rows[:, 1] < rows[:, 0]):
        raise invalid(f"{units.where}/obs_intervals", "must be pairs of start and stop in seconds, some are not")
    return np.split(rows, splits[1:-1])


def _split_at_changes(
    per_unit_s: Sequence[Float64[np.ndarray, "_ 2"]],
) -> tuple[Float64[np.ndarray, "pieces 2"], Bool[np.ndarray, "units pieces"] | None]:
    """Split time where the set of observed units changes, and return which unit was observed in which interval."""
    same_length = len({len(own) for own in per_unit_s}) == 1
    if same_length and np.array_equal(np.concatenate(per_unit_s), np.tile(per_unit_s[0], (len(per_unit_s), 1))):
        return merged(per_unit_s[0]), None
    runs = [merged(own) for own in per_unit_s]
    edges = np.unique(np.concatenate(runs))
    edges = edges[np.diff(edges, prepend=-np.inf) > EDGE_S]
    middle = edges[:-1] + np.diff(edges) / 2
    observed = np.zeros((len(runs), len(middle)), bool)
    for unit, own in enumerate(runs):
        started = np.searchsorted(own[:, 0], middle, "right")
        stopped = np.searchsorted(own[:, 1], middle, "right")
        observed[unit] = started > stopped
    by_any = observed.any(axis=0)
    return np.column_stack([edges[:-1], edges[1:]])[by_any], observed[:, by_any]


def _stated_extents(file: Group) -> Iterator[tuple[float, float]]:
    """Yield the start and the stop of the epochs and of each raw electrical recording, in seconds."""
    epochs = file.group("intervals/epochs")
    if epochs is not None and (table := Table(epochs)).has_spans:
        spans = table.spans_s()
        if len(known := spans[np.all(np.abs(spans) < LATEST_S, axis=1)]):  # this also excludes NaN
            yield float(known[:, 0].min()), float(known[:, 1].max())
    for series in file.groups("acquisition"):
        data = series.dataset("data")
        if series.attribute("neurodata_type") == "ElectricalSeries" and data is not None and len(data) > 1:
            start, stop = sample_times_s(series, np.array([0, len(data) - 1])).tolist()
            if max(abs(start), abs(stop)) < LATEST_S:
                yield start, stop
