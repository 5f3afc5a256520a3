"""A sorting or an analyzer that SpikeInterface saved in Zarr (format 2).

Times are counted in samples from 0, as in `nwb_neurid.readers.spikeinterface.folders`.
"""

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource
from nwb_neurid.population import Population
from nwb_neurid.readers.npy import check_elements
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.spikeinterface.files import AGAIN, as_integers, load_json
from nwb_neurid.readers.spikeinterface.sorting import (
    Sorting,
    check_rate_hz,
    lasted_samples_of,
    segments_of,
    unit_ids_of,
)
from nwb_neurid.readers.zarr.arrays import Array


def read_zarr(folder: Path, options: ReadOptions) -> Population:
    """Read the units of a sorting or of an analyzer.

    The units of an analyzer are observed over the time of its recording. If the analyzer has `unit_locations` and
    `templates`, locations and average waveforms are read as well.

    Raises
    ------
    UnreadableSource
        If numcodecs is not installed, or files are damaged.
    InvalidSource
        If files contradict one another.
    InvalidOption
        If `rate_hz` contradicts the saved rate.

    Warns
    -----
    NeuridWarning
        If the source is a sorting, because its observed time lasts from the first spike to the last.
    """
    analyzer = (folder / "sorting").is_dir()
    group = folder / "sorting" if analyzer else folder
    computed = folder / "extensions"
    omissions = Omissions(str(folder))
    paths = [path.parent for path in sorted((group / "properties").glob("*/.zarray"))]
    arrays = {path.name: _computed(path, omissions) for path in paths}
    properties = {name: own.tolist() for name, own in arrays.items() if own is not None and own.ndim == 1}
    is_in_uv = omissions.attempt(partial(_is_in_uv, folder / ".zattrs"), False)
    sorting = Sorting(
        source=str(folder),
        unit_ids=unit_ids_of(_array(group / "unit_ids"), str(group / "unit_ids")),
        rate_hz=check_rate_hz(str(folder), load_json(group / ".zattrs").get("sampling_frequency"), options),
        group=properties.pop("group", None),
        properties=properties,
        locations_um=_computed(computed / "unit_locations" / "unit_locations", omissions),
        templates_uv=_computed(computed / "templates" / "average", omissions) if is_in_uv else None,
    )
    samples, rows = (
        as_integers(_array(group / "spikes" / name), str(group / name)) for name in ("sample_index", "unit_index")
    )
    splits = _splits(group / "spikes" / "segment_slices")
    segments = segments_of(sorting, samples, rows, splits, _lasted_samples(folder) if analyzer else None)
    return sorting.population(segments, options, omissions)


def _computed(path: Path, omissions: Omissions) -> Shaped[np.ndarray, "..."] | None:
    """Load an array. Return None if it does not exist or cannot be used."""
    return omissions.attempt(partial(_array, path), None) if path.is_dir() else None


def _is_in_uv(path: Path) -> bool:
    settings = load_json(path).get("settings") if path.exists() else None
    return isinstance(settings, dict) and settings.get("return_in_uV") is True


def _lasted_samples(folder: Path) -> list[int]:
    path = folder / "recording_info" / ".zattrs"
    attributes = load_json(path).get("recording_attributes")
    told = attributes.get("num_samples") if isinstance(attributes, dict) else None
    return lasted_samples_of(told, f"{path}: num_samples")


def _splits(path: Path) -> Int64[np.ndarray, " segments_and_one"]:
    """Return the index at which each segment begins, and at which the last one ends.

    Raises
    ------
    InvalidSource
        If the ranges of the segments are not consecutive.
    """
    slices = _array(path)
    if (
        slices.ndim != 2
        or slices.shape[1] != 2
        or slices.dtype.kind not in "iu"
        or np.any(slices[1:, 0] != slices[:-1, 1])
    ):
        raise InvalidSource(f"{path} must be pairs of start and stop, one after the other. Save it again.")
    return np.r_[0, slices[:, 1].astype(np.int64)]


def _array(path: Path) -> Shaped[np.ndarray, "..."]:
    """Load a whole Zarr array.

    Raises
    ------
    UnreadableSource
        If numcodecs is not installed, the array is damaged, or one of its codecs may run code.
    """
    return check_elements(Array.at(path, str(path)).read(), str(path), AGAIN)
