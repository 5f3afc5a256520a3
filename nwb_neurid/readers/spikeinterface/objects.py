"""A sorting or an analyzer of SpikeInterface as an object in Python."""

from typing import Any

import numpy as np
from jaxtyping import Float64, Integer, Shaped

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.population import Population
from nwb_neurid.readers.segments import Segment
from nwb_neurid.readers.spikeinterface.sorting import Sorting, check_rate_hz


def read_object(source: Any, options: ReadOptions) -> Population:
    """Read the units of a `BaseSorting` or a `SortingAnalyzer`.

    If a recording is registered, times follow its clock (its start, or its vector of times), plus the shift of the
    sorting. Otherwise, times are counted in samples from the start of each segment. Spikes are taken from the spike
    vector. If a sorting was made from spike times (for example, of an NWB file), they are therefore accurate to half
    a sample.

    Parameters
    ----------
    source
        The object. It is not changed, except for its own caches.
    options
        `rate_hz` must agree with its sampling frequency.

    Raises
    ------
    UnreadableSource
        If there are no units, or no spikes.
    InvalidSource, InvalidOption
        If the object has no sampling frequency, or if its sampling frequency differs from `rate_hz`.

    Warns
    -----
    NeuridWarning
        If there is no recording that states the duration, or spikes lie outside of it.
    """
    analyzer: Any = source if hasattr(source, "sorting") else None
    sorting = source if analyzer is None else analyzer.sorting
    name = f"{type(source).__name__} {sorting.get_annotation('name') or ''}".strip()
    rate_hz = check_rate_hz(name, sorting.get_sampling_frequency(), options)
    properties = {key: np.asarray(sorting.get_property(key)).tolist() for key in sorting.get_property_keys()}
    told = Sorting(
        source=name,
        unit_ids=np.asarray(sorting.unit_ids),
        rate_hz=rate_hz,
        group=properties.pop("group", None),
        properties=properties,
        locations_um=_computed(analyzer, "unit_locations", "unit_locations"),
        templates_uv=_computed(analyzer, "templates", "average") if getattr(analyzer, "return_in_uV", False) else None,
    )
    clock, stated = _clock(sorting, analyzer)
    segments = []
    for index, spikes in enumerate(sorting.to_spike_vector(concatenated=False)):
        lasted = int(stated.get_num_samples(index)) if stated is not None else None
        segments.append(_segment(clock, index, spikes["sample_index"], spikes["unit_index"], rate_hz, lasted))
    return told.population(segments, options)


def _computed(analyzer: Any, extension: str, name: str) -> Shaped[np.ndarray, "..."] | None:
    """Return a result of an extension of an analyzer, or None if it does not exist."""
    found = None if analyzer is None else analyzer.get_extension(extension)
    return None if found is None or name not in found.data else np.asarray(found.data[name])


def _clock(sorting: Any, analyzer: Any) -> tuple[Any, Any]:
    """Return the object that converts samples to times, and the object that states the duration of segments.

    The second one is None if no object states the duration.
    """
    if sorting.has_recording():
        return sorting, sorting
    if analyzer is not None and (analyzer.has_recording() or analyzer.has_temporary_recording()):
        return analyzer.recording, analyzer.recording
    return sorting, analyzer


def _segment(
    clock: Any,
    index: int,
    samples: Integer[np.ndarray, " spikes"],
    rows: Integer[np.ndarray, " spikes"],
    rate_hz: float,
    lasted: int | None,
) -> Segment:
    """Make a segment on its clock. Beyond the samples of the segment, the clock continues at the sampling rate."""

    def times_s(at: Integer[np.ndarray, " samples"]) -> Float64[np.ndarray, " samples"]:
        return np.asarray(clock.sample_index_to_time(at, segment_index=index), np.float64)

    def counted_on_s(samples: Integer[np.ndarray, " samples"]) -> Float64[np.ndarray, " samples"]:
        at = np.ascontiguousarray(samples)  # the samples are a column of records
        if ends[0] <= at.min() <= at.max() <= ends[1]:
            return times_s(at)
        within = np.clip(at, *ends)
        return times_s(within) + (at - within) / rate_hz

    ends = np.array([0, max((lasted or 0) - 1, 0)])
    if lasted is None:
        return Segment(times=samples, rows=rows, clock_start_s=float(times_s(ends[:1])[0]), to_s=times_s)
    return Segment(times=samples, rows=rows, observed_s=times_s(ends)[None] + [0, 1 / rate_hz], to_s=counted_on_s)
