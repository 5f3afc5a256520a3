"""When optogenetic stimulation of an NWB file begins: laser spikes must not leak into a vector."""

import math
import re
from collections.abc import Iterator

import numpy as np

from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.nwb.hdf5 import Group
from nwb_neurid.readers.nwb.series import sample_times_s
from nwb_neurid.readers.nwb.table import Table

OPTO_MARGIN_S = 300.0
"""How long before the first stimulation observed time ends (as in the preprocessing of NuCLR, arXiv 2512.01199)."""

SAMPLES_AT_ONCE = 2**20

_OPTO_NAME = re.compile(r"opto(?!kinetic|motor)|laser|photo_?stim", re.IGNORECASE)


def opto_start(file: Group) -> tuple[float, str] | None:
    """When optogenetic stimulation begins, in seconds, and where the file says so; None if it says nothing of it.

    Raises
    ------
    InvalidSource
        If there was stimulation, but the file does not say when.
    """
    return min((found for item in _candidates(file) for found in _start(item)), default=None)


def _candidates(file: Group) -> Iterator[Group]:
    """Whatever stands where series and tables of intervals do."""
    for path in ("stimulus/presentation", "acquisition", "intervals"):
        if (group := file.group(path)) is not None:
            yield from group.groups()
    if (processing := file.group("processing")) is not None:
        for module in processing.groups():
            yield from module.groups()


def _start(item: Group) -> Iterator[tuple[float, str]]:
    """From a series of laser power, or a table of intervals whose name, or its module's, tells of stimulation."""
    if item.attribute("neurodata_type") == "OptogeneticSeries":
        if (sample := _first_on(item)) is not None:
            yield float(sample_times_s(item, np.array([sample]))[0]), item.path
    elif _OPTO_NAME.search(item.path) and "start_time" in (table := Table(item)):
        starts = table.numbers("start_time").astype(np.float64)
        if len(starts := starts[np.isfinite(starts)]):
            yield float(starts.min()), item.path


def _first_on(series: Group) -> int | None:
    """The first sample that is not zero; None if all are."""
    power = series.dataset("data")
    if power is None:
        raise InvalidSource(
            f"{series.where} has no data, so nothing tells when the laser was on. Validate the file, or pass "
            "--keep-opto to keep all time."
        )
    step = max(1, SAMPLES_AT_ONCE // max(1, math.prod(power.shape[1:])))
    for start in range(0, len(power), step):
        block = np.nan_to_num(power.numbers(slice(start, start + step)))
        on = np.flatnonzero(block.any(axis=tuple(range(1, block.ndim))))
        if len(on):
            return start + int(on[0])
    return None
