"""Arrays and JSON of a folder, read so that nothing in it is run, and faults become one of our errors."""

import json
import tokenize
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.errors import InvalidSource, UnreadableSource

READING_ERRORS = (OSError, ValueError, TypeError, SyntaxError, tokenize.TokenError, MemoryError, RecursionError)
"""What NumPy and json make of a damaged file."""

LAST_CHARACTER = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)
"""Numbers of Unicode that are no characters."""


def load_array(path: Path) -> Shaped[np.ndarray, "..."]:
    """The array of an `.npy` file, mapped: a header that promises more than the file holds costs no memory.

    Raises
    ------
    UnreadableSource
        If it cannot be read, or is a pickle of Python objects.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except READING_ERRORS as error:
        raise UnreadableSource(f"{path} cannot be read as an array: {error}. Save or fetch it again.") from error
    return checked(array, str(path))


def checked(array: Shaped[np.ndarray, "..."], where: str) -> Shaped[np.ndarray, "..."]:
    """The same array, if it is what it seems to be.

    Raises
    ------
    UnreadableSource
        If it has elements of no size, of which there may be any number, or text with characters that do not exist, on
        which Python would stumble later.
    """
    if array.dtype.itemsize == 0:
        raise UnreadableSource(f"{where} is damaged: its {array.size} elements have no size. Save or fetch it again.")
    if array.dtype.kind == "U" and array.size:
        codes = np.ascontiguousarray(array).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if np.any((codes > LAST_CHARACTER) | ((codes >= SURROGATES.start) & (codes < SURROGATES.stop))):
            raise UnreadableSource(
                f"{where} is damaged: it holds characters that do not exist. Save or fetch it again."
            )
    return array


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
        found = json.loads(path.read_text("utf-8"))
    except READING_ERRORS as error:
        raise UnreadableSource(f"{path} cannot be read as JSON: {error}. Save or fetch it again.") from error
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
    if values.ndim != 1 and values.size != values.shape[0]:
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
