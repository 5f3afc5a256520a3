"""Spike times and traces as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from nwb_neurid._system.text import show_value
from nwb_neurid._system.warning import warn
from nwb_neurid.activity import TRACE_KINDS, Spikes, TraceKind, Traces
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource, UnreadableSource
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Population
from nwb_neurid.readers.clock import check_seconds
from nwb_neurid.readers.columns import UnitColumns
from nwb_neurid.readers.flat import find_flat
from nwb_neurid.readers.labels import find_labels
from nwb_neurid.readers.segments import Segment, population_of
from nwb_neurid.readers.selection import leave_out

EXPECTED = (
    "Expected a list of arrays of spike times in seconds (or a dict of them by unit), or an array of traces of shape "
    "(units, samples) with rate_hz"
)
ADVICE = "divide them to get seconds, or give whole numbers of samples and rate_hz"

FASTEST_HZ = 1e9

RAW = 5.0
"""Threshold that distinguishes dF/F (rarely above it) from raw fluorescence (rarely below it)."""


def read_arrays(source: Any, options: ReadOptions) -> Population:
    """Read units from arrays.

    Parameters
    ----------
    source
        Spike times: a list, a tuple or a dict (by unit) of one-dimensional arrays, in seconds or, with `rate_hz`, as
        whole numbers of samples. Traces: an array of shape (units, samples).
    options
        `rate_hz` is the frame rate of traces or the sampling rate of spike times. `activity` is the kind of the traces,
        which is dF/F by default. `start_s` and `stop_s` are the start and the end of observed time. By default, these
        are the first and the last spike. `where` selects units by their `id`.

    Raises
    ------
    UnreadableSource
        If there are no units, no spikes or no samples.
    InvalidSource
        If the source is neither spike times nor traces, or spike times are not finite.
    InvalidOption
        If `rate_hz` is missing or not a valid rate, or `activity` does not fit the arrays.

    Warns
    -----
    NeuridWarning
        If times may not be in seconds, or had to be sorted, the duration is not stated, or traces look like raw
        fluorescence.
    """
    if isinstance(source, Mapping):
        ids, trains = list(source), list(source.values())
        return _read_trains(trains, name_units(ids), f"dict of {len(trains)} units", options)
    array = None if isinstance(source, Sequence) else np.asarray(source)
    if array is not None and array.dtype.kind != "O":
        return _read_traces(array, options)
    trains = list(source)
    return _read_trains(trains, np.arange(len(trains)), f"list of {len(trains)} units", options)


def name_units(ids: Sequence[Any]) -> Shaped[np.ndarray, " units"]:
    """Make unit ids from keys. The ids are whole numbers if all keys are whole numbers, and text otherwise."""
    whole = all(isinstance(id_, int | np.integer) and not isinstance(id_, bool) for id_ in ids)
    return np.array([int(id_) if whole else str(id_) for id_ in ids]) if ids else np.empty(0, np.int64)


def _read_trains(
    trains: Sequence[Any], unit_ids: Shaped[np.ndarray, " units"], source: str, options: ReadOptions
) -> Population:
    if options.activity not in {"", "spikes"}:
        raise InvalidOption(f"The {source} holds spike times, not {options.activity}. Give traces as one array.")
    times_s = [_to_seconds(train, str(unit), options.rate_hz) for train, unit in zip(trains, unit_ids, strict=True)]
    resolution_s = 1 / options.rate_hz if options.rate_hz else 0.0
    return make_population(times_s, unit_ids, source, options, resolution_s=resolution_s)


def make_population(
    trains_s: Sequence[Float64[np.ndarray, " _"]],
    unit_ids: Shaped[np.ndarray, " units"],
    source: str,
    options: ReadOptions,
    *,
    columns: Mapping[str, Sequence[object]] | None = None,
    **parts: Any,
) -> Population:
    """Make a population of spike trains in seconds.

    Parameters
    ----------
    trains_s
        One array per unit, with spike times in any order.
    unit_ids
        Shape (units,).
    source
        The name of the recording in messages.
    options
        `start_s` and `stop_s` are the start and the end of observed time. By default, these are the first and the last
        spike. `where` selects units by their columns.
    columns
        Further properties of the units, with one value per unit.
    **parts
        Further arguments of `nwb_neurid.readers.segments.population_of`.

    Raises
    ------
    UnreadableSource, InvalidSource
        As for `population_of`.
    InvalidOption
        If `where` matches nothing in the source.
    """
    start_s, stop_s = options.start_s, options.stop_s
    where, is_cut = f"{source}: spike times", start_s is not None or stop_s is not None
    if options.rate_hz is None and is_cut and all(np.isfinite(train).all() for train in trains_s):
        check_seconds(Spikes.of([np.sort(train) for train in trains_s]), where, ADVICE)
    if is_cut:
        first, last = -np.inf if start_s is None else start_s, np.inf if stop_s is None else stop_s
        trains_s = [train[(train >= first - EDGE_S) & (train < last - EDGE_S)] for train in trains_s]
    times = np.concatenate([np.empty(0), *trains_s])
    rows = np.repeat(np.arange(len(trains_s)), [len(train) for train in trains_s])
    observed_s = None
    if len(times) and np.isfinite(times).all() and (start_s is not None or stop_s is not None):
        from_s = float(times.min()) if start_s is None else start_s
        observed_s = np.array([[from_s, float(times.max()) + 2 * EDGE_S if stop_s is None else stop_s]])
    labels = find_labels(columns or {})
    excluded = leave_out([UnitColumns.of(source, unit_ids, columns or {})], options)
    population = population_of(
        [Segment(times=times, rows=rows, observed_s=observed_s)],
        source=source,
        unit_ids=unit_ids,
        labels=labels,
        excluded=excluded,
        **parts,
    )
    if options.rate_hz is None and not is_cut:
        check_seconds(population.spikes, where, ADVICE)
    return population


def _to_seconds(train: Any, unit: str, rate_hz: float | None) -> Float64[np.ndarray, " spikes"]:
    """Convert the spike times of a unit to seconds.

    Raises
    ------
    InvalidSource
        If the spike times are not a one-dimensional array of times.
    InvalidOption
        If `rate_hz` is not a valid rate, or is given for times that are not whole numbers of samples.
    """
    if hasattr(train, "rescale") and hasattr(train, "magnitude"):  # quantities and similar objects
        train = train.rescale("s").magnitude
    try:
        times = np.asarray(train)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidSource(f"Spike times of unit {unit} are not an array. {EXPECTED}.") from error
    if times.dtype.kind == "m":
        return np.atleast_1d(times / np.timedelta64(1, "s")).ravel()
    if times.size == 0:
        return np.empty(0)
    if times.ndim == 0 or times.size != len(times) or times.dtype.kind not in "iuf":
        found = f"{times.dtype} of shape {times.shape}" if times.dtype.kind in "iufb" else f"{type(train).__name__}"
        raise InvalidSource(f"Spike times of unit {unit} are {found}. {EXPECTED}.")
    seconds = times.ravel().astype(np.float64)
    if rate_hz is None:
        return seconds
    if not is_rate(rate_hz) or not np.array_equal(seconds, np.rint(seconds)):
        raise InvalidOption(
            f"rate_hz is for traces, and for spike times as whole numbers of samples. Those of unit {unit} are not "
            f"whole numbers, or {show_value(rate_hz)} is not a valid rate. Leave rate_hz out for times in seconds."
        )
    return seconds / rate_hz


def is_rate(rate_hz: object) -> bool:
    """Return whether this is a possible sampling rate."""
    return isinstance(rate_hz, int | float) and not isinstance(rate_hz, bool) and 0 < rate_hz < FASTEST_HZ


def _read_traces(values: Shaped[np.ndarray, "..."], options: ReadOptions) -> Population:
    if values.ndim != 2 or values.dtype.kind not in "iuf":
        hint = " Put a single array of spike times into a list." if values.ndim == 1 else ""
        raise InvalidSource(
            f"An array of {values.dtype} and shape {values.shape} is not a recording. {EXPECTED}.{hint}"
        )
    if options.rate_hz is None:
        raise InvalidOption("An array of traces needs rate_hz, its samples (frames) per second.")
    if not is_rate(options.rate_hz):
        raise InvalidOption(
            f"rate_hz must be a positive number of samples per second, got {show_value(options.rate_hz)}."
        )
    units, samples = values.shape
    if units > samples > 0:
        warn(f"An array of traces has the shape (units, samples); this one has {units} units of {samples} samples.")
    traces = Traces(values=to_float32(values), rate_hz=float(options.rate_hz), kind=check_kind(options))
    observed_s = np.array([[0.0, samples / options.rate_hz]])
    return make_imaging(traces, np.arange(units), observed_s, f"array of {units} traces", options)


def check_kind(options: ReadOptions) -> TraceKind:
    """Return the kind of traces that the option states, which is dF/F by default.

    Raises
    ------
    InvalidOption
        If the option does not state a kind of traces.
    """
    for kind in TRACE_KINDS:
        if (options.activity or "dff") == kind:
            return kind
    raise InvalidOption(
        f"Traces are {', '.join(TRACE_KINDS[:-1])} or {TRACE_KINDS[-1]}, not {options.activity!r} (activity)."
    )


def make_imaging(
    traces: Traces,
    unit_ids: Shaped[np.ndarray, " units"],
    observed_s: Float64[np.ndarray, "intervals 2"],
    source: str,
    options: ReadOptions,
    *,
    columns: Mapping[str, Sequence[object]] | None = None,
) -> Population:
    """Make a population of traces.

    Parameters
    ----------
    traces
        One trace per unit.
    unit_ids
        Ids of the units, shape (units,).
    observed_s
        Observed time.
    source
        The name of the recording in messages.
    options
        `where` selects units by their columns.
    columns
        Further properties of the units, with one value per unit.

    Raises
    ------
    UnreadableSource
        If there is no trace, or all traces are constant.
    InvalidOption
        If `where` matches nothing in the source.

    Warns
    -----
    NeuridWarning
        If traces look like fluorescence, but are not declared as such.
    """
    if 0 in traces.values.shape:
        raise UnreadableSource(f"The {source} holds no samples.")
    known = columns or {}
    excluded = leave_out([UnitColumns.of(source, unit_ids, known)], options)
    population = Population(
        unit_ids=unit_ids,
        activity=traces,
        observed_s=observed_s,
        labels=find_labels(known),
        source=source,
    )
    excluded = {**find_flat(population), **excluded}
    if len(excluded) == len(unit_ids):
        raise UnreadableSource(f"The {source} has no trace that varies, or no such trace was selected.")
    kept = traces.values[[row for row in range(len(unit_ids)) if row not in excluded]]
    if not options.activity and np.median(np.nanquantile(kept, 0.01, axis=1)) > RAW:
        warn(
            f"The {source} is read as dF/F but looks like raw fluorescence. If it is raw fluorescence, pass "
            "activity='fluorescence'."
        )
    return replace(population, excluded=excluded)


def to_float32(values: Shaped[np.ndarray, "units samples"]) -> Float32[np.ndarray, "units samples"]:
    """Convert samples to float32. Infinite values become NaN."""
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    found[np.isinf(found)] = np.nan
    return found
