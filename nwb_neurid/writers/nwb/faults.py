"""Conversion of errors of the file system and of HDF5 into errors of nwb-neurid, with one-line messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nwb_neurid.errors import CannotWrite, NeuridError

FAILURES = (OSError, RuntimeError, KeyError, ValueError)  # exceptions that h5py raises


@contextmanager
def convert_faults(path: Path) -> Iterator[None]:
    """Convert errors in the block into an error that says that nothing was written to `path`.

    Raises
    ------
    CannotWrite
        In place of any error other than those of nwb-neurid.
    """
    try:
        yield
    except NeuridError:
        raise
    except FAILURES as error:
        raise CannotWrite(f"Nothing was written to {path}: {_explain(error)}.") from error


def _explain(error: Exception) -> str:
    """Explain an error for users who do not know HDF5, if a simple explanation is known."""
    said = str(error)
    if isinstance(error, BlockingIOError) or "already open" in said:
        return "it is open for writing in another program; close it there"
    known = {"signature not found": "it is not an HDF5 file", "truncated file": "it is truncated"}
    return next((ours for theirs, ours in known.items() if theirs in said), getattr(error, "strerror", None) or said)
