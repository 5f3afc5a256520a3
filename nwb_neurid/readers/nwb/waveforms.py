"""Mean waveforms of units on the peak channel of each unit, from the column `waveform_mean`.

Files use five layouts. Two of them follow the NWB schema: one channel per unit, or samples by electrodes with the
same shape for every unit. In files of the Allen Institute, each row is one channel of a unit, and the column has an
index. In other files, each unit has one channel, whose length differs between units, or it has samples of several
electrodes and the column has an index.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nwb_neurid._system.warning import warn
from nwb_neurid.errors import InvalidOption
from nwb_neurid.readers.nwb.contents import Dataset
from nwb_neurid.readers.nwb.table import Table

COLUMN = "waveform_mean"
SAME_RATE = ("waveform_mean", "waveform_sd", "waveforms")
"""Columns of one recording. In the NWB schema, each of them has an attribute `sampling_rate`."""

RATES = ("sampling_rate", "waveform_sampling_rate", "waveform_rate", "sampling_frequency")
"""Columns that state the sampling rate of each unit's waveform."""

SHORTEST_S, LONGEST_S = 2e-4, 0.1
"""Plausible duration of a waveform. Another duration shows that the rate is wrong or not in Hz."""

LARGEST_V = 0.05
"""Maximum amplitude of extracellular spikes, in volts. Many files state volts for values in microvolts, because
PyNWB writes this unit.
"""

ELEMENTS_AT_ONCE = 2**23

Unit: TypeAlias = Float64[np.ndarray, "channels samples"]


def read_waveforms(
    units: Table, rate_hz: float | None = None
) -> tuple[Float32[np.ndarray, "units samples"], float] | tuple[None, None]:
    """Read the mean waveform of every unit on its peak channel.

    Parameters
    ----------
    units
        The units table.
    rate_hz
        Samples per second, if the file does not state it.

    Returns
    -------
    tuple
        Mean waveforms, and samples per second. Each waveform is from the channel with the largest peak-to-peak
        amplitude, in its original polarity, with NaN where unknown. Waveforms are in microvolts if the file states
        their unit, and otherwise in the unit of the file. Both values are None if there are no waveforms, or if their
        sampling rate is not known, so that nothing could be measured.

    Raises
    ------
    InvalidOption
        If the file states another rate than `rate_hz`.
    UnreadableSource
        If the column cannot be read.

    Warns
    -----
    NeuridWarning
        If the layout is not known, if the rate is not plausible, or if some units have another rate than most units.
    """
    if COLUMN not in units or not units.dataset(COLUMN).is_number:
        return None, None
    rates = _read_rates_hz(units, rate_hz)
    if not np.isfinite(rates).any():
        return None, None
    layout = _choose_layout(units)
    if layout is None:
        shape = units.dataset(COLUMN).shape
        warn(f"{units.where}/{COLUMN} has shape {shape}, which is not a known layout: its waveforms are not used.")
        return None, None
    known, counts = np.unique(rates[np.isfinite(rates)], return_counts=True)
    usual = float(known[counts.argmax()])
    if others := int((np.isfinite(rates) & (rates != usual)).sum()):
        warn(f"{units.where}: the waveforms of {others} units have another rate than {usual:g} Hz: they are not used.")
    values = _stack([_pick_peak(unit) if rate == usual else None for unit, rate in zip(layout(), rates, strict=True)])
    if not np.isfinite(values).any():
        return None, None
    if not SHORTEST_S <= values.shape[1] / usual <= LONGEST_S:
        warn(
            f"{units.where}/{COLUMN} has {values.shape[1]} samples at {usual:g} Hz, so a spike would last "
            f"{values.shape[1] / usual:.3g} s: its waveforms are not used. State sampling_rate in Hz."
        )
        return None, None
    return _scale(values, units.dataset(COLUMN)), usual


def _read_rates_hz(units: Table, asked_hz: float | None) -> Float64[np.ndarray, " units"]:
    """Return the sampling rate of the waveform of each unit, as stated for the column or for the unit.

    It is NaN if not stated.
    """
    rates = np.full(len(units), np.nan)
    columns = [name for name in SAME_RATE if name in units]
    stated = (units.dataset(name).attribute("sampling_rate") for name in columns)
    rate = next((rate for rate in stated if rate is not None and 0 < rate < np.inf), None)
    if rate is not None:
        rates[:] = rate
    elif name := next((name for name in RATES if units.is_number(name)), ""):
        values = units.numbers(name).astype(np.float64)
        rates = np.where(np.isfinite(values) & (values > 0), values, np.nan)
    if asked_hz is None:
        return rates
    if np.any(np.isfinite(rates) & (rates != asked_hz)):
        other = rates[np.isfinite(rates) & (rates != asked_hz)][0]
        raise InvalidOption(
            f"{units.where} states a sampling rate of {other:g} Hz for its waveforms, but rate_hz is {asked_hz:g}. "
            "Leave "
            "rate_hz out."
        )
    return np.full(len(units), asked_hz)


