"""Open an NWB file, or explain in one line why it cannot be opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from nwb_neurid._system.files import check_exists
from nwb_neurid.contracts import is_url
from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.nwb import zarr
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.hdf5 import H5PY_ERRORS, Hdf5Group
from nwb_neurid.readers.nwb.objects import open_object
from nwb_neurid.readers.nwb.remote import RemoteFile
from nwb_neurid.readers.nwb.web import name_url


@contextmanager
def open_file(source: object) -> Iterator[Group]:
    """Open the root of the file for reading.

    Parameters
    ----------
    source
        A path, a URL (see `nwb_neurid.readers.nwb.remote`), or an `NWBFile` (see `nwb_neurid.readers.nwb.objects`).

    Raises
    ------
    SourceNotFound
        If there is no such file.
    UnreadableSource
        If the file is neither HDF5 nor Zarr, is not NWB 2, is truncated or damaged, or is open for writing in another
        program. Also if access is denied.
    """
    with _open(source) if isinstance(source, str | Path) else open_object(source) as (file, name):
        root = _open_folder(file) if isinstance(file, Path) else Hdf5Group(file, name)
        if root.attribute("nwb_version") is None:
            if root.dataset("nwb_version") is not None:
                raise UnreadableSource(f"{root.file} is of NWB 1. Convert it to NWB 2.")
            what = "a Zarr folder" if isinstance(file, Path) else "an HDF5 file"
            raise UnreadableSource(
                f"{root.file} is {what} but not an NWB file: it states no nwb_version. Convert it to NWB."
            )
        yield root


@contextmanager
def _open(source: str | Path) -> Iterator[tuple[h5py.File | Path, str]]:
    """Yield the HDF5 file at a path or URL, or the path of a Zarr folder, and its name for messages."""
    if is_url(source):
        with _open_url(str(source)) as file:
            yield file, name_url(str(source))
        return
    path = Path(source)
    _check_present(path)
    if path.is_dir():
        yield path, str(path)
        return
    with _open_path(path) as file:
        yield file, str(path)


def _open_folder(path: Path) -> Group:
    if (path / "zarr.json").exists():
        raise UnreadableSource(f"{path} is in Zarr format 3, which is not supported. Save it again in Zarr format 2.")
    if not (path / ".zgroup").exists():
        raise UnreadableSource(f"{path} is a folder, an NWB file in HDF5 or Zarr was expected. Choose a file.")
    return zarr.root(path)


def _open_path(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except H5PY_ERRORS as error:
        raise UnreadableSource(f"{path} {_fault(path, error)}") from error


def _open_url(url: str) -> h5py.File:
    remote = RemoteFile(url)
    try:
        return h5py.File(remote, "r")
    except H5PY_ERRORS as error:
        raise UnreadableSource(f"{name_url(url)} {_remote_fault(str(error))}") from error


def _check_present(path: Path) -> None:
    check_exists(path)
    if path.is_dir():
        return
    if not path.is_file():
        raise UnreadableSource(f"{path} is a device or a pipe, an NWB file in HDF5 was expected. Choose a file.")
    if path.stat().st_size == 0:
        raise UnreadableSource(f"{path} is empty: it has 0 bytes. Fetch it again.")


def _fault(path: Path, error: BaseException) -> str:
    text = str(error)
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied. Ask its owner for access, or copy it to a folder of your own."
    if isinstance(error, BlockingIOError) or "unable to lock file" in text:
        return (
            "is open for writing in another program. Close it there; on a network file system without locks, set "
            "HDF5_USE_FILE_LOCKING=FALSE."
        )
    if "already open for write" in text:
        return (
            "is marked as open for writing, by another program or by one that crashed. Close it there, or clear the "
            "mark in a copy (h5clear -s)."
        )
    if "truncated file" in text:
        return f"is truncated: it ends at {path.stat().st_size} bytes, its header states more. Download it again."
    if not h5py.is_hdf5(path):
        return (
            "is not an HDF5 file, an NWB file in HDF5 was expected. Convert it, or download it again: Git LFS and "
            "DataLad may have left a small text file in its place."
        )
    return f"is damaged: {text}. Fetch it again."


def _remote_fault(text: str) -> str:
    if "signature not found" in text:
        return "is not an HDF5 file, an NWB file in HDF5 was expected. Check the address."
    if "truncated file" in text:
        return "is truncated: it is shorter than its header states. Upload it again."
    return f"is damaged: {text}. Upload it again."
