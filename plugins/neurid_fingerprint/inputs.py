"""The inputs of the networks for a unit: seven arrays, each of which may be missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from neurid_fingerprint.timing import (
    CENTRES_S,
    CONDITIONAL_BINS,
    QUANTILES,
    WIDTHS_S,
    Histograms,
    count_histograms,
)
from neurid_fingerprint.waveforms import MEASURES, SHAPE_SAMPLES, measure_waveform
from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population

SMOOTHING_BINS = 1.5
LOG_S = np.log10(CENTRES_S)

TIMING = (
    "log10_rate_hz",
    "mean_log10_interval_s",
    "spread_of_log10_intervals",
    "skewness_of_log10_intervals",
    "log10_peak_lag_s",
    "log10_lag_of_half_peak_s",
    "log10_lag_of_tenth_of_peak_s",
    "log2_burst_index",
    "theta_modulation",
    "log2_slow_index",
)
"""Measures of timing. Burst index: Royer et al. 2012; theta modulation: Cacucci et al. 2004, as in CellExplorer."""

WIDTHS: Mapping[str, int] = {
    "intervals": 50,
    "lags": 100,
    "linear": 100,
    "conditional": QUANTILES * CONDITIONAL_BINS,
    "waveform": SHAPE_SAMPLES,
    "timing": len(TIMING),
    "shape": len(MEASURES),
}
"""The inputs by name, and the number of values of each input for a unit."""

CODED = ("waveform", "lags", "linear", "intervals", "conditional")
"""Inputs of the autoencoders. The measures `timing` and `shape` are used in the vector directly."""

Inputs = Mapping[str, Float64[np.ndarray, "units _"]]
"""Inputs by name, with shape (units, `WIDTHS[name]`). Unknown values and missing inputs are NaN."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Cells:
    """Cells for which only histograms are known, in the format of CellExplorer.

    Parameters
    ----------
    isi
        Inter-spike intervals in 100 logarithmic bins from 1 ms to 10 s, as a density over lags (`isi.log10`), shape
        (cells, 100).
    acg_log
        Autocorrelogram in the same bins, in any scale (`acg.log10` or its normalised form), shape (cells, 100).
    acg_wide
        Autocorrelogram in bins of 1 ms from -500 to 500 ms, in any scale, shape (cells, 1001).
    waveform
        Mean waveform on the peak channel, in any scale, shape (cells, samples); None if it is not known.
    waveform_rate_hz
        Samples per second; None if there are no waveforms.
    """

    isi: Float[np.ndarray, "..."]
    acg_log: Float[np.ndarray, "..."]
    acg_wide: Float[np.ndarray, "..."]
    waveform: Float[np.ndarray, "..."] | None = None
    waveform_rate_hz: float | None = None

    def __post_init__(self) -> None:
        parts = {"isi": 100, "acg_log": 100, "acg_wide": 1001}
        for name, bins in parts.items():
            if (shape := getattr(self, name).shape) != (len(self.isi), bins):
                raise InvalidOption(f"{name} must have shape ({len(self.isi)}, {bins}), got {shape}.")
        if self.waveform is not None:
            if self.waveform.ndim != 2 or len(self.waveform) != len(self.isi):
                raise InvalidOption(f"waveform must have shape ({len(self.isi)}, samples), got {self.waveform.shape}.")
            if self.waveform_rate_hz is None or not 0 < self.waveform_rate_hz < np.inf:
                raise InvalidOption(f"waveform_rate_hz must be a rate in Hz, got {self.waveform_rate_hz}.")

    def __len__(self) -> int:
        return len(self.isi)


def measure_population(population: Population, *, progress: Progress = silent) -> Inputs:
    """Compute the inputs of every unit of a population. A unit without inter-spike intervals has no inputs on timing.

    Parameters
    ----------
    population
        Units with spikes. Waveforms are used if they are known.
    progress
        Progress callback, called for every unit.
    """
    resolution_s = population.resolution_s()
    rows = []
    for unit in progress(range(len(population)), label="histograms", total=len(population)):
        train_s, runs_s = population.spikes.train_s(unit), population.runs_s(unit)
        row = {} if len(train_s) < 2 else _describe(count_histograms(train_s, runs_s, resolution_s))
        if population.waveforms_uv is not None and population.waveform_rate_hz is not None:
            row |= _describe_waveform(population.waveforms_uv[unit], population.waveform_rate_hz)
        rows.append(row)
    return _stack(rows)


