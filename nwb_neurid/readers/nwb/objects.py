"""An `NWBFile` of PyNWB: the HDF5 file or Zarr folder from which it was read, or an HDF5 copy of it in memory."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from nwb_neurid._system.warning import warn
from nwb_neurid.errors import UnreadableSource


@contextmanager
def open_object(source: Any) -> Iterator[tuple[h5py.File | Path, str]]:
    """Yield the HDF5 file of an `NWBFile`, or the path of its Zarr folder, and its name for messages.

    Parameters
    ----------
    source
        An object that was read from a file that is still open, or that was made in memory and not yet written. It is
        not changed.

    Raises
    ------
    UnreadableSource
        If its file is closed, or is neither an HDF5 file nor a Zarr folder on this machine, or if an object in memory
        cannot be written.

    Warns
    -----
    NeuridWarning
        If the object has changes that are not in its file.
    """
    if source.container_source is None:
        with _in_memory(source) as file:
            yield file, "NWBFile in memory"
        return
    name = str(source.container_source)
    file = getattr(source.read_io, "_file", None)
    if isinstance(file, h5py.File):
        found: h5py.File | Path = file
    elif Path(name).is_dir():  # an object that hdmf-zarr read
        found = Path(name)
    else:
        raise UnreadableSource(
            f"The NWBFile was read neither from HDF5 nor from a Zarr folder on this machine. Pass its path: {name}"
        )
    if not found:
        raise UnreadableSource(f"The NWBFile belongs to {name}, which is closed. Pass its path, or open it again.")
    if source.modified:
        warn(f"{name}: changes to the NWBFile that were not written to the file yet are ignored.")
    yield found, name


@contextmanager
def _in_memory(source: Any) -> Iterator[h5py.File]:
    """Yield the content of an `NWBFile` as HDF5.

    A copy is written, because writing would tie the object to the file.
    """
    from copy import deepcopy

    from pynwb import NWBHDF5IO

    with h5py.File("NWBFile", "w", driver="core", backing_store=False) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these warnings are advice for the author of the file
        try:
            io = NWBHDF5IO(file=file, mode="w", manager=None)
            io.write(deepcopy(source), cache_spec=False)
        except Exception as error:  # PyNWB may raise any exception, depending on the content of the object
            raise UnreadableSource(
                f"The NWBFile in memory cannot be read: {type(error).__name__}: {str(error)[:200]}. Write it, and "
                "pass its path."
            ) from error
        yield file
