"""Arrays and JSON of a folder. No code in it is run, and problems are raised as errors of nwb-neurid."""

import codecs
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid._system.files import read_json
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers.npy import in_one_line, map_array

AGAIN = "Save or fetch it again."

BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # must be tested before UTF-16, whose mark is the beginning of this one
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def load_array(path: Path) -> Shaped[np.ndarray, "..."]:
    """Map the array of an `.npy` file. It raises the same errors as `nwb_neurid.readers.npy.map_array`."""
    return map_array(path, AGAIN)


def decode(data: bytes) -> str:
    """Decode text from UTF-8, UTF-16, UTF-32 or Windows-1252.

    UTF-16 and UTF-32 are recognised by their first bytes or by zeros. Windows-1252 is used if nothing else fits.
    """
    for bom, encoding in BOMS.items():
        if data.startswith(bom):
            return data.decode(encoding, errors="replace")
    if len(data) > 1 and 0 in data[:2] and any(data[:2]):
        return data.decode("utf-16-be" if data[0] == 0 else "utf-16-le", errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def load_json(path: Path) -> dict[str, object]:
    """Load the object in a JSON file.

    Raises
    ------
    UnreadableSource
        If it cannot be read.
    InvalidSource
        If it is not a JSON object.
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


def as_integers(values: Shaped[np.ndarray, "..."], where: str) -> Int64[np.ndarray, " elements"]:
    """Convert an array to whole numbers of shape (elements,), from any stored type. (elements, 1) is accepted.

    Raises
    ------
    InvalidSource
        If a row has several numbers, or a number is not whole.
    """
    if values.ndim == 0 or (values.ndim != 1 and values.size != values.shape[0]):
        raise InvalidSource(f"{where} must have one number per row, its shape is {values.shape}.")
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