def _choose_layout(units: Table) -> Callable[[], Iterator[Unit]] | None:
    """Return a function that iterates over the units as (channels, samples). Return None if the layout is not known."""
    dataset, ragged = units.dataset(COLUMN), units.is_ragged(COLUMN)
    if f"{COLUMN}_index_index" in units or 0 in dataset.shape[1:]:
        return None
    electrodes = _count_electrodes(units)
    if not ragged:
        if len(dataset) != len(units) or len(dataset.shape) not in {2, 3}:
            return None
        return lambda: _iterate_even(dataset, electrodes)
    if len(dataset.shape) not in {1, 2}:
        return None
    splits = units.splits(COLUMN)
    of_channels = np.array_equal(np.diff(splits), electrodes)
    of_samples = not of_channels and len(dataset.shape) == 2 and bool(np.all(electrodes == dataset.shape[1]))
    return lambda: _iterate_ragged(dataset, splits, rows_are_samples=of_samples)


def _count_electrodes(units: Table) -> Int64[np.ndarray, " units"]:
    """Return the number of electrodes to which each unit refers, or 0 if it is not stated."""
    if "electrodes" not in units or not units.is_ragged("electrodes"):
        return np.zeros(len(units), np.int64)
    return np.diff(units.splits("electrodes"))


def _iterate_even(dataset: Dataset, electrodes: Int64[np.ndarray, " units"]) -> Iterator[Unit]:
    """Yield units with shape (samples,) or (samples, electrodes).

    Electrodes to which a unit does not refer are padding.
    """
    shape = dataset.shape
    most = int(electrodes.max(initial=0))
    swapped = len(shape) == 3 and most > 1 and shape[1] == most != shape[2]  # (electrodes, samples), against the schema
    step = max(1, ELEMENTS_AT_ONCE // int(np.prod(shape[1:])))
    for start in range(0, shape[0], step):
        block = dataset.numbers(slice(start, min(shape[0], start + step))).astype(np.float64)
        for unit, own in zip(block, electrodes[start:], strict=False):
            if unit.ndim == 1:
                yield unit[None]
            else:
                channels = unit if swapped else unit.T
                yield channels[: own or None]


def _iterate_ragged(
    dataset: Dataset, splits: Int64[np.ndarray, " units_and_one"], *, rows_are_samples: bool
) -> Iterator[Unit]:
    """Yield units with a varying number of rows, which are channels, or the samples of one or several channels.

    Several units are read at once.
    """
    width = int(np.prod(dataset.shape[1:]))
    first = 0
    while first < len(splits) - 1:
        last = int(np.searchsorted(splits, splits[first] + ELEMENTS_AT_ONCE // width, side="right")) - 1
        last = max(last, first + 1)
        start, stop = int(splits[first]), int(splits[last])
        block = dataset.numbers(slice(start, stop)).astype(np.float64) if stop > start else np.zeros((0, width))
        for unit in range(first, last):
            rows = block[splits[unit] - start : splits[unit + 1] - start]
            yield rows[None] if rows.ndim == 1 else rows.T if rows_are_samples else rows
        first = last


def _pick_peak(unit: Unit) -> Float64[np.ndarray, " samples"] | None:
    """Return the channel with the largest peak-to-peak amplitude.

    Return None if no value is known, or all channels are flat.
    """
    if unit.size == 0:
        return None
    finite = np.isfinite(unit)
    with np.errstate(over="ignore"):
        size = np.where(finite, unit, -np.inf).max(axis=1) - np.where(finite, unit, np.inf).min(axis=1)
    size[~np.isfinite(size)] = 0.0  # a channel without finite samples
    return np.where(finite, unit, np.nan)[size.argmax()] if size.any() else None


def _stack(peaks: list[Float64[np.ndarray, " _"] | None]) -> Float64[np.ndarray, "units samples"]:
    """Stack waveforms in one row per unit. Shorter waveforms are padded with NaN at the end."""
    values = np.full((len(peaks), max((len(peak) for peak in peaks if peak is not None), default=0)), np.nan)
    for row, peak in enumerate(peaks):
        if peak is not None:
            values[row, : len(peak)] = peak
    return values


def _scale(values: Float64[np.ndarray, "units samples"], dataset: Dataset) -> Float32[np.ndarray, "units samples"]:
    """Convert values to microvolts if the unit is stated and plausible."""
    unit = (dataset.text_attribute("unit") or "").strip().lower()
    if unit in {"volts", "volt", "v"} and np.nanmax(np.abs(values)) <= LARGEST_V:
        values = values * 1e6
    elif unit in {"millivolts", "millivolt", "mv"}:
        values = values * 1e3
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    single[np.isinf(single).any(axis=1)] = np.nan
    return single
