"""Conversion to dF/F: fluorescence relative to its baseline, and deconvolved activity convolved with a decay."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from nwb_neurid.intervals import bounds
from nwb_neurid.population import Population

FLOOR = 1 - 0.7 / 1.03
"""Share of its raw baseline that an ROI 3 % brighter than its neuropil keeps when 0.7 of that is subtracted: 0.32.

Chen et al. (2013, Nature 499:295) subtract so much and exclude dimmer ROIs, whose correction is not robust.
"""

LARGEST_DFF = 20.0
"""A dF/F above that of any indicator. It shows that background subtraction left a baseline close to zero."""

WINDOW_S, SIGMA_FRAMES = 60.0, 10.0
"""Default parameters of the baseline in suite2p."""

DECAY_S = 1.0
"""Time constant of the decay with which deconvolved activity is convolved, between those of GCaMP6f and GCaMP6s."""

Fluorescence = Float64[np.ndarray, "units samples"]


def convert_to_dff(population: Population) -> Population:
    """Convert the traces of a population to dF/F.

    Fluorescence F becomes (F - B) / B, with the maximin baseline B that suite2p subtracts before it deconvolves
    (Gaussian of 10 frames, minimum and maximum over 60 s). If B is close to zero or negative for most units, the traces
    were standardised, or their background was subtracted, so that F0 cannot be recovered. They then become F - B.
    Deconvolved activity is convolved with a decay of 1 s. Traces that are dF/F are not changed.

    Parameters
    ----------
    population
        A population with traces.

    Returns
    -------
    Population
        The same units. Its `notes` state what was done. Units without a positive baseline are excluded.

    Raises
    ------
    InvalidPopulation
        If the population has spikes.

    Examples
    --------
    >>> import numpy as np
    >>> from nwb_neurid import Population, Traces
    >>> values = np.full((1, 100), 200.0, np.float32)
    >>> values[0, 50] = 300.0
    >>> traces = Traces(values=values, rate_hz=10.0, kind="fluorescence")
    >>> recording = Population(unit_ids=np.arange(1), activity=traces, observed_s=np.array([[0.0, 10.0]]))
    >>> converted = convert_to_dff(recording)
    >>> converted.activity.kind, float(converted.activity.values[0, 50].round(2))
    ('dff', 0.5)
    """
    traces = population.traces
    if traces.kind == "dff":
        return population
    samples = _split_runs(population)
    bridged, missing = _bridge(traces.values, samples)
    excluded: dict[int, str] = {}
    if traces.kind == "deconvolved":
        values = _map_runs(lambda run: _convolve(run, DECAY_S * traces.rate_hz), bridged, samples)
        note = f"Deconvolved activity was convolved with a decay of {DECAY_S:g} s."
    else:
        values, excluded, note = _over_baseline(bridged, missing, samples, traces.rate_hz)
    converted = values.astype(np.float32)
    converted[missing] = np.nan
    return replace(
        population,
        activity=replace(traces, values=converted, kind="dff"),
        excluded={**excluded, **population.excluded},
        notes=(*population.notes, note),
    )


def _split_runs(population: Population) -> list[slice]:
    """Split samples into unbroken runs of observed time, which are converted separately. Filters then cross no gap."""
    traces = population.traces
    times_s = traces.start_s + np.arange(traces.values.shape[1]) / traces.rate_hz
    return [slice(first, stop) for first, stop in bounds(times_s, population.runs_s()).tolist() if stop > first]


def _map_runs(
    convert: Callable[[Fluorescence], Fluorescence], values: Fluorescence, samples: list[slice]
) -> Fluorescence:
    """Convert each run. Samples outside the runs become NaN."""
    found = np.full(values.shape, np.nan)
    for run in samples:
        found[:, run] = convert(values[:, run])
    return found


def _over_baseline(
    values: Fluorescence, missing: Bool[np.ndarray, "units samples"], samples: list[slice], rate_hz: float
) -> tuple[Fluorescence, dict[int, str], str]:
    """Compute dF/F. Also return the rows without dF/F, with reasons, and a note on how dF/F was computed."""

    def find(run: Fluorescence) -> Fluorescence:
        return find_baseline(run, sigma_frames=SIGMA_FRAMES, window_frames=int(WINDOW_S * rate_hz))

    how = f"maximin baseline over {WINDOW_S:g} s after a Gaussian of {SIGMA_FRAMES:g} frames, as in suite2p"
    baseline = _map_runs(find, values, samples)
    with np.errstate(all="ignore"):
        found = np.where(baseline > 0, (values - baseline) / baseline, np.inf)
    seen = np.isfinite(baseline) & ~missing
    undefined = np.array([_is_undefined(row[there]) for row, there in zip(found, seen, strict=True)], bool)
    if undefined.any() and undefined.sum() >= 0.5 * seen.any(axis=1).sum():
        note = (
            f"The baseline of {undefined.sum()} of {len(values)} traces of fluorescence is not positive (as in "
            "z-scored or background-subtracted data), so F0 is unknown and F - B was used instead of dF/F, with B "
            f"the {how}."
        )
        return values - baseline, {}, note
    found[undefined | ~seen.any(axis=1)] = np.nan
    rows = np.flatnonzero(undefined).tolist()
    note = f"dF/F was computed from fluorescence as (F - B) / B, with B the {how}."
    return found, dict.fromkeys(rows, "its fluorescence has no positive baseline, so dF/F is undefined"), note


def _is_undefined(dff: Float64[np.ndarray, " samples"]) -> bool:
    """Return whether a trace has no positive baseline, or a baseline close to zero."""
    return len(dff) > 0 and not (np.isfinite(dff).all() and np.quantile(dff, 0.99) <= LARGEST_DFF)


def _bridge(
    values: Float32[np.ndarray, "units samples"], samples: list[slice]
) -> tuple[Fluorescence, Bool[np.ndarray, "units samples"]]:
    """Interpolate missing samples of each run, because filters would spread them. Also return which were missing."""
    bridged = values.astype(np.float64)
    for run in samples:
        bridged[:, run] = bridge(bridged[:, run])[0]
    return bridged, ~np.isfinite(values)


def bridge(
    values: Float[np.ndarray, "units samples"],
) -> tuple[Float[np.ndarray, "units samples"], Bool[np.ndarray, "units samples"]]:
    """Interpolate missing samples linearly (0 if all samples are missing), and return which samples are missing."""
    missing = ~np.isfinite(values)
    bridged, places = values.copy(), np.arange(values.shape[1])
    for row in np.flatnonzero(missing.any(axis=1)):
        there = ~missing[row]
        bridged[row] = np.interp(places, places[there], values[row, there]) if there.any() else 0.0
    return bridged, missing


def _convolve(values: Fluorescence, decay_frames: float) -> Fluorescence:
    """Convolve samples with an exponential decay."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([1.0], [1.0, -np.exp(-1 / decay_frames)], values, axis=1))


