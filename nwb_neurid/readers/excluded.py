"""Time that is left out of a recording at the user's request, such as laser epochs that are not marked in the file."""

from pathlib import Path

import numpy as np

from nwb_neurid.errors import InvalidOption
from nwb_neurid.intervals import Intervals
from nwb_neurid.readers.label_table import read_table

START, STOP = ("start_time", "start_s", "start"), ("stop_time", "stop_s", "stop", "end")


def parse_excluded(text: str) -> Intervals:
    """Parse the time to leave out.

    Parameters
    ----------
    text
        `START:STOP` in seconds, or the path of a csv or tsv file with the columns `start_time` and `stop_time`. Several
        intervals are separated by commas. An empty number means the start or the end of the recording.

    Returns
    -------
    array
        Intervals in the order of `text`, shape (intervals, 2), in seconds.

    Raises
    ------
    InvalidOption
        If `text` has neither of these forms, or an interval does not end after it starts.

    Examples
    --------
    >>> parse_excluded("600:900, 3200:")
    array([[ 600.,  900.],
           [3200.,   inf]])
    """
    if Path(text).suffix.lower() in {".csv", ".tsv"}:
        return _read_intervals(Path(text))
    return np.array([_parse_interval(part.strip(), text) for part in text.split(",")])


def _parse_interval(part: str, text: str) -> tuple[float, float]:
    start, colon, stop = part.partition(":")
    found = _parse_times(start or "-inf", stop or "inf")
    if not colon or found is None:
        raise InvalidOption(
            "--exclude must be START:STOP in seconds, such as 600:900,3200:4300, or a csv or tsv file with the "
            f"columns start_time and stop_time, got {part!r} in {text[:80]!r}."
        )
    return found


def _parse_times(start: str, stop: str) -> tuple[float, float] | None:
    """Convert a start and a stop to numbers.

    Return None if they are not numbers, or the stop is not after the start.
    """
    try:
        start_s, stop_s = float(start), float(stop)
    except ValueError:
        return None
    return (start_s, stop_s) if start_s < stop_s else None


def _read_intervals(path: Path) -> Intervals:
    header, lines = read_table(path, "The table of intervals")
    names = [next((name for name in names if name in header), "") for names in (START, STOP)]
    if not all(names):
        raise InvalidOption(
            f"{path} must have the columns {START[0]} and {STOP[0]}, in seconds, got {','.join(header)[:80]}."
        )
    found = []
    for number, line in lines:
        start, stop = (line[name] for name in names)
        if (times := _parse_times(start, stop)) is None:
            raise InvalidOption(
                f"{path} must have intervals in seconds that end after they start, row {number} has {start!r} and "
                f"{stop!r}."
            )
        found.append(times)
    return np.array(found, np.float64).reshape(-1, 2)
