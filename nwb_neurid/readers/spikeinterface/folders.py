"""Folders that SpikeInterface saved: a sorting ("numpy_folder") or an analyzer ("binary_folder").

Times are counted in samples from 0. If a sorting or a recording has its own clock, such a folder does not contain it.
In this case, load it in Python (`spikeinterface.load`), attach the recording, and pass the object.
"""

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource
from nwb_neurid.population import Population
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.spikeinterface.files import as_integers, load_array, load_json
from nwb_neurid.readers.spikeinterface.sorting import (
    Sorting,
    check_rate_hz,
    lasted_samples_of,
    segments_of,
    unit_ids_of,
)


def read_sorting(folder: Path, options: ReadOptions) -> Population:
    """Read the units of a saved sorting, which does not contain the duration of the recording.

    Raises
    ------
    UnreadableSource, InvalidSource
        If files are damaged, or contradict one another.
    InvalidOption
        If `rate_hz` contradicts the saved rate.

    Warns
    -----
    NeuridWarning
        This warning is always issued, because observed time lasts from the first spike to the last. It is also issued
        if a property is left out because it is pickled.
    """
    return _read(folder, options)


def read_analyzer(folder: Path, options: ReadOptions) -> Population:
    """Read the units of a saved analyzer over the time of its recording, with `unit_locations` and `templates` if any.

    It raises the same errors and warnings as `read_sorting`, except the warning about observed time.
    """
    return _read(folder / "sorting", options, folder)


def _computed(path: Path, omissions: Omissions) -> Shaped[np.ndarray, "..."] | None:
    """Load the result of an extension. Return None if it does not exist or cannot be used."""
    return omissions.attempt(partial(load_array, path), None) if path.exists() else None


def _is_in_uv(settings: Path) -> bool:
    return settings.exists() and load_json(settings).get("return_in_uV") is True


def _read(folder: Path, options: ReadOptions, analyzer: Path | None = None) -> Population:
    source = str(analyzer or folder)
    omissions = Omissions(source)
    lasted_samples, locations_um, templates_uv = None, None, None
    if analyzer is not None:
        attributes, computed = analyzer / "recording_info" / "recording_attributes.json", analyzer / "extensions"
        lasted_samples = lasted_samples_of(load_json(attributes).get("num_samples"), f"{attributes}: num_samples")
        locations_um = _computed(computed / "unit_locations" / "unit_locations.npy", omissions)
        if omissions.attempt(partial(_is_in_uv, analyzer / "settings.json"), False):
            templates_uv = _computed(computed / "templates" / "average.npy", omissions)
    info_path = folder / "numpysorting_info.json"
    info = load_json(info_path)
    properties = _properties(folder / "properties", omissions)
    sorting = Sorting(
        source=source,
        unit_ids=unit_ids_of(info.get("unit_ids"), f"{info_path}: unit_ids"),
        rate_hz=check_rate_hz(source, info.get("sampling_frequency"), options),
        group=properties.pop("group", None),
        properties=properties,
        locations_um=locations_um,
        templates_uv=templates_uv,
    )
    path = folder / "spikes.npy"
    spikes = load_array(path)
    names = ("sample_index", "unit_index", "segment_index")
    if spikes.ndim != 1 or not set(names) <= set(spikes.dtype.names or ()):
        raise InvalidSource(
            f"{path} must be a one-dimensional structured array with the fields {', '.join(names)}, got {spikes.dtype}."
        )
    samples, rows, segment_index = (as_integers(spikes[name], f"{path}: {name}") for name in names)
    if np.any(segment_index[1:] < segment_index[:-1]):
        raise InvalidSource(f"{path}: segment_index must ascend. Save it again.")
    if lasted_samples is None:
        splits = np.r_[0, np.flatnonzero(segment_index[1:] > segment_index[:-1]) + 1, len(segment_index)]
    else:
        splits = np.searchsorted(segment_index, np.arange(len(lasted_samples) + 1))
    return sorting.population(segments_of(sorting, samples, rows, splits, lasted_samples), options, omissions)


def _properties(folder: Path, omissions: Omissions) -> dict[str, list[object]]:
    """Load the properties of units. Pickled properties are not opened, because they could run any code."""
    properties: dict[str, list[object]] = {}
    for path in sorted(folder.glob("*.npy")):
        values = _computed(path, omissions)
        if values is not None and values.ndim == 1 and values.dtype.names is None:
            properties[path.stem] = values.tolist()
    return properties
