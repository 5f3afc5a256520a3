"""The features of all units of a population: features of each unit alone, its correlations, and its loadings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from neurid_company import correlation, timing, traces, transmission
from neurid_company.clock import Clock
from neurid_company.correlation import MOST_OTHERS, Signals
from neurid_company.traces import Film
from nwb_neurid.contracts import Progress
from nwb_neurid.population import Population

BIN_TICKS = 20
SCALES = (1, 5, 25, 100)
"""Widths of the bins in which spike counts are correlated, as multiples of `BIN_TICKS`."""

HIGH_PASS_S = 20.0
FEWEST_FRAMES = 4
LAGGED_S = ((0.2, 0.2), (0.6, 0.6), (1.2, 1.2), (1.2, 2.4), (1.2, 5.0))
"""Pairs of a span and a lag, in seconds. Changes of traces over the span are correlated with changes of others after
the lag.
"""

NEIGHBOUR_CHANGE_S = 1.2

SPIKES_OWN = timing.OWN_DIM
SPIKES_COMPANY = timing.AROUND_DIM + transmission.DIM + len(SCALES) * correlation.DIM
IMAGING_OWN, IMAGING_SIZES = traces.DIM, traces.SIZES_DIM
IMAGING_COMPANY = (2 + len(traces.CHANGES_S) + 2 * len(LAGGED_S)) * correlation.DIM


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Portrait:
    """The features of the units of a population.

    Parameters
    ----------
    own, company
        Features; NaN if they cannot be computed from the recording.
    loadings
        Loadings from `correlation.load`.
    usable
        Rows of units with at least some features, ascending.
    """

    own: Float64[np.ndarray, "units own"]
    company: Float64[np.ndarray, "units company"]
    loadings: Float64[np.ndarray, "units components"]
    usable: Int64[np.ndarray, " usable"]


def measure_spikes(population: Population, progress: Progress, *, neighbours: bool = True) -> Portrait:
    """Compute the features of spike trains."""
    clock, resolution_s = Clock.of(population), population.resolution_s()
    duration_s = population.unit_duration_s()
    own = np.full((len(clock), SPIKES_OWN), np.nan)
    around = np.full((len(clock), timing.AROUND_DIM), np.nan)
    usable = np.flatnonzero(clock.counts > 1)
    for unit in progress(range(len(clock)), label="timing", total=len(clock)):
        if clock.counts[unit] > 1:
            rate_hz = float(clock.counts[unit] / max(duration_s[unit], 1e-3))
            own[unit], around[unit] = timing.describe(clock, unit, rate_hz, resolution_s)
    company = [around, transmission.describe(clock, resolution_s)]
    others = transmission.choose_targets(clock, MOST_OTHERS)
    loadings = np.zeros((len(clock), 2))
    for scale in SCALES:
        signals = _correlated_counts(clock, scale * BIN_TICKS)
        long_enough = signals.samples >= 20
        company.append(
            correlation.describe(signals, signals, others)
            if long_enough
            else np.full((len(clock), correlation.DIM), np.nan)
        )
        if scale == 1 and long_enough and neighbours:
            loadings = correlation.load(signals)
    return Portrait(own=own, company=np.concatenate(company, axis=1), loadings=loadings, usable=usable)


def _correlated_counts(clock: Clock, bin_ticks: int) -> Signals:
    """Return spike counts as rows of mean 0 and norm 1.

    In bins in which a unit was not observed, its count is set to its mean.
    """
    counts, observed = clock.count_all(bin_ticks), clock.bins_observed(bin_ticks)
    if observed is None:
        return Signals.of(counts)
    seen = observed

    def read(rows: slice | Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows bins"]:
        return correlation.standardise(_at_mean(counts[rows], seen[rows]))

    return Signals(units=len(clock), samples=counts.shape[1], read=read)


def _at_mean(counts: UInt8[np.ndarray, "rows bins"], seen: np.ndarray) -> Float64[np.ndarray, "rows bins"]:
    mean = np.where(seen, counts, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return np.where(seen, counts, mean[:, None])


def measure_traces(
    population: Population, progress: Progress, *, neighbours: bool = True, sizes: bool = False
) -> Portrait:
    """Measure fluorescence, dF/F or deconvolved traces."""
    film = Film.of(population)
    own = np.full((len(film), IMAGING_OWN + sizes * IMAGING_SIZES), np.nan)
    company = np.full((len(film), IMAGING_COMPANY), np.nan)
    usable = np.flatnonzero(~film.constant & (population.unit_duration_s() > 0) & (film.frames >= FEWEST_FRAMES))
    loadings = np.zeros((len(film), 2))
    pieces = list(film.pieces()) if len(usable) else []
    for rows, piece in progress(pieces, label="traces", total=len(pieces)):
        own[rows] = traces.describe(piece, sizes=sizes)
    if len(usable):
        company = _correlate_traces(film, _choose_active(film, usable))
        if neighbours:
            loadings = correlation.load(_leading(film))
    return Portrait(own=own, company=company, loadings=loadings, usable=usable)


def _choose_active(film: Film, usable: Int64[np.ndarray, " usable"]) -> Int64[np.ndarray, " others"]:
    """Return the units with the largest peaks, in ascending order."""
    height = np.zeros(len(film))
    for rows, piece in film.pieces():
        height[rows] = sum((run.astype(np.float64) ** 3).sum(axis=1) for run in piece.runs)
    return np.sort(usable[np.argsort(-height[usable], kind="stable")[:MOST_OTHERS]])


Series = Callable[[Film], Sequence[Float32[np.ndarray, "units _"]]]


def _signals(film: Film, make: Series) -> Signals | None:
    """Make signals of derived traces, which are computed each time they are read.

    Return None if they have no samples.
    """
    samples = sum(run.shape[1] for run in make(film.select(slice(0, 1))))

    def read(rows: slice | Int64[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows frames"]:
        return correlation.standardise(np.concatenate(make(film.select(rows)), axis=1))

    return Signals(units=len(film), samples=samples, read=read) if samples else None


def _values(film: Film) -> Sequence[Float32[np.ndarray, "units _"]]:
    return film.runs


def _fast(film: Film) -> Sequence[Float32[np.ndarray, "units _"]]:
    """Return the part of the traces that changes faster than `HIGH_PASS_S`."""
    span = film.span(HIGH_PASS_S)
    return [traces.without_mean(run, span) for run in film.runs if run.shape[1] > span] if span > 1 else ()


def _changes(seconds: float, later_s: float = 0.0, *, late: bool = False) -> Series:
    """Return a function that computes changes over a span.

    If a lag is given, the function returns the earlier or the later change of each pair with this lag.
    """

    def make(film: Film) -> Sequence[Float32[np.ndarray, "units _"]]:
        span, later = film.span(seconds), film.span(later_s)
        if not span or (later_s and not later):
            return ()
        changes = [change for change in film.changes(span) if change.shape[1] > later + 8]
        return [change[:, later:] if late else change[:, : change.shape[1] - later] for change in changes]

    return make


def _correlate_traces(film: Film, others: Int64[np.ndarray, " others"]) -> Float64[np.ndarray, "units features"]:
    """Compute quantiles of the correlations of values, of fast values, and of changes at several lags."""
    pairs = [(make, make) for make in (_values, _fast, *map(_changes, traces.CHANGES_S))]
    for seconds, later_s in LAGGED_S:
        early, late = _changes(seconds, later_s), _changes(seconds, later_s, late=True)
        pairs += [(early, late), (late, early)]
    found = []
    for left, right in pairs:
        signals = _signals(film, left)
        against = signals if left is right else _signals(film, right)
        if signals is None or against is None:
            found.append(np.full((len(film), correlation.DIM), np.nan))
        else:
            found.append(correlation.describe(signals, against, others))
    return np.concatenate(found, axis=1)


def _leading(film: Film) -> Signals:
    """Return the changes of traces from which functional neighbours are found.

    They are changes over the longest available span up to 1.2 s, or otherwise over the shortest available span.
    """
    spans = [seconds for seconds in traces.CHANGES_S if _signals(film, _changes(seconds)) is not None]
    short = [seconds for seconds in spans if seconds <= NEIGHBOUR_CHANGE_S]
    chosen = short[-1:] or spans[:1]
    found = _signals(film, _changes(chosen[0]) if chosen else _values)
    if found is None:
        raise ValueError("The traces must have frames.")
    return found
