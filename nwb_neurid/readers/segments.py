"""Sorted spikes that were recorded in segments, as a `Population`.

If the segments share one clock, so that no two segments overlap, times are not changed. If the clock restarts with a
segment, the segments are placed one after another in their order, with gaps of `GAP_S`. The first segment keeps its
start. In both cases, each segment is a run of observed time. No inter-spike interval spans two segments, unless the
segments share one clock and touch.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.intervals import EDGE_S, Intervals
from nwb_neurid.population import Population
from nwb_neurid.readers.trains import Segment as Segment
from nwb_neurid.readers.trains import check_segments, lie_at_a_time, spikes_of

GAP_S = 1.0

SLACK_S = 4 * EDGE_S
"""Maximum overlap of segments on one clock. It allows for rounding and for the margin after the last spike."""


def population_of(
    segments: Sequence[Segment],
    *,
    source: str,
    unit_ids: Shaped[np.ndarray, " units"],
    resolution_s: float = 0.0,
    group: Shaped[np.ndarray, " units"] | None = None,
    positions_um: Float32[np.ndarray, "units 3"] | None = None,
    waveforms_uv: Float32[np.ndarray, "units samples"] | None = None,
    waveform_rate_hz: float | None = None,
    labels: Mapping[str, Shaped[np.ndarray, " units"]] | None = None,
    excluded: Mapping[int, str] | None = None,
    session_id: str = "",
) -> Population:
    """Make a population of the units in these segments, over their total observed time.

    Raises
    ------
    UnreadableSource
        If there are no units, or no spikes, or none in observed time.
    InvalidSource
        If a spike time is NaN, infinite, or more than 136 years away.

    Warns
    -----
    NeuridWarning
        If spikes had to be sorted, observed time is not stated, or spikes lie outside it.
    """
    _check_any(segments, source, unit_ids)
    if not all(lie_at_a_time(segment.extent_s) for segment in segments if segment.is_guessed):
        check_segments(segments, source, unit_ids)
    _tell_of_guesses(segments, source)
    lasting = [segment for segment in segments if np.any(segment.span_s())]
    if not lasting:
        raise UnreadableSource(f"{source} has spikes but no observed time. Correct its start and stop times.")
    spans = np.array([segment.span_s() for segment in lasting])
    with np.errstate(invalid="ignore"):
        order, shift = _laid_out(spans)
    if not lie_at_a_time(np.array([spans, spans + shift[:, None]])):
        raise InvalidSource(f"{source}: start and stop times must be finite seconds, but some are not. Correct them.")
    in_order = [(lasting[row], float(shift[row])) for row in order.tolist()]
    spikes = spikes_of(in_order, source, unit_ids, resolution_s)
    observed_s, unit_observed = _observation([own.intervals_s() + by for own, by in in_order], len(unit_ids))
    population = Population(
        unit_ids=unit_ids,
        activity=spikes.within(observed_s, unit_observed),
        observed_s=observed_s,
        unit_observed=unit_observed,
        group=group,
        positions_um=positions_um,
        waveforms_uv=waveforms_uv,
        waveform_rate_hz=waveform_rate_hz,
        labels=labels or {},
        excluded=excluded or {},
        session_id=session_id,
        source=source,
    )
    check_kept(population, sum(map(len, segments)), "Correct its start and stop times.")
    return population


def _check_any(segments: Sequence[Segment], source: str, unit_ids: Shaped[np.ndarray, " units"]) -> None:
    """Refuse a source without units or spikes.

    Raises
    ------
    UnreadableSource
        As for `population_of`.
    """
    if len(unit_ids) == 0:
        raise UnreadableSource(f"{source} has no units. Choose a source with sorted units.")
    if not any(map(len, segments)):
        raise UnreadableSource(f"{source} has {len(unit_ids)} units but no spikes. Choose a source with spikes.")


def _tell_of_guesses(segments: Sequence[Segment], source: str) -> None:
    guessed = np.array([segment.intervals_s()[0] for segment in segments if segment.is_guessed])
    if len(guessed):
        each = f" of each of {len(guessed)} segments" if len(guessed) > 1 else ""
        warn(
            f"{source} does not state how long it was recorded: observed time is taken from the first spike to the "
            f"last{each} ({guessed[:, 0].min():g} to {guessed[:, 1].max():g} s)."
        )


def _laid_out(spans_s: Intervals) -> tuple[Int64[np.ndarray, " segments"], Float64[np.ndarray, " segments"]]:
    """Return the order of the segments in time, and the shift of the clock of each segment."""
    by_start = np.argsort(spans_s[:, 0], kind="stable")
    start, stop = spans_s[by_start].T
    if np.all((start[1:] >= stop[:-1] - SLACK_S) & (stop[1:] > stop[:-1] + SLACK_S)):
        return by_start, np.zeros(len(spans_s))
    lengths = np.diff(spans_s)[:, 0] + GAP_S
    starts = spans_s[0, 0] + np.cumsum(lengths) - lengths
    return np.arange(len(spans_s)), starts - spans_s[:, 0]


def _observation(
    observed_s: Sequence[Float64[np.ndarray, "_ 2"]], units: int
) -> tuple[Intervals, Bool[np.ndarray, "units pieces"] | None]:
    """Return the intervals of observed time of ordered segments, and which unit was observed in which interval."""
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


def check_kept(population: Population, total: int, advice: str, *, chosen: bool = False) -> None:
    """Warn if spikes were left out, unless the user selected the time.

    Raises
    ------
    UnreadableSource
        If no spike is left.
    """
    kept, (start, stop) = len(population.spikes.times_s), population.observed_s[[0, -1], [0, 1]]
    if kept == 0:
        raise UnreadableSource(
            f"{population.source}: none of its {total} spikes lies in observed time ({start:g} to {stop:g} s). {advice}"
        )
    if kept < total and not chosen:
        warn(f"{population.source}: {total - kept} of {total} spikes lie outside observed time and are left out.")
