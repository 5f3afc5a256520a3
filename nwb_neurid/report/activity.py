"""The activity of each unit for the page: raster or trace, autocorrelogram, interval histogram, waveform."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from nwb_neurid.correlogram import count_pairs
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Population, Spikes, Traces
from nwb_neurid.report.encoding import encode_array, encode_numbers, scale_rows

SPIKES = 5_000
"""Maximum number of spikes of a unit, from its first spike on, for its autocorrelogram."""

LAGS_MS = np.arange(0, 51)
INTERVALS_S = np.logspace(-3, 1, 41)
RASTER_SPIKES = 400_000
RASTER_S = (60.0, 30.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5)
SHORT_RUN_S = 5.0
"""If the longest run of observed time is shorter than this, the raster includes gaps."""
TRACE_POINTS, TRACE_S, TRACE_BYTES = 400, 120.0, 1_500_000
WAVEFORM_POINTS = 100
REFRACTORY_S = 0.002


def describe_activity(population: Population) -> dict[str, Any]:
    """Collect the content of the panels of a unit. The value is None for panels without data."""
    activity = population.activity
    found: dict[str, Any] = {"waveforms": _encode_waveforms(population)}
    if not len(population.observed_s):
        return found
    if isinstance(activity, Traces):
        return {**found, "traces": _encode_traces(population, activity)}
    return {
        **found,
        "raster": _encode_raster(population, activity),
        "autocorrelograms": _encode_autocorrelograms(population, activity),
        "intervals": _encode_intervals(population),
    }


def measure_units(population: Population) -> dict[str, tuple[str, Float64[np.ndarray, " units"]]]:
    """Measure each unit. Return names of the measurements (including the physical unit), and a value for each unit."""
    observed_s = population.unit_duration_s()
    found = {"observed (s)": ("How long the unit was observed", observed_s)}
    activity = population.activity
    if isinstance(activity, Spikes):
        rate = np.diff(activity.splits) / np.where(observed_s > 0, observed_s, np.nan)
        steps_s = [population.intervals_s(unit) for unit in range(len(population))]
        short = np.array([np.mean(own < REFRACTORY_S) if len(own) else np.nan for own in steps_s], np.float64)
        found = {
            "firing rate (Hz)": ("Spikes per second of observed time", rate),
            "intervals < 2 ms (%)": ("Share of inter-spike intervals under 2 ms", 100 * short),
            **found,
        }
    else:
        values = activity.values.astype(np.float64)
        with np.errstate(invalid="ignore"):
            spread = np.array([np.std(row[np.isfinite(row)]) if np.isfinite(row).any() else np.nan for row in values])
        found = {f"SD of {activity.kind}": ("Standard deviation of the trace", spread), **found}
    return found


def _encode_waveforms(population: Population) -> dict[str, Any] | None:
    waveforms, rate_hz = population.waveforms_uv, population.waveform_rate_hz
    if waveforms is None or rate_hz is None or not np.isfinite(waveforms).any():
        return None
    step = max(1, -(-waveforms.shape[1] // WAVEFORM_POINTS))
    kept = waveforms[:, ::step].astype(np.float64)
    peak = np.abs(np.nan_to_num(kept)).max(axis=1, initial=0)
    return {
        "step_ms": 1e3 * step / rate_hz,
        "peak": encode_numbers(np.where(np.isfinite(kept).all(axis=1), peak, np.nan)),
        "values": encode_array(scale_rows(kept, 127).astype(np.int8)),
    }


def _encode_autocorrelograms(population: Population, spikes: Spikes) -> dict[str, Any]:
    """Encode the autocorrelogram of each unit, scaled to its highest bin, and the firing rate at this bin."""
    edges_s = LAGS_MS / 1e3
    rates = np.zeros((len(population), len(LAGS_MS) - 1))
    for unit in range(len(population)):
        train = spikes.train_s(unit)[:SPIKES]
        if len(train) > 1:
            rates[unit] = count_pairs(train, population.runs_s(unit), edges_s) / (len(train) * edges_s[1])
    return {
        "bin_ms": 1,
        "peak_hz": encode_numbers(rates.max(axis=1, initial=0)),
        "values": encode_array(scale_rows(rates, 255).astype(np.uint8)),
        "spikes": SPIKES,
    }


def _encode_intervals(population: Population) -> dict[str, Any]:
    """Encode the histogram of inter-spike intervals on a logarithmic axis, in percent, scaled to its highest bin."""
    shares = np.zeros((len(population), len(INTERVALS_S) - 1))
    for unit in range(len(population)):
        intervals = population.intervals_s(unit)
        if len(intervals):
            shares[unit] = 100 * np.histogram(intervals, INTERVALS_S)[0] / len(intervals)
    return {
        "edges_ms": encode_numbers(INTERVALS_S * 1e3),
        "peak": encode_numbers(shares.max(axis=1, initial=0)),
        "values": encode_array(scale_rows(shares, 255).astype(np.uint8)),
    }


def _encode_raster(population: Population, spikes: Spikes) -> dict[str, Any] | None:
    """Encode the spikes of all units in one stretch of time.

    The stretch is the start of the longest run of observed time. In recordings of short trials, it begins with the
    first run and includes gaps.
    """
    start_s, run_s = _find_longest_run(population)
    if run_s == 0:
        return None
    runs = population.runs_s()
    has_gaps = run_s < SHORT_RUN_S and len(runs) > 1
    if has_gaps:
        start_s, run_s = float(runs[0, 0]), float(runs[-1, 1] - runs[0, 0])
    for length_s in RASTER_S:
        inside = (spikes.times_s >= start_s - EDGE_S) & (spikes.times_s < start_s + length_s)
        if np.count_nonzero(inside) <= RASTER_SPIKES:
            break
    length_s = min(length_s, run_s)
    inside &= spikes.times_s < start_s + length_s
    before = np.concatenate([[0], np.cumsum(inside)])
    share = np.clip((spikes.times_s[inside] - start_s) / length_s, 0, 1)
    return {
        "start_s": float(f"{start_s:.6g}"),
        "length_s": float(f"{length_s:.6g}"),
        "gaps": has_gaps,
        "splits": encode_array(before[spikes.splits].astype(np.uint32)),
        "times": encode_array(np.round(share * 65_535).astype(np.uint16)),
    }


def _encode_traces(population: Population, traces: Traces) -> dict[str, Any] | None:
    """Encode a part of all traces, averaged to at most 400 points.

    Each trace is scaled to its own range. The value 0 means that a point is missing.
    """
    start_s, run_s = _find_longest_run(population)
    first = int(np.clip(np.ceil((start_s - traces.start_s) * traces.rate_hz - 1e-6), 0, traces.values.shape[1]))
    frames = min(int(min(run_s, TRACE_S) * traces.rate_hz), traces.values.shape[1] - first)
    if frames < 1 or len(population) == 0:
        return None
    points = int(np.clip(TRACE_BYTES // len(population), 20, TRACE_POINTS))
    step = -(-frames // points)
    frames = frames // step * step
    values = traces.values[:, first : first + frames].astype(np.float64).reshape(len(population), -1, step).mean(axis=2)
    low = np.nanmin(np.where(np.isfinite(values), values, np.inf), axis=1, keepdims=True)
    high = np.nanmax(np.where(np.isfinite(values), values, -np.inf), axis=1, keepdims=True)
    span = np.where(high > low, high - low, 1)
    with np.errstate(invalid="ignore"):
        scaled = np.where(np.isfinite(values), 1 + np.round(254 * (values - low) / span), 0)
    return {
        "start_s": float(f"{start_s:.6g}"),
        "step_s": step / traces.rate_hz,
        "low": encode_numbers(low),
        "high": encode_numbers(high),
        "values": encode_array(scaled.astype(np.uint8)),
    }


def _find_longest_run(population: Population) -> tuple[float, float]:
    """Return the start and the duration of the longest run of observed time, in seconds."""
    runs = population.runs_s()
    if len(runs) == 0:
        return 0.0, 0.0
    longest = int(np.argmax(runs[:, 1] - runs[:, 0]))
    return float(runs[longest, 0]), float(runs[longest, 1] - runs[longest, 0])
