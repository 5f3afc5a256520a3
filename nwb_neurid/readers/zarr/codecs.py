"""Decoding of the chunks of an array, only with codecs that are known to be harmless."""

import json
import lzma
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from nwb_neurid.errors import UnreadableSource

CODECS = frozenset({"blosc", "bz2", "delta", "gzip", "lz4", "lzma", "shuffle", "zlib", "zstd"})
"""Codecs that may decode bytes."""

OBJECT_CODECS = frozenset({"json2", "vlen-bytes", "vlen-utf8"})
"""Codecs that may convert bytes to objects. numcodecs also has a codec that unpickles, and so could run any code."""

PICKLED = "pickle"

DECODING_ERRORS = (
    *(OSError, RuntimeError, ValueError, TypeError, LookupError, MemoryError, EOFError, ArithmeticError),
    *(zlib.error, lzma.LZMAError),
)
"""Errors of NumPy and the codecs on a damaged chunk."""

_BLOSC_HEADER = 16  # bytes; the last four contain the total size


def codec_of(config: Mapping[str, Any], where: str) -> Any:
    """Make the codec with this configuration.

    Raises
    ------
    UnreadableSource
        If numcodecs is not installed.
    """
    try:
        from numcodecs import get_codec
    except ImportError as error:
        raise UnreadableSource(f"{where} is stored in Zarr. To read it: pip install numcodecs") from error
    return get_codec(dict(config))


def unpacked(data: bytes, configs: Sequence[Mapping[str, Any]], where: str) -> bytes:
    """Decode the bytes of a chunk with all codecs, in reverse order."""
    from numcodecs.compat import ensure_bytes

    for config in reversed(configs):
        codec = codec_of(config, where)
        if config["id"] == "blosc":
            _check_blosc(data)
        data = ensure_bytes(codec.decode(data))
    return data


def objects(data: bytes, codec: str, elements: int) -> list[Any]:
    """Decode the elements of a chunk of texts or JSON values. `elements` is their number."""
    if codec == "json2":
        found = json.loads(data)[:-2]  # the last two are the type and the shape
    else:
        if int.from_bytes(data[:4], "little") == elements:
            found = _of_varying_length(data)
            found = found if codec == "vlen-bytes" else [item.decode() for item in found]
        else:
            found = []
    if len(found) != elements:
        raise ValueError(f"a chunk must hold {elements} elements")
    return found


def _of_varying_length(data: bytes) -> list[bytes]:
    found, at = [], 4
    while at < len(data):
        stop = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if stop > len(data):
            raise ValueError("a chunk ends within an element")
        found.append(data[at + 4 : stop])
        at = stop
    return found


def _check_blosc(data: bytes) -> None:
    """Refuse a chunk whose header states a wrong size. The library would read beyond the end of such a chunk."""
    promised = int.from_bytes(data[_BLOSC_HEADER - 4 : _BLOSC_HEADER], "little")
    if len(data) < _BLOSC_HEADER or promised != len(data):
        raise ValueError(f"a chunk of {len(data)} bytes states a size of {max(promised, _BLOSC_HEADER)}")
