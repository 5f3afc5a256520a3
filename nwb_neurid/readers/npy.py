"""Memory-mapped `.npy` files. A header that claims more data than exist costs no memory, and no code is run."""

import math
import os
from mmap import mmap
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.files import open_regular
from nwb_neurid.errors import InvalidSource, UnreadableSource

HEADER_ERRORS = (ValueError, TypeError, SyntaxError, TokenError, EOFError, OverflowError, MemoryError, RecursionError)
"""Errors of NumPy on a damaged header of a `.npy` file, or on another kind of file."""

LAST_CHARACTER = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)
"""Code points that are not Unicode characters."""


def map_array(path: Path, again: str) -> Shaped[np.ndarray, "..."]:
    """Map the array of an `.npy` file, read-only.

    Parameters
    ----------
    path
        The file.
    again
        Advice if the file is missing or damaged, for messages.

    Raises
    ------
    UnreadableSource
        If the file is missing, cannot be accessed, is damaged or is truncated.
    InvalidSource
        If it contains pickled Python objects, which are not loaded.
    """
    try:
        with open_regular(path) as file:
            shape, by_column, dtype = read_header(file)
            if dtype.hasobject:
                raise InvalidSource(f"{path} must hold numbers or text, it holds Python objects. {again}")
            promised, size = file.tell() + math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size
            if size != promised:
                raise ValueError(f"it has {size} bytes, its header states {promised}")
            if 0 in shape:
                array = np.empty(shape, dtype)
            else:
                order = "F" if by_column else "C"
                array = np.memmap(file, dtype, "r", file.tell(), shape, order)  # type: ignore[call-overload]
    except FileNotFoundError as error:
        raise UnreadableSource(f"{path} is missing. {again}") from error
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}. {again}") from error
    except HEADER_ERRORS as error:
        raise UnreadableSource(f"{path} is damaged: {in_one_line(error)}. {again}") from error
    return check_elements(array, str(path), again)


def read_header(file: BinaryIO | mmap) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the shape, whether the array is in Fortran order, and the dtype. Raises one of `HEADER_ERRORS`."""
    is_old = np.lib.format.read_magic(file) == (1, 0)
    read = np.lib.format.read_array_header_1_0 if is_old else np.lib.format.read_array_header_2_0
    return read(file)


def check_elements(array: Shaped[np.ndarray, "..."], where: str, again: str) -> Shaped[np.ndarray, "..."]:
    """Return an array if its elements are valid.

    Raises
    ------
    UnreadableSource
        If the elements have size 0, because any number of such elements could be claimed. Also if the text contains
        invalid characters, because Python would fail later.
    """
    if array.dtype.itemsize == 0:
        raise UnreadableSource(f"{where} is damaged: each of its {array.size} elements has a size of 0 bytes. {again}")
    if array.dtype.kind == "U" and array.size:
        codes = np.ascontiguousarray(array).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if np.any((codes > LAST_CHARACTER) | ((codes >= SURROGATES.start) & (codes < SURROGATES.stop))):
            raise UnreadableSource(f"{where} is damaged: it holds invalid characters. {again}")
    return array


def in_one_line(error: BaseException) -> str:
    """Return the message of an error of NumPy or Python in printable form, or the name of the error if it has none."""
    text = " ".join(str(error).split())[:200].rstrip(".")
    return "".join(letter if letter.isprintable() else "?" for letter in text) or type(error).__name__
