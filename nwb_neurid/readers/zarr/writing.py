"""The files of a new array."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.readers.zarr.codecs import DEFAULT, packed, texts_packed
from nwb_neurid.readers.zarr.nodes import ARRAY

VERSION = {"zarr_format": 2}


def array_files(
    values: Shaped[np.ndarray, "..."], chunks: tuple[int, ...] | None, where: str
) -> Iterator[tuple[str, bytes | dict[str, Any]]]:
    """Names and contents of the files of an array, its description last.

    Parameters
    ----------
    values
        Numbers, truth values, or texts as objects; at least one axis.
    chunks
        The length of a chunk along each axis; None for one chunk.
    where
        What it is called in messages.

    Raises
    ------
    UnreadableSource
        If numcodecs is not installed.
    """
    sizes = tuple(max(1, size) for size in chunks or values.shape)
    is_text = values.dtype.kind == "O"
    for name, chunk in _chunks(values, sizes):
        yield name, packed(texts_packed(chunk.ravel().tolist()) if is_text else np.ascontiguousarray(chunk), where)
    described = {
        "shape": list(values.shape),
        "chunks": list(sizes),
        "dtype": "|O" if is_text else values.dtype.str,
        "fill_value": "" if is_text else values.dtype.type(0).item(),
        "filters": [{"id": "vlen-utf8"}] if is_text else None,
        "compressor": DEFAULT,
        "order": "C",
    }
    yield ARRAY, VERSION | described


def _chunks(values: Shaped[np.ndarray, "..."], sizes: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Each chunk with its name; the last ones are filled up to their size."""
    counts = [-(-length // size) for length, size in zip(values.shape, sizes, strict=True)]
    for index in product(*map(range, counts)):
        part = values[tuple(slice(at * size, (at + 1) * size) for at, size in zip(index, sizes, strict=True))]
        whole = np.full(sizes, "" if values.dtype.kind == "O" else 0, values.dtype)
        whole[tuple(slice(0, length) for length in part.shape)] = part
        yield ".".join(map(str, index)), whole
