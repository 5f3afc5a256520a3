"""A sorting or an analyzer that SpikeInterface saved in Zarr (format 2).

Times count samples from 0, as in `nwb_neurid.readers.spikeinterface.folders`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.population import Population
from nwb_neurid.readers.spikeinterface.arrays import checked, load_json, whole
from nwb_neurid.readers.spikeinterface.sorting import (
    Sorting,
    checked_rate_hz,
    lasted_samples_of,
    segments_of,
    unit_ids_of,
)

CODECS = frozenset({"blosc", "bz2", "delta", "gzip", "json2", "lz4", "lzma", "shuffle", "vlen-utf8", "zlib", "zstd"})
"""What may decode an array: numcodecs also has one that unpickles, and so can run anything."""

EXPANSION = 2**16
"""More than any of them expands a chunk; what claims to be larger is damaged, and would fill the memory."""

ALWAYS_READ_BYTES = 2**26


def read_zarr(folder: Path, options: ReadOptions) -> Population:
    """The units of a sorting, or of an analyzer: then over the time of its recording, at its `unit_locations`.

    Raises
    ------
    UnreadableSource
        If zarr is not installed, or files are damaged.
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
    located = folder / "extensions" / "unit_locations" / "unit_locations"
    arrays = {path.parent.name: _array(path.parent) for path in sorted((group / "properties").glob("*/.zarray"))}
    properties = {name: values.tolist() for name, values in arrays.items() if values.ndim == 1}
    sorting = Sorting(
        source=str(folder),
        unit_ids=unit_ids_of(_array(group / "unit_ids"), str(group / "unit_ids")),
        rate_hz=checked_rate_hz(str(folder), load_json(group / ".zattrs").get("sampling_frequency"), options),
        group=properties.pop("group", None),
        properties=properties,
        locations_um=_array(located) if analyzer and located.is_dir() else None,
    )
    samples, rows = (
        whole(_array(group / "spikes" / name), str(group / name)) for name in ("sample_index", "unit_index")
    )
    splits = _splits(group / "spikes" / "segment_slices")
    return sorting.population(
        segments_of(sorting, samples, rows, splits, _lasted_samples(folder) if analyzer else None)
    )


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
        If zarr is not installed, the array is damaged, or a codec would decode it that is not known to be harmless.
    """
    try:
        import zarr
    except ImportError as error:
        raise UnreadableSource(f'{path} is Zarr. Install it: pip install "nwb-neurid[spikeinterface]"') from error
    codecs = _codecs(load_json(path / ".zarray"))
    if not codecs <= CODECS or (path / "zarr.json").exists():
        raise UnreadableSource(
            f"{path} is not read: to decode it, {', '.join(sorted(codecs - CODECS)) or 'zarr.json'} may run code. "
            "Save it again."
        )
    try:
        array = zarr.open_array(str(path), mode="r")
        stored = sum(chunk.stat().st_size for chunk in path.iterdir())
        if array.nbytes > ALWAYS_READ_BYTES + EXPANSION * stored:
            raise ValueError(f"it claims {array.nbytes} bytes, {stored} are stored")
        values = np.asarray(array[...])
    except Exception as error:  # whatever zarr and its codecs make of a damaged array
        raise UnreadableSource(f"{path} cannot be read: {error}. Save or fetch it again.") from error
    return checked(values, str(path))


def _codecs(metadata: Mapping[str, object]) -> set[str]:
    """The names of all that decodes an array."""
    filters = metadata.get("filters") or []
    configured = [metadata.get("compressor"), *(filters if isinstance(filters, list) else [filters])]
    return {str(codec.get("id") if isinstance(codec, dict) else codec) for codec in configured if codec is not None}
