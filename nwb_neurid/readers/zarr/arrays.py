"""An array in a folder. Only the chunks with the requested data are decoded."""

import math
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.files import read_bytes, read_json
from nwb_neurid._system.warning import warn
from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.expansion import check_size, damaged
from nwb_neurid.readers.npy import in_one_line
from nwb_neurid.readers.zarr.codecs import CODECS, DECODING_ERRORS, OBJECT_CODECS, PICKLED, objects, unpacked

MOST_ASKED = 2**16  # chunks; if more could exist, the folder is listed instead of testing each chunk

Unpickle: TypeAlias = Callable[[bytes], list[Any]]

_FILL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Convert any error in the block into an error about a damaged file.

    Raises
    ------
    UnreadableSource
        In place of any other error.
    """
    try:
        yield
    except PermissionError as error:
        raise UnreadableSource(f"{where} cannot be read: permission denied. Ask its owner for access.") from error
    except DECODING_ERRORS as error:
        raise damaged(where, in_one_line(error)) from error


def load_json(path: Path, where: str) -> dict[str, Any]:
    """Load the object in a JSON file. Return {} if there is no file.

    Raises
    ------
    UnreadableSource
        If the file cannot be read, or does not contain a JSON object.
    """
    if not is_there(path, where):
        return {}
    with reading(where):
        found = read_json(path)
        if not isinstance(found, dict):
            raise TypeError(f"{path.name} holds no JSON object")
        return found


def is_there(path: Path, where: str) -> bool:
    """Return whether there is such a file. Folders do not count.

    Raises
    ------
    UnreadableSource
        If the path is a broken link, a pipe or a device, or if access is denied.
    """
    with reading(where):
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if not path.is_symlink():
                return False
            mode = 0
    if mode == 0:
        raise UnreadableSource(f"{path} is a broken link. If DataLad manages it, download its content (datalad get).")
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise UnreadableSource(f"{path} is a device or a pipe, a file was expected. Fetch the folder again.")
    return stat.S_ISREG(mode)


@dataclass(frozen=True, eq=False)
class Array:
    """An array of Zarr 2.

    Parameters
    ----------
    folder
        The folder with its metadata and chunks.
    where
        Name for messages.
    metadata
        The content of its `.zarray`.
    """

    folder: Path
    where: str
    metadata: Mapping[str, Any]
    _last: dict[tuple[int, ...], Shaped[np.ndarray, "..."]] = field(default_factory=dict, repr=False)

    @classmethod
    def at(cls, folder: Path, where: str) -> "Array":
        """Open the array in this folder.

        Raises
        ------
        UnreadableSource
            If its metadata is damaged.
        """
        array = cls(folder, where, load_json(folder / ".zarray", where))
        with reading(where):
            if array.metadata.get("zarr_format") != 2 or len(array.chunks) != len(array.shape) or 0 in array.chunks:
                raise ValueError("its .zarray is not of Zarr format 2")
            _ = array.dtype, array.fill, array.codecs
        return array

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the array."""
        return _lengths(self.metadata["shape"])

    @cached_property
    def chunks(self) -> tuple[int, ...]:
        """Return the shape of a chunk."""
        return _lengths(self.metadata["chunks"])

    @cached_property
    def dtype(self) -> np.dtype:
        """Return the type of the elements. Objects are those that `objects` returns."""
        return _dtype(self.metadata["dtype"])

    @cached_property
    def codecs(self) -> list[dict[str, Any]]:
        """Return the configurations of the codecs, in the order in which they were applied for encoding."""
        filters, compressor = self.metadata.get("filters") or [], self.metadata.get("compressor")
        found = [*filters, *([] if compressor is None else [compressor])]
        return [{**config, "id": str(config["id"])} for config in found]

    @property
    def object_codec(self) -> str:
        """Return the name of the codec that converts bytes to objects, or "" if the array does not contain objects."""
        return self.codecs[0]["id"] if self.dtype.kind == "O" and self.codecs else ""

    @cached_property
    def fill(self) -> Any:
        """Return the value that the elements of missing chunks have."""
        value = self.metadata.get("fill_value")
        if self.dtype.kind not in "biuf":
            return "" if self.dtype.kind == "O" else np.zeros((), self.dtype)
        return np.array(
            0 if value is None else _FILL.get(value, value) if isinstance(value, str) else value, self.dtype
        )

    def check_readable(self, *, pickled: bool = False) -> None:
        """Refuse an array that needs an unknown codec, or cannot have the size that is stated.

        Parameters
        ----------
        pickled
            Whether pickled objects are accepted, because they are unpickled safely by the caller.

        Raises
        ------
        UnreadableSource
            If the array must not be decoded.
        """
        names = [config["id"] for config in self.codecs]
        first = OBJECT_CODECS | ({PICKLED} if pickled else set()) if self.dtype.kind == "O" else CODECS
        if unknown := {*names[:1]} - first | {*names[1:]} - CODECS:
            raise UnreadableSource(
                f"{self.where} cannot be read: its codec {', '.join(sorted(unknown))} is unknown or could run code. "
                "Save it again with another codec."
            )
        size = math.prod(self.shape) * self.dtype.itemsize
        one = math.prod(self.chunks) * self.dtype.itemsize
        check_size(max(size, one), self._stored_bytes, self.where)

    def read(
        self, place: slice | tuple[slice, ...] | None = None, unpickle: Unpickle | None = None
    ) -> Shaped[np.ndarray, "..."]:
        """Read some rows, or ranges along several axes, or the whole array.

        Raises
        ------
        UnreadableSource
            If the array cannot be decoded.
        """
        self.check_readable(pickled=unpickle is not None)
        first = place if isinstance(place, tuple) else () if place is None else (place,)
        axes = [range(*axis.indices(length)) for axis, length in zip(first, self.shape, strict=False)]
        axes += map(range, self.shape[len(axes) :])
        with reading(self.where):
            found = np.full([len(axis) for axis in axes], self.fill, self.dtype)
        wanted = [_find_chunks(axis, size) for axis, size in zip(axes, self.chunks, strict=True)]
        present = self._present(wanted)
        for index in present:
            pairs = [_overlap(*each) for each in zip(axes, index, self.chunks, strict=True)]
            target, source = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
            found[target] = self._chunk(index, unpickle)[source]
        if missing := math.prod(map(len, wanted)) - len(present):
            warn(
                f"{self.where} lacks {missing} of {missing + len(present)} chunks, which are read as {self.fill!s}. "
                "If the folder was complete where it was written, download it again."
            )
        return found

    def _present(self, wanted: Sequence[range]) -> list[tuple[int, ...]]:
        """Return the requested chunks that exist."""
        if math.prod(map(len, wanted)) > MOST_ASKED:
            pairs = [(index, zip(index, wanted, strict=True)) for index in self._listed]
            return [index for index, parts in pairs if all(number in own for number, own in parts)]
        return [index for index in product(*wanted) if is_there(self._path(index), self.where)]

    def _path(self, index: Sequence[int]) -> Path:
        return self.folder / (self._separator.join(map(str, index)) or "0")

    @property
    def _separator(self) -> str:
        return "/" if self.metadata.get("dimension_separator") == "/" else "."

    @cached_property
    def _listed(self) -> list[tuple[int, ...]]:
        with reading(self.where):
            names = [path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()]
        parts = [name.split(self._separator) for name in names if re.fullmatch(r"\d+([./]\d+)*", name)]
        return [tuple(map(int, each)) for each in parts if len(each) == len(self.shape)]

    @cached_property
    def _stored_bytes(self) -> int:
        with reading(self.where):
            return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def _chunk(self, index: tuple[int, ...], unpickle: Unpickle | None) -> Shaped[np.ndarray, "..."]:
        if index not in self._last:
            with reading(self.where):
                values = self._decoded(read_bytes(self._path(index)), unpickle)
            self._last.clear()  # keep only one chunk
            self._last[index] = values
        return self._last[index]

    def _decoded(self, data: bytes, unpickle: Unpickle | None) -> Shaped[np.ndarray, "..."]:
        elements = math.prod(self.chunks)
        if self.dtype.kind == "O":
            plain = unpacked(data, self.codecs[1:], self.where)
            is_pickled = self.object_codec == PICKLED
            values = np.empty(elements, object)
            values[:] = unpickle(plain) if is_pickled and unpickle else objects(plain, self.object_codec, elements)
        else:
            values = np.frombuffer(unpacked(data, self.codecs, self.where), self.dtype)
        return values.reshape(self.chunks, order="F" if self.metadata.get("order") == "F" else "C")


def _lengths(told: Any) -> tuple[int, ...]:
    if not isinstance(told, list) or not all(type(length) is int and 0 <= length < 2**63 for length in told):
        raise ValueError(f"{told} is not a valid shape")
    return tuple(told)


def _dtype(told: Any) -> np.dtype:
    if isinstance(told, str):
        return np.dtype(told)
    fields = [(str(name), _dtype(kind), *(tuple(shape) for shape in rest)) for name, kind, *rest in told]
    return np.dtype(fields)


def _find_chunks(axis: range, size: int) -> range:
    """Return the range of chunks along an axis that contain requested elements."""
    return range(axis.start // size, -(-axis.stop // size)) if len(axis) else range(0)


def _overlap(axis: range, index: int, size: int) -> tuple[slice, slice]:
    """Return the place of a chunk's elements in the result along an axis, and their place in the chunk."""
    low, high = max(index * size, axis.start), min((index + 1) * size, axis.stop)
    return slice(low - axis.start, high - axis.start), slice(low - index * size, high - index * size)
