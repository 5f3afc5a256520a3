"""A sorting or an analyzer that SpikeInterface saved in Zarr (format 2).

Times count samples from 0, as in `nwb_neurid.readers.spikeinterface.folders`.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource
from nwb_neurid.population import Population
from nwb_neurid.readers.spikeinterface.files import checked, load_json, whole
from nwb_neurid.readers.spikeinterface.sorting import (
    Sorting,
    checked_rate_hz,
    lasted_samples_of,
    segments_of,
    unit_ids_of,
)
from nwb_neurid.readers.zarr.arrays import Array


def read_zarr(folder: Path, options: ReadOptions) -> Population:
    """The units of a sorting, or of an analyzer: then over the time of its recording, with what it has computed.

    That is `unit_locations` and the average of `templates`.

    Raises
    ------
    UnreadableSource
        If numcodecs is not installed, or files are damaged.
    InvalidSource
        If they contradict one another.
    InvalidOption
        If `rate_hz` contradicts what is saved.

    Warns
    -----
    NeuridWarning
        Of a sorting, that its observed time is that of the spikes.
    """
    analyzer = (folder / "sorting").is_dir()
    group = folder / "sorting" if analyzer else folder
    computed = folder / "extensions"
    arrays = {path.parent.name: _array(path.parent) for path in sorted((group / "properties").glob("*/.zarray"))}
    properties = {name: values.tolist() for name, values in arrays.items() if values.ndim == 1}
    sorting = Sorting(
        source=str(folder),
        unit_ids=unit_ids_of(_array(group / "unit_ids"), str(group / "unit_ids")),
        rate_hz=checked_rate_hz(str(folder), load_json(group / ".zattrs").get("sampling_frequency"), options),
        group=properties.pop("group", None),
        properties=properties,
        locations_um=_array_if_any(computed / "unit_locations" / "unit_locations"),
        templates_uv=_array_if_any(computed / "templates" / "average") if _is_in_uv(folder) else None,
    )
    samples, rows = (
        whole(_array(group / "spikes" / name), str(group / name)) for name in ("sample_index", "unit_index")
    )
    splits = _splits(group / "spikes" / "segment_slices")
    return sorting.population(
        segments_of(sorting, samples, rows, splits, _lasted_samples(folder) if analyzer else None)
    )


def _array_if_any(path: Path) -> Shaped[np.ndarray, "..."] | None:
    return _array(path) if path.is_dir() else None


def _is_in_uv(folder: Path) -> bool:
    path = folder / ".zattrs"
    settings = load_json(path).get("settings") if path.is_file() else None
    return isinstance(settings, dict) and settings.get("return_in_uV") is True


def _lasted_samples(folder: Path) -> list[int]:
    path = folder / "recording_info" / ".zattrs"
    attributes = load_json(path).get("recording_attributes")
    told = attributes.get("num_samples") if isinstance(attributes, dict) else None
    return lasted_samples_of(told, f"{path}: num_samples")


def _splits(path: Path) -> Int64[np.ndarray, " segments_and_one"]:
    """Where each segment begins, and the last one ends.

    Raises
    ------
    InvalidSource
        If they do not follow one another.
    """
    slices = _array(path)
    if (
        slices.ndim != 2
        or slices.shape[1] != 2
        or slices.dtype.kind not in "iu"
        or np.any(slices[1:, 0] != slices[:-1, 1])
    ):
        raise InvalidSource(f"{path} must be pairs of start and stop, one behind the other. Save it again.")
    return np.r_[0, slices[:, 1].astype(np.int64)]


def _array(path: Path) -> Shaped[np.ndarray, "..."]:
    """An array of Zarr, whole.

    Raises
    ------
    UnreadableSource
        If numcodecs is not installed, the array is damaged, or a codec would decode it that may run code.
    """
    return checked(Array.at(path, str(path)).read(), str(path))
