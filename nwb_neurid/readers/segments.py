"""Sorted spikes that were recorded in segments, as a `Population`.

Where the clocks of the segments are one clock, so that no two segments overlap, times stay as they are. Where the
clock starts anew with a segment, they are laid one after another in their order, `GAP_S` apart, from the start of the
first. Either way a segment is a run of observed time, and no inter-spike interval crosses from one into the next,
unless they touch on their common clock.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Integer, Shaped

from nwb_neurid.activity import Spikes
from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.intervals import EDGE_S, Intervals
from nwb_neurid.population import Population

GAP_S = 1.0

LATEST_S = 2.0**32
"""136 years: no clock gets there, one that counts samples or nanoseconds does; float64 still has 1 µs here."""

SLACK_S = 4 * EDGE_S
"""By how much segments of one clock may overlap: rounding, and the edge behind a last spike."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Segment:
    """Spikes of a stretch of recording, in seconds of its own clock.

    Parameters
    ----------
    times_s
        Spike times in any order, shape (spikes,).
    rows
        The unit that fired each spike, as its row, shape (spikes,).
    observed_s
        From when to when each unit was observed, shape (units, 2), NaN for one that was not, or for all units shape
        (1, 2). None where that is not told.
    clock_start_s
        When its clock starts, where `observed_s` does not tell.
    """

    times_s: Float64[np.ndarray, " spikes"]
    rows: Integer[np.ndarray, " spikes"]
    observed_s: Float64[np.ndarray, "units_or_one 2"] | None = None
    clock_start_s: float = 0.0

    @property
    def is_guessed(self) -> bool:
        """Whether its observed time is that of its spikes."""
        return self.observed_s is None and len(self.times_s) > 0

    def intervals_s(self) -> Float64[np.ndarray, "units_or_one 2"]:
        """`observed_s`, or else from the first spike to the last."""
        if self.observed_s is not None:
            return self.observed_s
        if len(self.times_s) == 0:
            return np.zeros((1, 2))
        return np.array([[self.times_s.min(), self.times_s.max() + 2 * EDGE_S]])

    def span_s(self) -> Float64[np.ndarray, " 2"]:
        """From when to when any unit was observed, from the start of its clock if that is guessed; (0, 0) for never."""
        intervals = self.intervals_s()
        lasted = intervals[intervals[:, 1] > intervals[:, 0] + EDGE_S]
        if len(lasted) == 0:
            return np.zeros(2)
        start = min(self.clock_start_s, lasted[0, 0]) if self.is_guessed else lasted[:, 0].min()
        return np.array([start, lasted[:, 1].max()])


def population_of(
    segments: Sequence[Segment],
    *,
    source: str,
    unit_ids: Shaped[np.ndarray, " units"],
    resolution_s: float = 0.0,
    group: Shaped[np.ndarray, " units"] | None = None,
    positions_um: Float32[np.ndarray, "units 3"] | None = None,
    labels: Mapping[str, Shaped[np.ndarray, " units"]] | None = None,
    session_id: str = "",
) -> Population:
    """The units of these segments over the observed time of all of them.

    Raises
    ------
    UnreadableSource
        If there are no units, or no spikes, or none in observed time.
    InvalidSource
        If a spike time is NaN, infinite, or 136 years away.

    Warns
    -----
    NeuridWarning
        If spikes had to be sorted, observed time is not told, or spikes lie outside it.
    """
    _check_spikes(segments, source, unit_ids)
    _tell_of_guesses(segments, source)
    lasting = [segment for segment in segments if np.any(segment.span_s())]
    if not lasting:
        raise UnreadableSource(f"{source} has spikes but no observed time. Correct its start and stop times.")
    spans = np.array([segment.span_s() for segment in lasting])
    with np.errstate(invalid="ignore"):
        order, shift = _laid_out(spans)
    if not np.abs(spans + shift[:, None]).max() < LATEST_S:
        raise InvalidSource(f"{source}: start and stop times must be finite seconds, some are not. Correct them.")
    in_order = [(lasting[row], float(shift[row])) for row in order.tolist()]
    spikes = _spikes(in_order, source, unit_ids, resolution_s)
    observed_s, unit_observed = _observation([own.intervals_s() + by for own, by in in_order], len(unit_ids))
    population = Population(
        unit_ids=unit_ids,
        activity=spikes,
        observed_s=observed_s,
        unit_observed=unit_observed,
        group=group,
        positions_um=positions_um,
        labels=labels or {},
        session_id=session_id,
        source=source,
    )
    _check_kept(population, sum(len(segment.times_s) for segment in segments))
    return population


def _check_spikes(segments: Sequence[Segment], source: str, unit_ids: Shaped[np.ndarray, " units"]) -> None:
    """Refuse what holds no spikes, or spikes at no time.

    Raises
    ------
    UnreadableSource, InvalidSource
        As for `population_of`.
    """
    if len(unit_ids) == 0:
        raise UnreadableSource(f"{source} has no units. Name a source with sorted units.")
    if not any(len(segment.times_s) for segment in segments):
        raise UnreadableSource(f"{source} has {len(unit_ids)} units but not one spike. Name a source with spikes.")
    for segment in segments:
        wrong = np.flatnonzero(~(np.abs(segment.times_s) < LATEST_S))
        if len(wrong):
            raise InvalidSource(
                f"{source}: spike times must be finite seconds, {len(wrong)} of {len(segment.times_s)} are not, the "
                f"first of unit {unit_ids[segment.rows[wrong[0]]]}: {segment.times_s[wrong[0]]} s. Correct them."
            )


