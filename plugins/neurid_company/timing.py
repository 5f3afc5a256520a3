"""Features of a spike train, and of the population around its spikes, at scales from a millisecond to seconds.

Features finer than the resolution of the spike times, or longer than the runs of observed time, are NaN.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from neurid_company.clock import TICK_S, Clock
from nwb_neurid.intervals import EDGE_S

LAGS = np.r_[np.arange(1, 7), 8, 11, 15, 20, 28, 39, 55, 77, 108, 151, 211, 296, 414, 580, 811, 1136, 1590, 2226]
AROUND = np.r_[0, 4, 8, 12, 20, 28, 39, 55, 77, 108, 151, 211, 296, 414, 580, 811, 1136, 1590, 2226]
INTERVALS_S = np.geomspace(1e-3, 10, 33) - EDGE_S
QUANTILES = np.array([0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98])
COUNTING = (20, 50, 100, 250, 500, 1000, 2000, 5000)
CONTEXT = 1000
SQUARE = 8
"""Number of bins of successive intervals. Each bin is half a decade wide."""

MOST_SPIKES = 2000
"""Maximum number of spikes of a unit around which spikes are counted. They are distributed evenly over its spikes."""

OWN_DIM = 2 * 32 - 1 + len(QUANTILES) + 10 + 4 + SQUARE**2 + 4 * (len(LAGS) - 1) + len(COUNTING)
AROUND_DIM = 3 * (len(AROUND) - 1)

Vector = Float64[np.ndarray, " _"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sample:
    """Some spikes of a unit, and for each spike the time since the start and until the end of its run, in ticks."""

    ticks: Int64[np.ndarray, " spikes"]
    before: Int64[np.ndarray, " spikes"]
    after: Int64[np.ndarray, " spikes"]

    @classmethod
    def of(cls, clock: Clock, unit: int) -> "Sample":
        """Select at most `MOST_SPIKES` spikes, distributed evenly over the spikes of the unit."""
        own = clock.rows(unit)
        number = own.stop - own.start
        taken = np.unique(np.linspace(0, number - 1, min(number, MOST_SPIKES)).astype(np.int64)) + own.start
        ticks, run = clock.tick[taken], clock.run[taken]
        return cls(ticks=ticks, before=ticks - clock.first[run] + 1, after=clock.end[run] - ticks)


def describe(
    clock: Clock, unit: int, rate_hz: float, resolution_s: float
) -> tuple[Float64[np.ndarray, " own"], Float64[np.ndarray, " around"]]:
    """Compute features of a unit with at least two spikes, from its own train and from the sum of the others."""
    sample = Sample.of(clock, unit)
    own = [
        *_intervals(clock, unit, rate_hz, resolution_s),
        *_lags(clock, unit, sample, rate_hz, resolution_s),
        _variability(clock, unit),
    ]
    return np.concatenate(own), _surroundings(clock, unit, sample, resolution_s)


def _intervals(clock: Clock, unit: int, rate_hz: float, resolution_s: float) -> list[Vector]:
    """Compute the histogram of intervals, its cumulative sum, quantiles, scalars, bursts, and pairs of intervals."""
    own = clock.rows(unit)
    step = np.diff(clock.times_s[own])
    unbroken = np.diff(clock.run[own]) == 0
    interval = step[unbroken]
    share = np.histogram(np.clip(interval, INTERVALS_S[0], INTERVALS_S[-1]), INTERVALS_S)[0] / max(1, len(interval))
    roots = np.where(np.diff(INTERVALS_S) < resolution_s, np.nan, np.sqrt(share))
    cumulative = np.where(INTERVALS_S[1:-1] < 2 * resolution_s, np.nan, np.cumsum(share)[:-1])
    log = np.log10(np.clip(interval, 1e-3, 10)) if len(interval) > 2 else np.full(3, -np.log10(max(rate_hz, 0.1)))
    follows = unbroken[1:] & unbroken[:-1]
    first, second = step[:-1][follows], step[1:][follows]
    square = _square(first, second)
    if resolution_s > TICK_S:
        cut = int(np.ceil(2 * (np.log10(resolution_s) + 3)))
        square[:cut], square[:, :cut] = np.nan, np.nan
    scalars = _scalars(interval, log, first, second, rate_hz, resolution_s)
    quantiles = np.quantile(log, QUANTILES)
    return [roots, cumulative, quantiles, scalars, _bursts(interval, resolution_s), square.ravel()]


def _square(first_s: Vector, second_s: Vector) -> Float64[np.ndarray, "intervals intervals"]:
    """Compute square roots of the shares of pairs of successive intervals, in bins of half a decade from 1 ms."""
    if len(first_s) == 0:
        return np.zeros((SQUARE, SQUARE))
    place = [
        np.clip(2 * (np.log10(np.clip(part, 1e-3, 10)) + 3 + EDGE_S), 0, SQUARE - 1).astype(np.int64)
        for part in (first_s + EDGE_S, second_s + EDGE_S)
    ]
    counts = np.bincount(place[0] * SQUARE + place[1], minlength=SQUARE**2)
    return np.sqrt(counts / len(first_s)).reshape(SQUARE, SQUARE)


def _scalars(
    interval: Vector, log: Vector, first: Vector, second: Vector, rate_hz: float, resolution_s: float
) -> Vector:
    """Compute rate, irregularity and shape of the intervals.

    With too few intervals, values of a Poisson train are used.
    """
    spread = log.std()
    score = (log - log.mean()) / (spread + 1e-6)
    total = first + second
    contrast = np.abs(second - first)[total > 0] / total[total > 0]
    irregular = interval.std() / interval.mean() if len(interval) > 1 and interval.mean() > 0 else 1.0
    serial = 0.0
    if len(first) > 10:
        left, right = (np.log10(np.clip(part, 1e-3, 10)) - log.mean() for part in (first, second))
        serial = float((left * right).mean() / (spread**2 + 1e-6))
    short = [
        np.nan if resolution_s >= limit else float((interval < limit - EDGE_S).mean()) if len(interval) else 0.0
        for limit in (0.006, 0.010)
    ]
    local = [2 * contrast.mean(), 3 * (contrast**2).mean()] if len(contrast) else [1.0, 1.0]
    shape = [spread, (score**3).mean(), np.sqrt((score**4).mean()), serial]
    return np.array([np.log10(rate_hz), min(irregular, 5.0), *local, *short, *shape])


def _bursts(interval: Vector, resolution_s: float) -> Vector:
    """Describe bursts, that is, sequences of intervals under 10 ms.

    The features are the mean length, the square root of the longest length, and the shares of bursts with at least two
    and at least four intervals.
    """
    if resolution_s >= 0.005:
        return np.full(4, np.nan)
    edges = np.diff(np.r_[0, (interval < 0.010 - EDGE_S).astype(np.int64), 0])
    lengths = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
    if len(lengths) == 0:
        return np.zeros(4)
    return np.array([lengths.mean(), np.sqrt(lengths.max()), (lengths >= 2).mean(), (lengths >= 4).mean()])


def _lags(clock: Clock, unit: int, sample: Sample, rate_hz: float, resolution_s: float) -> list[Vector]:
    """Compute autocorrelograms of all spikes, and of spikes that follow few, some and many spikes within a second."""
    train = clock.tick[clock.rows(unit)]
    found = np.diff(np.searchsorted(train, sample.ticks[:, None] + LAGS), axis=1)
    room_s = np.diff(np.minimum(sample.after[:, None], LAGS), axis=1) * TICK_S
    masked = np.diff(LAGS) * TICK_S < resolution_s - 1e-4
    whole = np.log2((found.sum(0) + 1) / (rate_hz * room_s.sum(0) + 1))
    lately = np.searchsorted(train, sample.ticks) - np.searchsorted(train, sample.ticks - CONTEXT)
    third = np.argsort(np.argsort(lately, kind="stable"), kind="stable") * 3 // len(lately)
    parts = []
    for level in range(3):
        chosen = third == level if (third == level).any() else np.ones(len(third), np.bool_)
        parts.append(np.sqrt((found[chosen].sum(0) + 0.5) / (rate_hz * room_s[chosen].sum(0) + 0.5)))
    return [np.where(masked, np.nan, part) for part in (whole, *parts)]


def _variability(clock: Clock, unit: int) -> Vector:
    """Compute the logarithm of the Fano factor of spike counts in bins of `COUNTING` ticks."""
    found = []
    for bin_ticks in COUNTING:
        counts = clock.count(unit, bin_ticks)
        mean = counts.mean() if len(counts) >= 8 else 0.0
        found.append(np.log(counts.var() / mean + 0.05) if mean > 0 else np.nan)
    return np.array(found)


def _surroundings(clock: Clock, unit: int, sample: Sample, resolution_s: float) -> Vector:
    """Describe how the rate of the other units changes after and before the spikes of the unit."""
    own = clock.rows(unit)
    others = int(clock.total[-1]) - (own.stop - own.start)
    if others == 0:
        return np.full(AROUND_DIM, np.nan)
    train, rate_hz = clock.tick[own], others / clock.duration_s
    sides = []
    for room, sign in ((sample.after, 1), (sample.before, -1)):
        reach = np.minimum(room[:, None], AROUND)
        edge = sample.ticks[:, None] + reach if sign > 0 else sample.ticks[:, None] + 1 - reach
        counts = sign * np.diff(clock.total[edge] - np.searchsorted(train, edge), axis=1).sum(0)
        expected = rate_hz * np.diff(reach, axis=1).sum(0) * TICK_S
        excess = np.clip((counts - expected) / (expected + 20), -1, 3)
        sides.append(np.where(np.diff(AROUND) * TICK_S < resolution_s / 2 - 1e-4, np.nan, excess))
    return np.concatenate([*sides, sides[0] - sides[1]])
