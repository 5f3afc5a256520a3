"""Arrays and JSON of a folder, read so that nothing in it is run, and faults become one of our errors."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid._system.files import read_json
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers.npy import in_one_line, map_array

AGAIN = "Save or fetch it again."


def load_array(path: Path) -> Shaped[np.ndarray, "..."]:
    """Map the array of an `.npy` file; raises as `nwb_neurid.readers.npy.map_array` does."""
    return map_array(path, AGAIN)


def load_json(path: Path) -> dict[str, object]:
    """The object of a JSON file.

    Raises
    ------
    UnreadableSource
        If it cannot be read.
    InvalidSource
        If it is no object.
    """
    try:
        found = read_json(path)
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}. {AGAIN}") from error
    except ValueError as error:
        raise UnreadableSource(f"{path} cannot be read as JSON: {in_one_line(error)}. {AGAIN}") from error
    if not isinstance(found, dict):
        raise InvalidSource(f"{path} must hold a JSON object, it holds {type(found).__name__}.")
    return found


def whole(values: Shaped[np.ndarray, "..."], where: str) -> Int64[np.ndarray, " elements"]:
    """Whole numbers in a row, however they are stored; (elements, 1) comes as (elements,).

    Raises
    ------
    InvalidSource
        If there are several in a row, or a number is not whole.
    """
    if values.ndim == 0 or (values.ndim != 1 and values.size != values.shape[0]):
        raise InvalidSource(f"{where} must have one number in a row, its shape is {values.shape}.")
    flat = values.ravel()
    if flat.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            rounded = flat.astype(np.int64)
        if not np.array_equal(rounded, flat):
            raise InvalidSource(f"{where} must be whole numbers (samples, not seconds), some are not.")
        return rounded
    if flat.dtype.kind not in "iu":
        raise InvalidSource(f"{where} must be whole numbers, it holds {flat.dtype}.")
    return flat.astype(np.int64, copy=False)