def _tell_of_guesses(segments: Sequence[Segment], source: str) -> None:
    guessed = np.array([segment.intervals_s()[0] for segment in segments if segment.is_guessed])
    if len(guessed):
        each = f" of each of {len(guessed)} segments" if len(guessed) > 1 else ""
        _warn(
            f"{source} does not state how long it was recorded: observed time is taken from the first spike to the "
            f"last{each} ({guessed[:, 0].min():g} to {guessed[:, 1].max():g} s)."
        )


def _laid_out(spans_s: Intervals) -> tuple[Int64[np.ndarray, " segments"], Float64[np.ndarray, " segments"]]:
    """The order of segments in time, and what to add to the clock of each."""
    by_start = np.argsort(spans_s[:, 0], kind="stable")
    start, stop = spans_s[by_start].T
    if np.all((start[1:] >= stop[:-1] - SLACK_S) & (stop[1:] > stop[:-1] + SLACK_S)):
        return by_start, np.zeros(len(spans_s))
    lengths = np.diff(spans_s)[:, 0] + GAP_S
    starts = spans_s[0, 0] + np.cumsum(lengths) - lengths
    return np.arange(len(spans_s)), starts - spans_s[:, 0]


def _spikes(
    segments: Sequence[tuple[Segment, float]],
    source: str,
    unit_ids: Shaped[np.ndarray, " units"],
    resolution_s: float,
) -> Spikes:
    """The trains of all units, from segments in the order of time with what to add to the clock of each."""
    rows = np.concatenate([segment.rows for segment, _ in segments])
    times = np.concatenate([segment.times_s + by if by else segment.times_s for segment, by in segments])
    times, splits = _by_unit(times, rows, len(unit_ids))
    falls = np.flatnonzero(times[1:] < times[:-1]) + 1
    falls = falls[~np.isin(falls, splits)]
    if len(falls):
        unsorted = len(np.unique(np.searchsorted(splits, falls, "right")))
        _warn(f"{source}: spike times did not ascend in {unsorted} of {len(unit_ids)} units: sorted.")
        times = np.concatenate([np.sort(train) for train in np.split(times, splits[1:-1])])
    return Spikes(times_s=times, splits=splits, resolution_s=resolution_s)


def _by_unit(
    times_s: Float64[np.ndarray, " spikes"], rows: Integer[np.ndarray, " spikes"], units: int
) -> tuple[Float64[np.ndarray, " spikes"], Int64[np.ndarray, " units_and_one"]]:
    """The times of each unit together, in the order they had, and where each unit begins.

    SciPy turns rows of a sparse matrix into columns by counting, which takes a quarter of the time of sorting.
    """
    from scipy.sparse import csr_array

    index = np.int32 if len(times_s) < np.iinfo(np.int32).max else np.int64
    ends = np.arange(len(times_s) + 1, dtype=index)
    by_unit = csr_array((times_s, rows.astype(index), ends), shape=(len(times_s), units)).tocsc()
    return by_unit.data, by_unit.indptr.astype(np.int64)


def _observation(
    observed_s: Sequence[Float64[np.ndarray, "_ 2"]], units: int
) -> tuple[Intervals, Bool[np.ndarray, "units pieces"] | None]:
    """Observed time in pieces, and which unit was observed in which; from segments in the order of time."""
    pieces, observed = [], []
    for own in observed_s:
        edges = np.unique(own[own[:, 1] > own[:, 0]])
        edges = edges[np.diff(edges, prepend=-np.inf) > EDGE_S]
        middle = edges[:-1] + np.diff(edges) / 2
        seen = (own[:, :1] < middle) & (middle < own[:, 1:])
        by_any = seen.any(axis=0)
        pieces.append(np.column_stack([edges[:-1], edges[1:]])[by_any])
        observed.append(np.broadcast_to(seen[:, by_any], (units, int(by_any.sum()))))
    intervals, unit_observed = np.concatenate(pieces), np.concatenate(observed, axis=1)
    intervals[1:, 0] = np.maximum(intervals[1:, 0], np.maximum.accumulate(intervals[:-1, 1]))
    lasts = intervals[:, 1] > intervals[:, 0] + EDGE_S
    return intervals[lasts], None if unit_observed.all() else unit_observed[:, lasts]


def _check_kept(population: Population, total: int) -> None:
    """Tell of spikes that were left out.

    Raises
    ------
    UnreadableSource
        If none is left.
    """
    kept, (start, stop) = len(population.spikes.times_s), population.observed_s[[0, -1], [0, 1]]
    if kept == 0:
        raise UnreadableSource(
            f"{population.source}: none of its {total} spikes lies in observed time ({start:g} to {stop:g} s). "
            "Correct its start and stop times."
        )
    if kept < total:
        _warn(f"{population.source}: {total - kept} of {total} spikes lie outside observed time and are left out.")


def _warn(message: str) -> None:
    warnings.warn(message, NeuridWarning, stacklevel=2)