def compute_dff(
    raw: Fluorescence, neuropil: Fluorescence, *, coefficient: float, sigma_frames: float, window_frames: int
) -> Fluorescence:
    """Compute dF/F with neuropil correction, NaN where the raw baseline is not positive.

    With Fc = F - coefficient * Fneu and its maximin baseline B, dF/F = (Fc - B) / max(B, 0.32 * B_F), where B_F is the
    maximin baseline of the raw F. Numerator and B are those of suite2p. B alone cannot be the denominator: for an ROI
    that is hardly brighter than its neuropil, B is close to zero or negative, and dF/F would grow without bound. The
    denominator is therefore at least a share `FLOOR` of B_F. Without neuropil correction, the result is (F - B) / B.

    Parameters
    ----------
    raw, neuropil
        `F.npy` and `Fneu.npy`.
    coefficient
        Share of the neuropil's fluorescence that is subtracted.
    sigma_frames, window_frames
        As for `find_baseline`.
    """
    corrected = raw - coefficient * neuropil
    baseline = find_baseline(corrected, sigma_frames=sigma_frames, window_frames=window_frames)
    floor = FLOOR * find_baseline(raw, sigma_frames=sigma_frames, window_frames=window_frames)
    f0 = np.maximum(baseline, floor)
    with np.errstate(all="ignore"):  # what is not positive becomes NaN in the same step
        return np.where(f0 > 0, (corrected - baseline) / f0, np.nan)


def find_baseline(traces: Fluorescence, *, sigma_frames: float, window_frames: int) -> Fluorescence:
    """Find the running maximum of the running minimum of a smoothed trace, the baseline "maximin" of suite2p 1.1.

    The Gaussian is cut off at three standard deviations, and the trace is padded with its first and last value.

    Parameters
    ----------
    traces
        Shape (units, samples).
    sigma_frames
        Standard deviation of the Gaussian; 0 for none.
    window_frames
        Width of the window of minimum and maximum; an even number is increased to the next odd one.
    """
    from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d

    # A window of twice the trace already sees all of it from everywhere.
    window = min(window_frames, 2 * traces.shape[1]) // 2 * 2 + 1
    smooth = gaussian_filter1d(traces, sigma_frames, mode="nearest", truncate=3.0) if sigma_frames > 0 else traces
    lower = minimum_filter1d(smooth, window, mode="nearest")
    return np.asarray(maximum_filter1d(lower, window, mode="nearest"))
