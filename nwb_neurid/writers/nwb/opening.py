"""NWB files of either format, HDF5 or Zarr, as h5py gives them or as if it did."""

from pathlib import Path
from typing import TypeAlias

import h5py

from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.zarr.nodes import GROUP, Folder
from nwb_neurid.writers.nwb.zarr_file import ZarrDataset, ZarrGroup

Group: TypeAlias = h5py.Group | ZarrGroup
Dataset: TypeAlias = h5py.Dataset | ZarrDataset


def is_zarr(path: Path) -> bool:
    """Whether this is a folder in Zarr format 2."""
    return (path / GROUP).is_file()


def opened(path: Path) -> Group:
    """The root of a file, open for reading until the `with` block ends.

    Raises
    ------
    UnreadableSource
        If it is a folder, but not in Zarr format 2.
    """
    if is_zarr(path):
        return ZarrGroup(Folder(path))
    if path.is_dir():
        raise UnreadableSource(f"{path} is a folder, but not in Zarr format 2. Name an NWB file.")
    return h5py.File(path, "r")
