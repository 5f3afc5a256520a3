"""Columns of tables of intervals, such as trials, as covariates."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from nwb_neurid.errors import InvalidSource
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Series
from nwb_neurid.readers.nwb.opto import is_opto
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.trains import LATEST_S

MOST_CATEGORIES = 16

MOMENT_ROWS = 3
"""Minimum number of values to decide that a column contains times."""


def variable_names(table: Table) -> list[str]:
    """Return the columns that may be covariates.

    They have one value per row and do not concern optogenetic stimulation.
    """
    about = table.group.attribute("description") or ""
    names = [name for name in table.names() if name not in {"start_time", "stop_time"}]
    names = [name for name in names if not is_opto(name, f"{about} {table.description(name)}")]
    return [name for name in names if table.is_number(name) or table.is_text(name)]


def variable(table: Table, name: str) -> Series | None:
    """Convert a column to a series: values in each interval, or events if its values are times within the intervals.

    Texts become categories, with one channel each, unless they are numbers. If intervals overlap, the later one is
    used.

    Returns
    -------
    Series | None
        None if no value is known.

    Raises
    ------
    InvalidSource
        If there are more than `MOST_CATEGORIES` different texts, or the table contradicts the NWB schema.
    """
    rows, starts, stops = _spans(table)
    channels: tuple[str, ...] = ()
    numbers = _numbers(table, name)
    if numbers is None:
        values, channels = categories(table.labels(name)[rows].tolist(), f"{table.where}/{name}")
    else:
        own = numbers[rows]
        if _are_moments(own, starts, stops):
            return Series.of_events(np.sort(own[np.isfinite(own)]))
        with np.errstate(over="ignore"):
            values = own[:, None].astype(np.float32)
    if not np.isfinite(values).any():
        return None
    return Series(values=values, times_s=starts, stops_s=stops, kind="intervals", channels=channels)


def categories(texts: Sequence[str], where: str) -> tuple[Float32[np.ndarray, "rows channels"], tuple[str, ...]]:
    """Make one channel of 0 and 1 for each text (NaN in rows with ""), and return the channels and the texts.

    Raises
    ------
    InvalidSource
        If there are more than `MOST_CATEGORIES`.
    """
    names = sorted(set(texts) - {""})
    if len(names) > MOST_CATEGORIES:
        raise InvalidSource(f"{where} has {len(names)} different texts, at most {MOST_CATEGORIES} can be categories.")
    column = np.array(texts, object)
    values = np.column_stack([np.empty((len(texts), 0)), *(column == name for name in names)]).astype(np.float32)
    values[column == ""] = np.nan
    return values, tuple(names)


def _spans(
    table: Table,
) -> tuple[Int64[np.ndarray, " spans"], Float64[np.ndarray, " spans"], Float64[np.ndarray, " spans"]]:
    """Return the rows with a duration, sorted by start, and their start and stop in seconds.

    Overlapping rows end at the next start.
    """
    start, stop = table.spans_s().T
    rows = np.argsort(start, kind="stable")
    rows = rows[np.abs(start[rows]) < LATEST_S]
    starts = start[rows]
    following = np.r_[starts[1:], LATEST_S]
    stops = np.fmin(stop[rows], following)  # fmin ignores NaN: a row without a stop lasts until the next row starts
    lasts = (stops > starts + EDGE_S) & (stops < LATEST_S)
    return rows[lasts], starts[lasts], stops[lasts]


def _numbers(table: Table, name: str) -> Float64[np.ndarray, " rows"] | None:
    """Return a column of numbers, or of texts that are all numbers, with NaN for unknown values.

    Return None for other texts.
    """
    if table.is_number(name):
        return table.numbers(name).astype(np.float64)
    texts = table.labels(name).tolist()
    try:
        return np.array([float(text) if text else np.nan for text in texts], np.float64)
    except ValueError:
        return None


def _are_moments(
    values: Float64[np.ndarray, " spans"],
    starts_s: Float64[np.ndarray, " spans"],
    stops_s: Float64[np.ndarray, " spans"],
) -> bool:
    """Return whether values are times.

    Each must lie after the start of its own interval and before the next interval.
    """
    known: Bool[np.ndarray, " spans"] = np.isfinite(values)
    before = np.maximum(stops_s, np.r_[starts_s[1:], stops_s[-1:]])
    within = (values >= starts_s - EDGE_S) & (values <= before + EDGE_S)
    return bool(known.sum() >= MOMENT_ROWS and np.all(within[known]))
