"""Checks of spike times: their resolution, their unit, and whether their clock restarts."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid._system.warning import warn
from nwb_neurid.activity import Spikes
from nwb_neurid.errors import InvalidSource
from nwb_neurid.intervals import EDGE_S

INTERVALS_PER_UNIT = 1000
"""Number of intervals of each unit that are checked. More intervals would add no information."""

FINER = 0.005
"""Spike times contradict a resolution if at least this share of intervals is shorter than half the resolution."""

FEWEST_SPIKES = 20
"""Minimum number of spikes for these checks. With fewer spikes, whole numbers and decreasing times may be chance."""

FEWEST_INTERVALS, SHORT_S, SHORT_SHARE = 500, 0.5, 0.001
"""Spike times are in seconds if more than the share `SHORT_SHARE` of the intervals of a unit are shorter than
`SHORT_S`. This is checked only if there are at least `FEWEST_INTERVALS` intervals.
"""

RESTART = 0.5
"""Times are measured from the earliest spike time. The clock restarts at a spike if its time is at most this share of
the time of the spike before.
"""

LONGEST_FALLS = 0.25
"""If more than this share of the spikes are earlier than the spike before, the spikes are not sorted, and the clock did
not restart.
"""


def check_resolution(spikes: Spikes, stated_s: float, where: str) -> float:
    """Return the resolution that a source states, or 0 if its spike times contradict it.

    Parameters
    ----------
    spikes
        Spike times in seconds.
    stated_s
        Stated resolution in seconds; 0 for none.
    where
        The place where it is stated, for the warning.

    Warns
    -----
    NeuridWarning
        If the spike times contradict it.
    """
    if stated_s <= 2 * EDGE_S:
        return stated_s
    steps = _intervals_s(spikes)
    finer = steps[(steps > EDGE_S) & (steps < stated_s / 2)]
    if len(finer) < max(FINER * len(steps), 3):
        return stated_s
    rate = f" If that number is the sampling rate, the resolution is 1/{stated_s:g} s." if stated_s >= 1 else ""
    warn(
        f"{where}: the source states a resolution of {stated_s:g} s, but {len(finer)} of {len(steps)} intervals "
        f"between spikes are shorter than half of that: the stated resolution is ignored.{rate}"
    )
    return 0.0


def check_seconds(spikes: Spikes, where: str, advice: str) -> None:
    """Warn if spike times are probably not in seconds.

    Parameters
    ----------
    spikes
        Spike times as they were given.
    where
        Name of the spike times in the warning.
    advice
        Advice for the warning.

    Warns
    -----
    NeuridWarning
        If the times are whole numbers, or all inter-spike intervals are longer than those of real neurons.
    """
    times = spikes.times_s
    if len(times) >= FEWEST_SPIKES and _are_whole(times[:FEWEST_SPIKES]) and _are_whole(times):
        warn(f"{where} are whole numbers: if they count samples, {advice}.")
        return
    steps = _intervals_s(spikes)
    steps = steps[steps > EDGE_S]
    if len(steps) >= FEWEST_INTERVALS and np.mean(steps < SHORT_S) < SHORT_SHARE:
        shortest = np.quantile(steps, SHORT_SHARE)
        warn(
            f"{where} are probably not in seconds: nearly all of {len(steps)} intervals within units are longer than "
            f"{shortest:.3g} s. If they are milliseconds, or count samples, {advice}."
        )


def check_one_clock(
    times_s: Float64[np.ndarray, " spikes"], splits: Int64[np.ndarray, " units_and_one"], where: str
) -> None:
    """Refuse spike times whose clock restarts within most units, as in concatenated sessions or trials.

    Parameters
    ----------
    times_s
        Spike times in the order in which they are stored, unit after unit.
    splits
        Index at which each unit begins, and index at which the last unit ends.
    where
        Name of the spike times in the error.

    Raises
    ------
    InvalidSource
        If the clock restarts. Sorted spike times of the sessions or trials would then overlap.
    """
    start = times_s.min(initial=np.inf)
    trains = [times_s[first:last] for first, last in pairwise(splits.tolist()) if last - first >= FEWEST_SPIKES]
    restarting = sum(len(find_restarts(train, start)) > 0 for train in trains)
    if trains and restarting > len(trains) / 2:
        raise InvalidSource(
            f"{where} jump back within {restarting} of {len(trains)} units, as if sessions or trials had been "
            "concatenated. Sorting would mix them up: add its start time to each."
        )


def find_restarts(times: Float64[np.ndarray, " spikes"], start: float) -> Int64[np.ndarray, " restarts"]:
    """Find the indices at which the clock of a train restarts. The result is empty if times are only not sorted."""
    falls = np.flatnonzero(times[1:] < times[:-1])
    again = falls[times[falls + 1] - start <= RESTART * (times[falls] - start)] + 1
    if len(falls) > LONGEST_FALLS * len(times) or len(again) < RESTART * len(falls):
        return np.empty(0, np.int64)
    return again


def _are_whole(times: Float64[np.ndarray, " spikes"]) -> bool:
    return bool(np.all(np.abs(times - np.rint(times)) <= EDGE_S))


def _intervals_s(spikes: Spikes) -> Float64[np.ndarray, " intervals"]:
    """Return the inter-spike intervals of the first spikes of each unit."""
    parts = [np.diff(spikes.train_s(unit)[: INTERVALS_PER_UNIT + 1]) for unit in range(len(spikes))]
    return np.concatenate(parts) if parts else np.empty(0)
