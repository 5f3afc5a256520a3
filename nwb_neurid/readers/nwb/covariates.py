"""Behaviour and stimulus of an NWB file as covariates.

Covariates are optional. A series that cannot be read is left out with a warning.
"""

import math
import re
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from jaxtyping import Float32, Float64

from nwb_neurid.errors import InvalidSource, NeuridError
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Series
from nwb_neurid.readers.nwb.contents import Dataset, Group, invalid
from nwb_neurid.readers.nwb.opto import is_opto
from nwb_neurid.readers.nwb.series import times_s
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.nwb.variables import categories, variable, variable_names
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.trains import LATEST_S

MOST_VALUES = 50_000_000
"""Maximum number of values of a series. Longer series are left out, because reading them would need more than 1 GB."""

JITTER = 0.2
"""A step is regular if it differs from the median step by at most this share of the median step."""

RHYTHM = 0.75
"""A series is regular if at least this share of its steps is regular. Series of licks, which come in bouts, are not."""

PLACES = ("processing", "acquisition", "stimulus/presentation", "events", "intervals")

NEURAL = frozenset({"ecephys", "icephys", "ogen", "ophys"})
"""Processing modules with neural data, by the names that the NWB schema recommends."""

CONTAINERS = frozenset(
    {
        "BehavioralEpochs",
        "BehavioralEvents",
        "BehavioralTimeSeries",
        "CompassDirection",
        "EllipseEyeTracking",  # ndx-ellipse-eye-tracking
        "EyeTracking",
        "PoseEstimation",  # ndx-pose
        "Position",
        "PupilTracking",
    }
)
SPATIAL = frozenset({"EllipseSeries", "PoseEstimationSeries", "SpatialSeries"})
SAMPLED = frozenset({"AbstractFeatureSeries", "TimeSeries", *SPATIAL})
ANNOTATED = frozenset({"AnnotationSeries", "LabeledEvents", "TTLs"})  # the latter two: ndx-events

_EVENT_NAME = re.compile(r"lick|reward", re.IGNORECASE)


def covariates(file: Group) -> dict[str, Series]:
    """Return behaviour and stimulus in a file, by path without the folder that the schema prescribes.

    Covariates are series in the stimulus, in the acquisition and in modules without neural data, and columns of
    tables of intervals. Images, electrical series and optogenetic stimulation are not included.

    Parameters
    ----------
    file
        The root of the file.

    Warns
    -----
    NeuridWarning
        If series are left out. The warning lists these series, with reasons.
    """
    found: dict[str, Series] = {}
    omissions = Omissions(file.file)
    for place in PLACES:
        try:
            for path, make in _candidates(file, place):
                name = path.removeprefix(f"/{place}/")
                series = omissions.attempt(make, None)
                if series is not None:
                    found[path.strip("/") if name in found else name] = series
        except NeuridError as error:  # the folder itself cannot be read
            omissions.note(str(error))
    omissions.warn("left out of the covariates")
    return dict(sorted(found.items()))


def _candidates(file: Group, place: str) -> Iterator[tuple[str, Callable[[], Series | None]]]:
    """Yield the path of each possible covariate, and the function that reads it."""
    if (folder := file.group(place)) is None:
        return
    modules = [folder]
    if place == "processing":
        modules = [module for module in folder.groups() if module.path.rpartition("/")[2] not in NEURAL]
    for module in modules:
        for item in module.groups():
            kind = item.attribute("neurodata_type") or ""
            for one in item.groups() if kind in CONTAINERS else [item]:
                if not is_opto(one.path, one.attribute("description") or ""):
                    yield from _readers(one, kind == "BehavioralEvents")


def _readers(item: Group, holds_events: bool) -> Iterator[tuple[str, Callable[[], Series | None]]]:
    kind = item.attribute("neurodata_type") or ""
    if kind in SAMPLED:
        yield item.path, partial(_sampled, item, kind, holds_events)
    elif kind in ANNOTATED:
        yield item.path, partial(_annotated, item)
    elif kind == "IntervalSeries":
        yield item.path, partial(_states, item)
    elif kind == "Events":  # ndx-events
        yield item.path, partial(_events, item, "timestamps")
    elif kind == "EventsTable":
        yield item.path, partial(_events, item, "timestamp")
    elif kind == "TimeIntervals" and not item.path.endswith("/invalid_times"):
        table = Table(item)
        for name in variable_names(table):
            yield f"{item.path}/{name}", partial(variable, table, name)


