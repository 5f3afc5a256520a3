"""Features of the trace of each unit alone: distribution, autocorrelation, changes, spectrum, events.

All spans are in seconds. Features with spans shorter than a frame, or longer than a quarter of the longest run, are
NaN.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from nwb_neurid.errors import InvalidPopulation
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Population, Traces

FASTEST_HZ = 10.0
"""Maximum frame rate. In faster recordings, frames are averaged to 5 Hz or slightly more."""

DRIFT_S = 240.0
"""Slower changes than this are removed, for example bleaching and drift of the focus."""

SPANS_S = (0.2, 0.4, 0.6, 1.2, 2.4, 4.0, 6.0, 10.0, 15.0, 24.0, 40.0, 60.0)
CHANGES_S = (0.2, 0.6, 1.2, 2.4, 5.0, 10.0)
AROUND_S = (-20.0, -12.0, -6.0, -3.0, -1.2, 0.0, 1.2, 3.0, 6.0, 12.0, 20.0)
BANDS_HZ = np.geomspace(0.004, 2.5, 15)
QUANTILES = np.array([0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99])
EVENT_S = 1.2
EVENTS = 0.03
"""Number of events, as a share of the frames. The largest changes count as events."""

DIM = len(QUANTILES) + 2 + len(SPANS_S) + 7 * len(CHANGES_S) + len(BANDS_HZ) - 1 + 2 * len(AROUND_S) + 3
LOWEST_MEAN = 0.05
"""Smallest mean, as a share of the spread, whose logarithm is computed. Noise may make the mean negative."""

SIZES_DIM = 2 + len(QUANTILES) + 5 * len(CHANGES_S)
PIECE = 1024

Run = Float32[np.ndarray, "units _"]
Block = Float64[np.ndarray, "units _"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Film:
    """The traces of a population, with drift removed and scaled to standard deviation 1, run by run.

    Parameters
    ----------
    runs
        One array for each run of observed time.
    rate_hz
        Frames per second.
    level
        Logarithms of the median of each unit, of its spread relative to the median, and of its range. They are NaN if
        fluorescence is not positive.
    mean, spread
        Mean of each unit before drift was removed, and its standard deviation, by which its trace was divided.
    constant
        Whether each unit never changes.
    """

    runs: tuple[Run, ...]
    rate_hz: float
    level: Block
    mean: Float64[np.ndarray, " units"]
    spread: Float64[np.ndarray, " units"]
    constant: np.ndarray

    @classmethod
    def of(cls, population: Population) -> "Film":
        """Cut the traces of a population into its runs of observed time. At high frame rates, frames are averaged."""
        traces = population.activity
        if not isinstance(traces, Traces):
            raise InvalidPopulation("This needs traces, the population has spikes.")
        together = max(1, int(traces.rate_hz / (FASTEST_HZ / 2))) if traces.rate_hz > FASTEST_HZ else 1
        runs, rate_hz = list(_cut(population, traces, together)), traces.rate_hz / together
        level = _levels(runs, len(population), positive=traces.kind == "fluorescence")
        means, spreads = np.zeros((2, len(population)))
        for start in range(0, len(population), PIECE):
            rows = slice(start, start + PIECE)
            parts = [run[rows] for run in runs]
            mean = _means(parts)
            parts = [_without_drift(part, mean, rate_hz) for part in parts]
            spread = _spreads(parts)
            means[rows], spreads[rows] = mean, spread
            for run, part in zip(runs, parts, strict=True):
                run[rows] = part / np.where(spread < 1e-9, 1, spread).astype(np.float32)[:, None]
        return cls(runs=tuple(runs), rate_hz=rate_hz, level=level, mean=means, spread=spreads, constant=spreads < 1e-9)

    def __len__(self) -> int:
        return len(self.constant)

    @property
    def frames(self) -> int:
        """Return the number of frames in all runs."""
        return sum(run.shape[1] for run in self.runs)

    def span(self, seconds: float) -> int:
        """Return the number of frames in a span of time.

        It is 0 if the span is too short or too long for these runs.
        """
        longest = max((run.shape[1] for run in self.runs), default=0)
        frames = round(seconds * self.rate_hz)
        return frames if seconds * self.rate_hz > 0.75 and 0 < frames <= longest // 4 else 0

    def changes(self, frames: int) -> tuple[Run, ...]:
        """Return the differences between the means of successive stretches of `frames` frames, in each run."""
        return tuple(_differ(_smooth(run, frames), frames) for run in self.runs if run.shape[1] > 2 * frames + 8)

    def pieces(self) -> Iterator[tuple[slice, "Film"]]:
        """Yield the units in pieces."""
        for start in range(0, len(self), PIECE):
            rows = slice(start, min(start + PIECE, len(self)))
            yield rows, self.select(rows)

    def select(self, rows: slice | Int64[np.ndarray, " rows"]) -> "Film":
        """Select some units."""
        runs = tuple(run[rows] for run in self.runs)
        return Film(
            runs=runs,
            rate_hz=self.rate_hz,
            level=self.level[rows],
            mean=self.mean[rows],
            spread=self.spread[rows],
            constant=self.constant[rows],
        )


def describe(film: Film, *, sizes: bool = False) -> Block:
    """Compute features of each unit, with or without features of size."""
    longest = max(film.runs, key=lambda run: run.shape[1])
    whole = np.concatenate(film.runs, axis=1).astype(np.float64)
    quantiles = np.quantile(whole, QUANTILES, axis=1).T
    changes = [_change(film, seconds) for seconds in CHANGES_S]
    parts = [
        quantiles,
        np.column_stack([np.cbrt((whole**3).mean(1)), np.log((whole**4).mean(1) + 1e-3)]),
        *(_autocorrelation(film, seconds) for seconds in SPANS_S),
        *changes,
        _spectrum(longest, film.rate_hz),
        *_events(longest, film.span(EVENT_S) or 1, film.rate_hz),
        film.level,
    ]
    return np.concatenate([*parts, *(_sizes(film, quantiles, changes) if sizes else ())], axis=1)


def _sizes(film: Film, quantiles: Block, changes: Sequence[Block]) -> Iterator[Block]:
    """Compute the mean, quantiles, and spread and quantiles of changes, in the unit of the traces.

    All other features are computed from traces with standard deviation 1. These do not show how often a unit fires, or
    how many spikes come together.
    """
    spreads = np.maximum(film.spread, 1e-9)
    yield np.column_stack([film.mean, np.log(np.maximum(film.mean, LOWEST_MEAN * spreads))])
    yield film.mean[:, None] + film.spread[:, None] * quantiles
    for change in changes:
        spread = np.log(spreads)[:, None] + change[:, :1]
        yield spread
        yield np.exp(spread) * change[:, 3:]


def _cut(population: Population, traces: Traces, together: int) -> Iterator[Run]:
    """Yield the samples of each run, averaged over `together` frames. They are NaN for a unit that was not observed."""
    partly = population.unit_observed is not None and not population.unit_observed.all()
    runs_s = population.observed_s if partly else population.runs_s()
    for number, span_s in enumerate(runs_s):
        frames = np.ceil((span_s - EDGE_S - traces.start_s) * traces.rate_hz - 1e-3)
        first, last = np.clip(frames, 0, traces.values.shape[1]).astype(np.int64)
        whole = int(last - first) // together
        if whole:
            part = traces.values[:, first : first + whole * together]
            part = part.reshape(len(part), whole, together).mean(axis=2, dtype=np.float32)
            if partly and population.unit_observed is not None:
                part[~population.unit_observed[:, number]] = np.nan
            yield part


def without_mean(run: Run, frames: int) -> Run:
    """Subtract the mean of the surrounding frames from each frame of a run. The run becomes shorter."""
    mean = _smooth(run, frames)
    left = frames // 2
    return run[:, left : left + mean.shape[1]] - mean


def _unknown(film: Film, columns: int) -> Block:
    return np.full((len(film), columns), np.nan)


def _joined(film: Film, make: Callable[[Run], Run], least: int) -> Float64[np.ndarray, "units frames"]:
    parts = [make(run) for run in film.runs if run.shape[1] > least]
    return np.concatenate(parts, axis=1).astype(np.float64)


def _autocorrelation(film: Film, seconds: float) -> Block:
    lag = film.span(seconds)
    if not lag:
        return _unknown(film, 1)
    return _joined(film, lambda run: run[:, lag:] * run[:, :-lag], lag).mean(axis=1)[:, None]


def _change(film: Film, seconds: float) -> Block:
    """Compute size, asymmetry, weight of the tails and quantiles of changes over a span."""
    lag = film.span(seconds)
    if not lag:
        return _unknown(film, 7)
    change = _joined(film, lambda run: _differ(run, lag), lag)
    spread = change.std(axis=1, keepdims=True) + 1e-6
    change /= spread
    tails = np.quantile(change, [0.02, 0.1, 0.9, 0.98], axis=1).T
    shape = [np.log(spread[:, 0]), np.cbrt((change**3).mean(1)), np.log((change**4).mean(1) + 1e-3)]
    return np.column_stack([*shape, tails])


def _spectrum(run: Run, rate_hz: float) -> Block:
    """Compute the logarithm of the power in each band, relative to the mean of all frequencies."""
    frames = run.shape[1]
    power = np.abs(np.fft.rfft(run * np.hanning(frames).astype(np.float32), axis=1)) ** 2
    frequency_hz = np.fft.rfftfreq(frames, 1 / rate_hz)
    mean = power[:, 1:].mean(axis=1) + 1e-9 if frames > 2 else np.ones(len(run))
    found = np.full((len(run), len(BANDS_HZ) - 1), np.nan)
    for band, (low, high) in enumerate(pairwise(BANDS_HZ)):
        inside = (frequency_hz >= low) & (frequency_hz < high)
        if inside.any() and high <= rate_hz / 2:
            found[:, band] = np.log(power[:, inside].mean(axis=1) / mean + 1e-4)
    return found


def _events(run: Run, span: int, rate_hz: float) -> tuple[Block, Block]:
    """Compute the mean trace around the largest rises, and around the largest falls."""
    frames = run.shape[1]
    found = []
    for sign in (1, -1):
        block = np.full((len(run), len(AROUND_S)), np.nan)
        if frames > span + 4:
            number = max(3, int(EVENTS * frames))
            change = -sign * _differ(run, span)
            number = min(number, change.shape[1])
            at = np.argpartition(change, number - 1, axis=1)[:, :number]
            for place, seconds in enumerate(AROUND_S):
                shift = round(seconds * rate_hz)
                if abs(shift) <= frames // 4 and (shift or not seconds):
                    near = np.clip(at + shift, 0, frames - 1)
                    block[:, place] = np.take_along_axis(run, near, 1).mean(axis=1)
        found.append(block)
    return found[0], found[1]


def _differ(values: Float[np.ndarray, "units frames"], frames: int) -> Float[np.ndarray, "units fewer"]:
    return values[:, frames:] - values[:, :-frames]


def _smooth(run: Run, frames: int) -> Run:
    """Compute moving averages over `frames` frames."""
    total = np.cumsum(np.pad(run, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    return (_differ(total, frames) / frames).astype(np.float32)


def _spreads(runs: list[Run]) -> Float64[np.ndarray, " units"]:
    """Compute the root mean square of each unit."""
    square = sum(np.einsum("uf,uf->u", run, run, dtype=np.float64) for run in runs)
    frames = max(1, sum(run.shape[1] for run in runs))
    return np.asarray(np.sqrt(square / frames))


def _means(runs: list[Run]) -> Float64[np.ndarray, " units"]:
    """Compute the mean of the known values of each unit. It is 0 if no value is known."""
    known = sum(np.isfinite(run).sum(axis=1) for run in runs)
    total = sum(np.where(np.isfinite(run), run, 0).sum(axis=1, dtype=np.float64) for run in runs)
    return np.asarray(total / np.maximum(known, 1))


def _without_drift(run: Run, mean: Float64[np.ndarray, " units"], rate_hz: float) -> Run:
    """Replace missing samples by the mean, and subtract the mean of the minutes around each frame."""
    filled = np.where(np.isfinite(run), run, mean[:, None]).astype(np.float64)
    frames = filled.shape[1]
    half = int(DRIFT_S * rate_hz) // 2
    low: Int64[np.ndarray, " frames"] = np.maximum(np.arange(frames) - half, 0)
    high = np.minimum(np.arange(frames) + half + 1, frames)
    total = np.cumsum(np.pad(filled - mean[:, None], ((0, 0), (1, 0))), axis=1)
    drift = (total[:, high] - total[:, low]) / (high - low)
    return (filled - mean[:, None] - drift).astype(np.float32)


def _levels(runs: list[Run], units: int, *, positive: bool) -> Block:
    """Compute logarithms of the brightness of each unit, of its variation, and of its range."""
    found = np.full((units, 3), np.nan)
    if not positive or not runs:
        return found
    for start in range(0, units, PIECE):
        part = np.concatenate([run[start : start + PIECE] for run in runs], axis=1)
        known = np.isfinite(part).any(axis=1)
        low, middle, high = np.nanquantile(part[known], [0.05, 0.5, 0.98], axis=1)
        bright = low > 0
        rows = start + np.flatnonzero(known)[bright]
        spread = np.nanstd(part[known][bright], axis=1, dtype=np.float64)
        low, middle, high = low[bright], middle[bright], high[bright]
        found[rows] = np.column_stack([np.log(middle), np.log(spread / middle + 1e-6), np.log(high / low)])
    return found
