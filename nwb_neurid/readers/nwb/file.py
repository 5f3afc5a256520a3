"""Opening an NWB file, and saying in one line why it cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from nwb_neurid.errors import SourceNotFound, UnreadableSource


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading. Whatever HDF5 finds wrong with it becomes one of our errors.

    Raises
    ------
    SourceNotFound
        If there is no such file.
    UnreadableSource
        If it is not HDF5, not NWB, truncated, damaged, or open for writing elsewhere.
    """
    if not path.exists():
        raise SourceNotFound(f"{path} does not exist.")
    if path.is_dir():
        raise UnreadableSource(f"{path} is a folder, an NWB file in HDF5 was expected.")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UnreadableSource(f"{path} {_fault(path, error)}") from error
    with file:
        if "nwb_version" not in file.attrs:
            raise UnreadableSource(f"{path} is an HDF5 file but not an NWB file: it states no nwb_version.")
        try:
            yield file
        except (OSError, RuntimeError) as error:  # what h5py raises on a damaged object
            raise UnreadableSource(f"{path} is damaged: {error}. Validate it, or fetch it again.") from error


def _fault(path: Path, error: OSError) -> str:
    text = str(error)
    if isinstance(error, PermissionError):
        return "may not be read: permission denied. Ask its owner, or copy it to a place of yours."
    if isinstance(error, BlockingIOError) or "unable to lock file" in text:
        return (
            "is open for writing in another program. Close it there; on a network file system without locks, set "
            "HDF5_USE_FILE_LOCKING=FALSE."
        )
    if "truncated file" in text:
        return f"is truncated: it ends at {path.stat().st_size} bytes, its header promises more. Fetch it again."
    if not h5py.is_hdf5(path):
        return "is not an HDF5 file, an NWB file in HDF5 was expected."
    return f"is damaged: {text}. Fetch it again."
