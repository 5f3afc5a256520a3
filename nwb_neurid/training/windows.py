"""Cut a recording into windows. The recording is binned once, and each window is a range of columns."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped

from nwb_neurid.dff import bridge
from nwb_neurid.errors import InvalidOption
from nwb_neurid.intervals import find_intervals, intersected, rows_of
from nwb_neurid.population import Population, Spikes, Traces

SAME_RATE = 0.02
"""Frame rates that differ by less than this share are treated as equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOptions:
    """Options for cutting a recording into windows.

    Parameters
    ----------
    bin_s
        Length of a bin of spikes, in seconds. Traces are resampled so that this is the time between two samples.
    token_bins
        Number of bins in a token.
    tokens
        Number of tokens in a window.
    scale_quantile
        Traces are divided by this quantile of all samples of the recording; None to leave them unscaled.
    fewest_tokens
        A recording that is shorter than a window is embedded as one window with fewer tokens, if it has at least this
        many tokens. With None, only whole windows are used.

    Raises
    ------
    InvalidOption
        If a number is not positive, or `fewest_tokens` exceeds `tokens`.

    Examples
    --------
    >>> WindowOptions(bin_s=0.02, token_bins=50, tokens=10).window_s
    10.0
    """

    bin_s: float
    token_bins: int
    tokens: int
    scale_quantile: float | None = None
    fewest_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in ("bin_s", "token_bins", "tokens"):
            if not getattr(self, name) > 0:
                raise InvalidOption(f"{name} must be positive, got {getattr(self, name)}.")
        if self.fewest_tokens is not None and not 0 < self.fewest_tokens <= self.tokens:
            raise InvalidOption(f"fewest_tokens must be from 1 to {self.tokens}, got {self.fewest_tokens}.")

    @property
    def bins(self) -> int:
        """Number of bins in a window."""
        return self.token_bins * self.tokens

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return self.bins * self.bin_s


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Windows:
    """A binned recording and its windows.

    Parameters
    ----------
    values
        Spike counts (uint8) or samples (float32) of observed time, shape (units, bins).
    starts_s
        Start of each bin, in seconds of the session clock, shape (bins,).
    first
        Column at which each window begins, shape (windows,).
    bins
        Number of columns in a window.
    active
        Whether a unit is active in a window, shape (windows, units). An active unit was observed during the whole
        window. In addition, a unit with spikes must have fired in the window. The samples of a unit with a trace must
        vary and must not be NaN. Units that are not active are left out of the window.
    stitched
        Whether windows were joined across gaps in the observation.
    notes
        Sentences about further processing of the activity.
    """

    values: Shaped[np.ndarray, "units bins"]
    starts_s: Float64[np.ndarray, " bins"]
    first: Int64[np.ndarray, " windows"]
    bins: int
    active: Bool[np.ndarray, "windows units"]
    stitched: bool
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Columns:
    """The observed time of a recording, binned once.

    Parameters
    ----------
    values
        Spike counts (uint8) or samples (float32), shape (units, bins).
    starts_s
        Start of each bin, in seconds of the session clock, shape (bins,).
    run
        The unbroken run of each bin, shape (bins,), ascending. If runs are stitched, all bins are in one run.
    stitched
        Whether runs were joined end to end.
    notes
        Sentences about further processing of the activity.
    """

    values: Shaped[np.ndarray, "units bins"]
    starts_s: Float64[np.ndarray, " bins"]
    run: Int64[np.ndarray, " bins"]
    stitched: bool
    notes: tuple[str, ...] = ()


