"""What is measured of every unit of a population: its own features, those of its company, and its loadings."""

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
"""Bins of spikes in which counts are correlated, in `BIN_TICKS`."""

HIGH_PASS_S = 20.0
LAGGED_S = ((0.2, 0.2), (0.6, 0.6), (1.2, 1.2), (1.2, 2.4), (1.2, 5.0))
"""Changes of traces over a span, correlated with those of others that much later."""

NEIGHBOUR_CHANGE_S = 1.2

SPIKES_OWN = timing.OWN_DIM
SPIKES_COMPANY = timing.AROUND_DIM + transmission.DIM + len(SCALES) * correlation.DIM
IMAGING_OWN = traces.DIM
IMAGING_COMPANY = (2 + len(traces.CHANGES_S) + 2 * len(LAGGED_S)) * correlation.DIM


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Portrait:
    """What is measured of the units of a population.

    Parameters
    ----------
    own, company
        Features; NaN where a recording does not show them.
    loadings
        As `correlation.load` gives them.
    usable
        Rows of units of which anything is known, ascending.
    """

    own: Float64[np.ndarray, "units own"]
    company: Float64[np.ndarray, "units company"]
    loadings: Float64[np.ndarray, "units components"]
    usable: Int64[np.ndarray, " usable"]


def measure_spikes(population: Population, progress: Progress) -> Portrait:
    """Measure spike trains."""
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
        if scale == 1 and long_enough:
            loadings = correlation.load(signals)
    return Portrait(own=own, company=np.concatenate(company, axis=1), loadings=loadings, usable=usable)


def _correlated_counts(clock: Clock, bin_ticks: int) -> Signals:
    """Counts as rows of mean 0 and norm 1; where a unit was not observed it is at its mean."""
    counts, observed = clock.count_all(bin_ticks), clock.bins_observed(bin_ticks)
    if observed is None:
        return Signals.of(counts)
    seen = observed

    def read(rows: slice) -> Float32[np.ndarray, "rows bins"]:
        return correlation.standardise(_at_mean(counts[rows], seen[rows]))

    return Signals(units=len(clock), samples=counts.shape[1], read=read)


def _at_mean(counts: UInt8[np.ndarray, "rows bins"], seen: np.ndarray) -> Float64[np.ndarray, "rows bins"]:
    mean = np.where(seen, counts, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return np.where(seen, counts, mean[:, None])


def measure_traces(population: Population, progress: Progress) -> Portrait:
    """Measure fluorescence, dF/F or deconvolved traces."""
    film = Film.of(population)
    own = np.full((len(film), IMAGING_OWN), np.nan)
    company = np.full((len(film), IMAGING_COMPANY), np.nan)
    usable = np.flatnonzero(~film.constant & (population.unit_duration_s() > 0) & (film.frames > 8))
    loadings = np.zeros((len(film), 2))
    pieces = list(film.pieces()) if len(usable) else []
    for rows, piece in progress(pieces, label="traces", total=len(pieces)):
        own[rows] = traces.describe(piece)
    if len(usable):
        company, loadings = _correlate_traces(film, _choose_active(film, usable))
    return Portrait(own=own, company=company, loadings=loadings, usable=usable)


def _choose_active(film: Film, usable: Int64[np.ndarray, " usable"]) -> Int64[np.ndarray, " others"]:
    """The units whose largest values are the largest, ascending."""
    height = np.zeros(len(film))
    for run in film.runs:
        height += (run.astype(np.float64) ** 3).sum(axis=1)
    return np.sort(usable[np.argsort(-height[usable], kind="stable")[:MOST_OTHERS]])


def _correlate_traces(
    film: Film, others: Int64[np.ndarray, " others"]
) -> tuple[Float64[np.ndarray, "units features"], Float64[np.ndarray, "units components"]]:
    """Quantiles of correlations of values, of fast values, and of changes at once and later; and loadings."""
    unknown = np.full((len(film), correlation.DIM), np.nan)
    whole = Signals.of(np.concatenate(film.runs, axis=1))
    found = [correlation.describe(whole, whole, others), _describe_fast(film, others, unknown)]
    leading = whole
    for seconds in traces.CHANGES_S:
        span = film.span(seconds)
        changes = film.changes(span) if span else ()
        if not changes:
            found.append(unknown)
            continue
        signals = Signals.of(np.concatenate(changes, axis=1))
        found.append(correlation.describe(signals, signals, others))
        leading = signals if seconds <= NEIGHBOUR_CHANGE_S or leading is whole else leading
    for seconds, later_s in LAGGED_S:
        found += _describe_lagged(film, film.span(seconds), film.span(later_s), others) or [unknown, unknown]
    return np.concatenate(found, axis=1), correlation.load(leading)


def _describe_fast(
    film: Film, others: Int64[np.ndarray, " others"], unknown: Float64[np.ndarray, "units features"]
) -> Float64[np.ndarray, "units features"]:
    """Correlations of what is faster than `HIGH_PASS_S`."""
    span = film.span(HIGH_PASS_S)
    if span < 2:
        return unknown
    fast = [traces.without_mean(run, span) for run in film.runs if run.shape[1] > span]
    signals = Signals.of(np.concatenate(fast, axis=1))
    return correlation.describe(signals, signals, others)


def _describe_lagged(
    film: Film, span: int, later: int, others: Int64[np.ndarray, " others"]
) -> list[Float64[np.ndarray, "units features"]]:
    """Correlations of changes with those of others later, and with those of others before; none where not known."""
    changes = [change for change in film.changes(span) if change.shape[1] > later + 8] if span and later else []
    if not changes:
        return []
    early = Signals.of(np.concatenate([change[:, :-later] for change in changes], axis=1))
    late = Signals.of(np.concatenate([change[:, later:] for change in changes], axis=1))
    return [correlation.describe(early, late, others), correlation.describe(late, early, others)]