def convert_histograms(cells: Cells) -> Inputs:
    """Compute the inputs of cells for which only histograms are known. These do not contain the rate around a spike.

    Parameters
    ----------
    cells
        Cells in the format of CellExplorer.

    Returns
    -------
    Inputs
        The same inputs that `measure_population` computes from spike trains, except for the precision lost by binning.
    """
    rows = []
    for row in range(len(cells)):
        found = _describe(
            Histograms(
                intervals=np.asarray(cells.isi[row], np.float64) * WIDTHS_S,
                lags=np.asarray(cells.acg_log[row], np.float64),
                linear=np.asarray(cells.acg_wide[row, 501:], np.float64),
                conditional=np.full((QUANTILES, CONDITIONAL_BINS), np.nan),
            )
        )
        if cells.waveform is not None and cells.waveform_rate_hz is not None:
            found |= _describe_waveform(cells.waveform[row], cells.waveform_rate_hz)
        rows.append(found)
    return _stack(rows)


def _describe(histograms: Histograms) -> dict[str, Float64[np.ndarray, " _"]]:
    lags = _divide_by_peak(_smooth(histograms.lags))
    linear = histograms.linear.reshape(100, 5).mean(axis=1)
    share = histograms.intervals / max(float(np.nansum(histograms.intervals)), 1e-12)
    return {
        "intervals": np.sqrt(share.reshape(50, 2).sum(axis=1)),
        "lags": lags,
        "linear": _divide_by_peak(linear),
        "conditional": _divide_by_peak(histograms.conditional.ravel()),
        "timing": _measure_timing(share, lags, histograms.linear),
    }


def _describe_waveform(waveform: Float[np.ndarray, " samples"], rate_hz: float) -> dict[str, Float64[np.ndarray, " _"]]:
    measured = measure_waveform(waveform, rate_hz)
    return {} if measured is None else {"waveform": measured[0], "shape": measured[1]}


def _smooth(values: Float64[np.ndarray, " bins"]) -> Float64[np.ndarray, " bins"]:
    """Smooth with a Gaussian over neighbouring bins.

    Unknown bins are replaced by the nearest known one, and remain unknown.
    """
    from scipy.ndimage import gaussian_filter1d

    known = np.flatnonzero(np.isfinite(values))
    if len(known) == 0:
        return values
    filled = values[known[np.abs(np.arange(len(values))[:, None] - known).argmin(axis=1)]]
    return np.where(np.isfinite(values), gaussian_filter1d(filled, SMOOTHING_BINS), np.nan)


def _divide_by_peak(values: Float64[np.ndarray, " bins"]) -> Float64[np.ndarray, " bins"]:
    """Divide by the peak, so that the result does not depend on the rate. It is NaN if all bins are unknown or zero."""
    peak = np.nanmax(values) if np.isfinite(values).any() else 0.0
    return values / peak if peak > 0 else np.full(values.shape, np.nan)


def _measure_timing(
    share: Float64[np.ndarray, " bins"], lags: Float64[np.ndarray, " bins"], linear: Float64[np.ndarray, " lags"]
) -> Float64[np.ndarray, " measures"]:
    """Compute the measures in `TIMING`. Unknown measures are NaN."""
    known = np.nan_to_num(share)
    if known.sum() <= 0 or not np.isfinite(lags).any():
        return np.full(len(TIMING), np.nan)
    mean = float((known * LOG_S).sum())
    spread = float(np.sqrt((known * (LOG_S - mean) ** 2).sum()))
    skewness = float((known * (LOG_S - mean) ** 3).sum() / max(spread, 1e-3) ** 3)
    near = lags[: int((CENTRES_S < 1).sum())]
    fine = bool(np.isfinite(share[0]))

    def average(first_ms: int, last_ms: int) -> float:
        return float(np.mean(linear[first_ms - 1 : last_ms]))

    far = max(average(200, 300), 1e-3 * float(np.nanmax(linear, initial=0.0)), 1e-12)
    theta = average(100, 140), average(50, 70)
    values = [
        -np.log10((known * CENTRES_S).sum()),
        mean,
        spread,
        skewness,
        LOG_S[int(np.nanargmax(near))] if np.isfinite(near).any() else np.nan,
        _find_rise(lags, 0.5) if fine else np.nan,
        _find_rise(lags, 0.1) if fine else np.nan,
        np.log2((average(3, 5) + 0.1 * far) / far),
        (theta[0] - theta[1]) / max(theta[0] + theta[1], 1e-12),
        np.log2((average(10, 50) + 0.1 * far) / far),
    ]
    return np.array(values)


def _find_rise(lags: Float64[np.ndarray, " bins"], share: float) -> float:
    """Return the logarithm of the first lag at which the autocorrelogram is above this share of its peak."""
    return float(LOG_S[int((np.nan_to_num(lags) > share).argmax())])


def _stack(rows: Sequence[Mapping[str, Float64[np.ndarray, " _"]]]) -> Inputs:
    return {
        name: np.array([row.get(name, np.full(width, np.nan)) for row in rows], np.float64).reshape(len(rows), width)
        for name, width in WIDTHS.items()
    }