def bin_recording(population: Population, options: WindowOptions) -> Columns:
    """Bin a recording, within observed time.

    If possible, each window lies within one unbroken run of observed time. If windows within runs would cover less than
    half of the observed time, as in recordings of short trials, windows are stitched. Each run is then cut to whole
    tokens, or to whole bins if no run is as long as a token, and the runs are joined end to end.
    """
    notes: tuple[str, ...] = ()
    if isinstance(population.activity, Spikes):
        values: np.ndarray = population.binned(options.bin_s)
        starts_s = population.bin_starts_s(options.bin_s)
    else:
        values, starts_s, notes = _resample_traces(population, population.activity, options)
    run = find_intervals(starts_s, population.runs_s())
    if len(_find_first_columns(run, options.bins)) >= (len(run) // options.bins) / 2:
        return Columns(values=values, starts_s=starts_s, run=run, stitched=False, notes=notes)
    kept = _keep_whole_tokens(run, options.token_bins)
    values, starts_s = values[:, kept], starts_s[kept]
    stitched = len(kept) >= options.bins
    return Columns(values=values, starts_s=starts_s, run=np.zeros(len(kept), np.int64), stitched=stitched, notes=notes)


def cut_windows(population: Population, options: WindowOptions) -> Windows:
    """Cut a recording into consecutive windows that do not overlap, within observed time.

    If possible, each window lies within one unbroken run of observed time. If windows within runs would cover less than
    half of the observed time, as in recordings of short trials, windows are stitched. Each run is then cut to whole
    tokens, and the runs are joined end to end.

    Parameters
    ----------
    population
        The recording. Spikes are binned, and traces are resampled to `options.bin_s`.
    options
        Options for cutting the recording.

    Returns
    -------
    Windows
        The binned recording, the starts of its windows, and which units are active in each window.

    Examples
    --------
    >>> from nwb_neurid.testing import mock_population
    >>> windows = cut_windows(
    ...     mock_population(units=3, duration_s=35.0), WindowOptions(bin_s=0.02, token_bins=50, tokens=10)
    ... )
    >>> len(windows), windows.values.shape
    (3, (3, 1750))
    """
    whole = bin_recording(population, options)
    first = _find_first_columns(whole.run, options.bins)
    notes = whole.notes
    if len(first) == 0 and options.fewest_tokens is not None:
        tokens = int((find_stretches(whole.run)[1] // options.token_bins).sum())
        if tokens >= options.fewest_tokens:
            wanted_s, options = options.window_s, replace(options, tokens=tokens)
            whole = bin_recording(population, options)
            first = _find_first_columns(whole.run, options.bins)
            notes = (
                *notes,
                f"The recording is too short for a window of {wanted_s:.3g} s, so a single window of "
                f"{options.window_s:.3g} s was used.",
            )
    active = np.zeros((len(first), len(population)), bool)
    for window, column in enumerate(first):
        part = slice(column, column + options.bins)
        active[window] = _find_active(population, whole.values[:, part], whole.starts_s[part], options.bin_s)
    return Windows(
        values=whole.values,
        starts_s=whole.starts_s,
        first=first,
        bins=options.bins,
        active=active,
        stitched=whole.stitched,
        notes=notes,
    )


def _find_first_columns(run: Int64[np.ndarray, " columns"], bins: int) -> Int64[np.ndarray, " windows"]:
    """Find the first columns of windows, each of which lies in one run."""
    begins, lengths = find_stretches(run)
    firsts = [begin + np.arange(0, length - bins + 1, bins) for begin, length in zip(begins, lengths, strict=True)]
    return np.concatenate([np.empty(0, np.int64), *firsts])


def _keep_whole_tokens(run: Int64[np.ndarray, " columns"], token_bins: int) -> Int64[np.ndarray, " kept"]:
    """Find the columns that form whole tokens within runs, or all columns if no run is as long as a token."""
    begins, lengths = find_stretches(run)
    if lengths.max(initial=0) < token_bins:
        return np.arange(len(run))
    place = np.arange(len(run)) - np.repeat(begins, lengths)
    return np.flatnonzero(place < np.repeat(lengths // token_bins * token_bins, lengths))


def find_stretches(
    run: Int64[np.ndarray, " columns"],
) -> tuple[Int64[np.ndarray, " stretches"], Int64[np.ndarray, " stretches"]]:
    """Find the first column and the number of columns of each run."""
    begins = np.flatnonzero(np.diff(run, prepend=-1))
    return begins, np.diff(begins, append=len(run))


def _find_active(
    population: Population,
    values: Shaped[np.ndarray, "units bins"],
    starts_s: Float64[np.ndarray, " bins"],
    bin_s: float,
) -> Bool[np.ndarray, " units"]:
    """Find the units that are active in these bins."""
    lowest = 0 if values.dtype == np.uint8 else values.min(axis=1)
    active = np.asarray(values.max(axis=1) > lowest)  # false beside a NaN
    if population.unit_observed is not None:
        bins_s = np.column_stack([starts_s, starts_s + bin_s])
        pieces = rows_of(intersected(population.observed_s, bins_s), population.observed_s)
        active &= population.unit_observed[:, pieces].all(axis=1)
    return active


def _resample_traces(
    population: Population, traces: Traces, options: WindowOptions
) -> tuple[Float32[np.ndarray, "units bins"], Float64[np.ndarray, " bins"], tuple[str, ...]]:
    """Resample and scale traces in observed time. Also return the times of the samples, and notes.

    Each run is resampled separately, because a filter would mix values from a gap into the neighbouring samples.
    """
    starts_s = traces.start_s + np.arange(traces.values.shape[1]) / traces.rate_hz
    run = find_intervals(starts_s, population.runs_s())
    values, starts_s, run = traces.values[:, run >= 0], starts_s[run >= 0], run[run >= 0]
    notes: tuple[str, ...] = ()
    wanted_hz = 1 / options.bin_s
    if abs(traces.rate_hz / wanted_hz - 1) >= SAME_RATE:
        ratio = Fraction(wanted_hz / traces.rate_hz).limit_denominator(1000)
        begins, lengths = find_stretches(run)
        parts = [_resample(values[:, at : at + length], ratio) for at, length in zip(begins, lengths, strict=True)]
        step_s = 1 / (traces.rate_hz * float(ratio))
        times_s = [starts_s[at] + np.arange(part.shape[1]) * step_s for at, part in zip(begins, parts, strict=True)]
        values, starts_s = np.concatenate([values[:, :0], *parts], axis=1), np.concatenate([starts_s[:0], *times_s])
        inside = find_intervals(starts_s, population.runs_s()) >= 0  # the last of a run may begin where it ends
        values, starts_s = values[:, inside], starts_s[inside]
        notes = (f"Traces were resampled from {traces.rate_hz:g} to {wanted_hz:g} Hz.",)
    if options.scale_quantile is not None and len(finite := values[np.isfinite(values)]):
        scale = np.quantile(finite, options.scale_quantile, overwrite_input=True)
        values = values / np.float32(scale if scale > 0 else 1)
    return values, starts_s, notes


def _resample(values: Float32[np.ndarray, "units samples"], ratio: Fraction) -> Float32[np.ndarray, "units bins"]:
    """Resample one run by a factor, with a low-pass filter against aliasing."""
    from scipy.signal import resample_poly

    if values.shape[1] < 2:
        return values
    bridged, missing = bridge(values)
    found = resample_poly(bridged, ratio.numerator, ratio.denominator, axis=1, padtype="line").astype(np.float32)
    if missing.any():
        at = np.arange(found.shape[1]) / float(ratio)
        beside = np.stack([np.floor(at), np.ceil(at)]).astype(int).clip(max=missing.shape[1] - 1)
        found[missing[:, beside].any(axis=1)] = np.nan
    return found
