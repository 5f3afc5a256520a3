"""When the units of an NWB file were observed, and which of that time must not be used."""

import re
import warnings
from collections.abc import Iterator
from itertools import pairwise

import h5py
import numpy as np
from jaxtyping import Bool, Float64, Int64

from nwb_neurid.activity import Spikes
from nwb_neurid.errors import InvalidSource, NeuridWarning
from nwb_neurid.intervals import EDGE_S, Intervals, merged
from nwb_neurid.readers.nwb.table import Table

OPTO_MARGIN_S = 300.0
"""How long before the first stimulation observed time ends (as in the preprocessing of NuCLR, arXiv 2512.01199)."""

_OPTO_NAME = re.compile(r"opto|laser|photo_?stim", re.IGNORECASE)


def observation(units: Table, spikes: Spikes) -> tuple[Intervals, Bool[np.ndarray, "units intervals"] | None]:
    """Observed time and which unit was observed in which part of it.

    From `obs_intervals` where the file has them. Otherwise from the first moment to the last that the file gives
    word of: its epochs and raw recordings, if all spikes lie within them, or else the spikes themselves, with a
    warning.

    Raises
    ------
    InvalidSource
        If `obs_intervals` are not intervals.
    """
    if "obs_intervals" in units:
        intervals = np.asarray(units.group["obs_intervals"][:], np.float64)
        if intervals.ndim != 2 or intervals.shape[1] != 2 or not np.isfinite(intervals).all():
            raise InvalidSource(f"{units.where}/obs_intervals must be finite pairs of start and stop.")
        return _split_at_changes(intervals, units.splits("obs_intervals"))
    first, last = spikes.times_s.min(), spikes.times_s.max()
    stated = list(_stated_extents(units.group.file))
    if stated:
        start, stop = min(extent[0] for extent in stated), max(extent[1] for extent in stated)
        if start <= first and last < stop - EDGE_S:
            return np.array([[start, stop]]), None
    warnings.warn(
        f"{units.group.file.filename} does not state when its units were observed: taken from the first spike "
        f"({first:g} s) to the last ({last:g} s).",
        NeuridWarning,
        stacklevel=2,
    )
    return np.array([[first, last + 2 * EDGE_S]]), None


def _split_at_changes(
    intervals_s: Intervals, splits: Int64[np.ndarray, " units_and_one"]
) -> tuple[Intervals, Bool[np.ndarray, "units pieces"] | None]:
    """Intervals per unit as pieces of time common to all, and which unit was observed in which piece."""
    per_unit = [merged(intervals_s[first:last]) for first, last in pairwise(splits)]
    if all(np.array_equal(one, per_unit[0]) for one in per_unit):
        return per_unit[0], None
    edges = np.unique(np.concatenate(per_unit))
    edges = edges[np.r_[True, np.diff(edges) > EDGE_S]]
    middle = (edges[:-1] + edges[1:]) / 2
    observed = np.zeros((len(per_unit), len(middle)), bool)
    for unit, own in enumerate(per_unit):
        started = np.searchsorted(own[:, 0], middle, "right")
        stopped = np.searchsorted(own[:, 1], middle, "right")
        observed[unit] = started > stopped
    by_any = observed.any(axis=0)
    return np.column_stack([edges[:-1], edges[1:]])[by_any], observed[:, by_any]


def _stated_extents(file: h5py.File) -> Iterator[tuple[float, float]]:
    """Start and stop of the epochs and of each raw electrical recording, in seconds."""
    epochs = file.get("intervals/epochs")
    if epochs is not None and len(intervals := interval_table(epochs)):
        yield float(intervals[:, 0].min()), float(intervals[:, 1].max())
    for series in file.get("acquisition", {}).values():
        if _type(series) == "ElectricalSeries" and "data" in series and len(series["data"]) > 1:
            times = _sample_times(series, np.array([0, len(series["data"]) - 1]))
            yield float(times[0]), float(times[1])


def invalid_times(file: h5py.File) -> Intervals:
    """The time that the file declares invalid, in seconds."""
    table = file.get("intervals/invalid_times")
    return np.empty((0, 2)) if table is None else interval_table(table)


def interval_table(group: h5py.Group) -> Float64[np.ndarray, "rows 2"]:
    """The rows of a TimeIntervals table that have a start and a stop, in seconds."""
    table = Table(group)
    if "start_time" not in table or "stop_time" not in table:
        return np.empty((0, 2))
    rows = np.column_stack([table.column("start_time"), table.column("stop_time")]).astype(np.float64)
    return rows[np.isfinite(rows).all(axis=1)]


def opto_start(file: h5py.File) -> tuple[float, str] | None:
    """When optogenetic stimulation begins, in seconds, and where the file says so; None if it says nothing of it."""
    found = [*_opto_series(file), *_opto_intervals(file)]
    return min(found) if found else None


def _opto_series(file: h5py.File) -> Iterator[tuple[float, str]]:
    """From series of laser power: the first sample above zero."""
    for series in _children(file, "stimulus/presentation", "acquisition", "processing/*"):
        if _type(series) == "OptogeneticSeries" and "data" in series:
            power = np.asarray(series["data"][:])
            on = np.flatnonzero(power != 0 if power.ndim == 1 else power.any(axis=1))
            if len(on):
                yield float(_sample_times(series, on[:1])[0]), series.name


def _opto_intervals(file: h5py.File) -> Iterator[tuple[float, str]]:
    """From tables of intervals whose name, or whose module's name, tells of stimulation by light."""
    for table in _children(file, "intervals", "stimulus/presentation", "processing/*"):
        if isinstance(table, h5py.Group) and _OPTO_NAME.search(table.name) and "start_time" in table:
            starts = np.asarray(table["start_time"][:], np.float64)
            if np.isfinite(starts).any():
                yield float(np.nanmin(starts)), table.name


def _children(file: h5py.File, *paths: str) -> Iterator[h5py.Group]:
    """The groups in these groups; a path that ends in `/*` stands for every group in it."""
    for path in paths:
        parent = file.get(path.removesuffix("/*"), {})
        parents = parent.values() if path.endswith("/*") else [parent]
        for group in parents:
            yield from (child for child in group.values() if isinstance(child, h5py.Group))


def _sample_times(series: h5py.Group, samples: Int64[np.ndarray, " samples"]) -> Float64[np.ndarray, " samples"]:
    if "timestamps" in series:
        return np.asarray(series["timestamps"][:], np.float64)[samples]
    starting_time = series["starting_time"]
    return float(starting_time[()]) + samples / float(starting_time.attrs["rate"])


def _type(item: h5py.HLObject) -> str:
    return str(item.attrs.get("neurodata_type", ""))
