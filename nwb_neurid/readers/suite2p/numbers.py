"""Memory-mapped `.npy` files of numbers. If a file cannot be used, one line explains why."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Shaped

from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.npy import map_array


def numbers(path: Path) -> Shaped[np.ndarray, "..."]:
    """Map an array of real numbers, read-only.

    Raises
    ------
    UnreadableSource
        If the file is missing, cannot be accessed, or is damaged or truncated.
    InvalidSource
        If it does not contain numbers.
    """
    array = map_array(path, "Copy it from where suite2p wrote it, or run suite2p again.")
    if array.dtype.kind not in "fiub":
        raise InvalidSource(f"{path} must hold numbers, it holds {array.dtype}. Run suite2p again.")
    return array


def traces(path: Path) -> Shaped[np.ndarray, "units samples"]:
    """Map an array with one trace for each ROI.

    Raises
    ------
    UnreadableSource, InvalidSource
        As for `numbers`, and if it is not an array of ROIs and frames.
    """
    array = numbers(path)
    if array.ndim != 2:
        raise InvalidSource(f"{path} must have shape (ROIs, frames), got {array.shape}. Run suite2p again.")
    return array


def flags(path: Path, units: int) -> Bool[np.ndarray, " units"]:
    """Read the first column of `iscell.npy` or `redcell.npy`: 1 or 0 for each ROI. The second column is a probability.

    Raises
    ------
    UnreadableSource, InvalidSource
        As for `numbers`. Also if the file does not have one row of two columns for each ROI, or if a row does not
        begin with 0 or 1.
    """
    array = numbers(path)
    if array.shape != (units, 2):
        raise InvalidSource(
            f"{path} must have shape ({units}, 2), one row for each ROI of the traces beside it, got {array.shape}. "
            "Save it again in suite2p."
        )
    if not np.isin(array[:, 0], (0, 1)).all():
        raise InvalidSource(
            f"{path} must have 0 or 1 in its first column, but has other values. Save it again in suite2p."
        )
    return array[:, 0] == 1
