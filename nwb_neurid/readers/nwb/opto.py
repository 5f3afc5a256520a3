"""Find the start of optogenetic stimulation in an NWB file, so that laser-evoked spikes do not affect vectors."""

import math
import re
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64

from nwb_neurid.errors import InvalidSource
from nwb_neurid.intervals import Intervals
from nwb_neurid.readers.labels import is_number
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.series import sample_times_s
from nwb_neurid.readers.nwb.table import Table

OPTO_MARGIN_S = 300.0
"""Observed time ends this long before the first stimulation, as in the preprocessing of NuCLR (arXiv 2512.01199)."""

SAMPLES_AT_ONCE = 2**20


_OPTO = re.compile(
    r"opto(?!kinetic|motor|physiolog|met|trak|[\W_]?coupl|[\W_]?isolat|acoust|[\W_]?electr|mechan|[\W_]?sensor|[\W_]?switch|des?(?![a-z]))"
    r"|photo_?(stim|inhib|activat|silenc|tag|excit)|chr2|channelrhodopsin|halorhodopsin|optical_?stim",
    re.IGNORECASE,
)
_LIGHT = re.compile(r"(?<![a-z])(led|light|pulse|stim)", re.IGNORECASE)
_LASER = re.compile(r"laser", re.IGNORECASE)

_OTHER_LASER = re.compile(
    r"co_?2(?![0-9])|carbon.?dioxide|(holm|thul|erb)ium|(tm|er|ho|nd)[\W_]?ya[gp]|pain|nocicep|noxious|heat|thermal"
    r"|radiant|infrared|evoked.?potential|skin|paw|tail.?flick|doppler|speckle|ablat|lesion|imaging|two.?photon"
    r"|(?<![a-z0-9])2.?p(?![a-z])|scan|pointer|range.?find|lick|beam.?break|trip.?wire|vibromet|displacement|confocal"
    r"|multi.?photon|photomet|plethysm|raman|acupunct|oximet|thermomet",
    re.IGNORECASE,
)
"""Words for lasers that do not drive neurons, such as lasers for heating, and for the lasers of microscopes."""

# Kinds of trial columns, by name, most reliable kind first. Other columns (type, site, wavelength) do not show which
# trials had light.
_FLAG = re.compile(r"^(is_)?(photo_?stim|opto|laser)(_?(genetics?|stim|stimulation|stimulated|on|trial|state))*$", re.I)
_ONSET = re.compile(r"onset|start", re.I)
_STRENGTH = re.compile(r"power|intensity|duration", re.I)


def is_opto(name: str, description: str = "") -> bool:
    """Return whether a name in the file indicates optogenetic stimulation.

    Parameters
    ----------
    name
        Path of an object (including its module), or name of a column.
    description
        Its description in the file, because a laser may serve another purpose.
    """
    if _OPTO.search(name):
        return True
    return _LASER.search(name) is not None and _OTHER_LASER.search(f"{name} {description}") is None


def opto_start(file: Group) -> tuple[float, str] | None:
    """Find the start of optogenetic stimulation, in seconds, and where the file states it.

    Return None if there is none.

    Raises
    ------
    InvalidSource
        If there was stimulation, but the file does not state its time.
    """
    return min((found for item in _candidates(file) for found in _start(item)), default=None)


def opto_trials(file: Group) -> tuple[Intervals, str] | None:
    """Find start and stop of the trials with optogenetic stimulation, in seconds, and the column that marks them.

    If light is used in single trials among others, for example to silence a region, only these trials are excluded, and
    not all time after the first one. The names are those of the delayed-response sessions of the Svoboda lab (DANDI
    000009 to 000011, 000363), in which columns contain text, with "N/A" in trials without light. A strength that is the
    same in all trials is a setting of the laser, and does not mark trials.
    """
    group = file.group("intervals/trials")
    if group is None or not (trials := Table(group)).has_spans:
        return None
    about = f"{group.attribute('description') or ''}"
    names = [name for name in trials.names() if is_opto(name, f"{about} {trials.description(name)}")]
    for kind in (_FLAG, _ONSET, _STRENGTH):
        for name in filter(kind.search, names):
            lit = _lit(_as_numbers(trials, name), kind)
            if lit.any():
                start, stop = trials.spans_s().T
                stop = np.where(np.isnan(stop), np.r_[start[1:], np.inf], stop)
                return np.column_stack([start, stop])[lit & np.isfinite(start)], f"{group.path}/{name}"
    return None


def _as_numbers(trials: Table, name: str) -> Float64[np.ndarray, " trials"]:
    """Return a column of numbers, or of text that may be numbers. Values that are not numbers become NaN."""
    if trials.is_number(name):
        return trials.numbers(name).astype(np.float64)
    if not trials.is_text(name):
        return np.full(len(trials), np.nan)
    texts = trials.texts(name).tolist()
    return np.array([float(text) if is_number(text) else np.nan for text in texts])


def _lit(values: Float64[np.ndarray, " trials"], kind: re.Pattern[str]) -> Bool[np.ndarray, " trials"]:
    """Return in which trials there was light. No trial counts as lit if the column is not clear."""
    on = np.isfinite(values) & (values > 0)
    if (kind is _FLAG and np.any(on & (values != 1))) or (kind is _STRENGTH and len(set(values.tolist())) == 1):
        return np.zeros_like(on)
    return on


def _candidates(file: Group) -> Iterator[Group]:
    """Yield all groups at the places of series and of tables of intervals."""
    for path in ("stimulus/presentation", "acquisition", "intervals"):
        yield from file.groups(path)
    for module in file.groups("processing"):
        yield from module.groups()


def _start(item: Group) -> Iterator[tuple[float, str]]:
    """Yield the start of stimulation in a series of laser power, or in a table of intervals.

    A table is used if its name or the name of its module indicates stimulation.
    """
    if item.attribute("neurodata_type") == "OptogeneticSeries":
        if (sample := _first_on(item)) is not None:
            yield float(sample_times_s(item, np.array([sample]))[0]), item.path
    elif _is_of_stimulation(item) and "start_time" in (table := Table(item)):
        starts = table.numbers("start_time").astype(np.float64)
        if table.is_number("stimulation_on"):  # ndx-optogenetics keeps epochs without light in the same table
            starts = starts[table.numbers("stimulation_on") > 0]
        if len(starts := starts[np.isfinite(starts)]):
            yield float(starts.min()), item.path


def _is_of_stimulation(item: Group) -> bool:
    """Return whether a table of intervals describes optogenetic stimulation, by its name or its description."""
    name, description = f"{item.path} {item.attribute('neurodata_type')}", item.attribute("description") or ""
    return is_opto(name, description) or (_LIGHT.search(name) is not None and "optogenetic" in description.casefold())


def _first_on(series: Group) -> int | None:
    """Return the index of the first sample that is not zero, or None if all samples are zero."""
    power = series.dataset("data")
    if power is None:
        raise InvalidSource(
            f"{series.where} has no data, so it is unknown when the laser was on. Validate the file, or pass "
            "--keep-opto to keep all time."
        )
    step = max(1, SAMPLES_AT_ONCE // max(1, math.prod(power.shape[1:])))
    for start in range(0, len(power), step):
        block = np.nan_to_num(power.numbers(slice(start, start + step)))
        on = np.flatnonzero(block.any(axis=tuple(range(1, block.ndim))))
        if len(on):
            return start + int(on[0])
    return None