def _sampled(series: Group, kind: str, holds_events: bool) -> Series | None:
    """Read a series of numbers. Return None if it is empty.

    Raises
    ------
    InvalidSource
        If the data are not numbers of shape (samples,) or (samples, channels), have too many values, or have no times.
    """
    data = _data(series)
    if len(data) == 0:
        return None
    size = math.prod(data.shape)
    if len(data.shape) > 2 or size > MOST_VALUES:
        raise InvalidSource(
            f"{data.where} has shape {data.shape}; (samples,) or (samples, channels) can be read, with "
            f"{MOST_VALUES} values at most."
        )
    values, times = data.numbers().reshape(len(data), -1), times_s(series, len(data))
    if series.dataset("timestamps") is not None and (holds_events or _are_events(series, values, times)):
        return Series.of_events(times)
    axes = ("x", "y", "z")[: values.shape[1]] if kind in SPATIAL and values.shape[1] in {2, 3} else ()
    unit = data.text_attribute("unit") or ""
    return Series(values=_converted(data, values), times_s=times, unit=unit, channels=axes)


def _data(series: Group) -> Dataset:
    """Return the dataset with the data of a series.

    Raises
    ------
    InvalidSource
        If the series has no data.
    """
    if (data := series.dataset("data")) is None or not data.shape:
        raise invalid(series.where, "must have data")
    return data


def _converted(data: Dataset, values: np.ndarray) -> Float32[np.ndarray, "samples channels"]:
    """Convert values to the unit that the file states."""
    conversion, offset = data.attribute("conversion"), data.attribute("offset") or 0.0
    with np.errstate(over="ignore"):
        if conversion in {None, 1.0} and not offset:
            return values.astype(np.float32)
        return (values * np.float64(1.0 if conversion is None else conversion) + offset).astype(np.float32)


def _are_events(series: Group, values: np.ndarray, times: Float64[np.ndarray, " samples"]) -> bool:
    """Return whether an irregular series contains events, by its name or because all its values are equal.

    Licks are often stored in this way.
    """
    steps = np.diff(times)
    if len(steps) > 1 and np.mean(np.abs(steps - (usual := np.median(steps))) <= JITTER * usual) >= RHYTHM:
        return False
    return _EVENT_NAME.search(series.path) is not None or bool(np.all(values == values[0]))


def _events(group: Group, name: str) -> Series | None:
    """Read events from the dataset of this name, which contains their times. Return None if there are no events."""
    times = Table(group).dataset(name)
    moments = times.column().astype(np.float64)
    moments = np.sort(moments[~np.isnan(moments)])
    if not np.all(np.abs(moments) < LATEST_S):
        raise invalid(times.where, "must be in seconds")
    return Series.of_events(moments) if len(moments) else None


def _annotated(series: Group) -> Series | None:
    """Read events of several kinds, which are distinguished by a text or a number.

    Each kind becomes a channel. Return None if there are no events.
    """
    data = _data(series)
    if len(data) == 0:
        return None
    kinds = data.texts().ravel().tolist() if data.is_text else data.integers().astype(str).tolist()
    values, channels = categories(kinds, data.where)
    return Series(values=np.nan_to_num(values), times_s=times_s(series, len(data)), kind="events", channels=channels)


def _states(series: Group) -> Series | None:
    """Read an IntervalSeries as states that are on (1) or off (0) between successive times, one channel per code.

    A positive number switches the state of its code on, and its negative switches it off.
    """
    data = _data(series)
    codes, times = data.integers(), times_s(series, len(data))
    _, names = categories(np.abs(codes[codes != 0]).astype(str).tolist(), data.where)
    kinds = np.array(names, np.int64)
    switched = np.where(np.abs(codes)[:, None] == kinds, np.arange(len(codes))[:, None], -1)
    last = np.maximum.accumulate(switched, axis=0)
    on = ((last >= 0) & (codes[last] > 0)).astype(np.float32)
    lasts = np.diff(times) > EDGE_S
    if not lasts.any() or len(kinds) == 0:
        return None
    return Series(
        values=on[:-1][lasts],
        times_s=times[:-1][lasts],
        stops_s=times[1:][lasts],
        kind="intervals",
        channels=names if len(names) > 1 else (),
    )
