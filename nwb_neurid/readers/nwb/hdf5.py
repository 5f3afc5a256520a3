"""Groups and datasets of an HDF5 file, read so that whatever is wrong with them becomes one of our errors.

This module alone calls h5py on what an open file holds, and gives out plain NumPy. h5py raises HDF5's errors as
built-in exceptions, by a number that a damaged file can make anything; so each call to it stands in `_reading`, and
no code of ours does, lest our own faults be taken for the file's.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import h5py
import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.errors import InvalidSource, UnreadableSource

H5PY_ERRORS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)
"""What h5py makes of HDF5's error numbers (the tables in its `_errors.pyx`), and NumPy of an array too large."""

EXPANSION = 2**16
"""More than any filter expands a chunk; what claims to be larger than this is damaged, and would fill the memory."""

ALWAYS_READ_BYTES = 2**26
ELEMENTS_AT_ONCE = 2**22

Rows: TypeAlias = slice | Int64[np.ndarray, " rows"] | tuple[slice, slice] | None  # ascending, or None for all

_NUMBERS = frozenset({h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM})  # h5py stores booleans as an enum


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except H5PY_ERRORS as error:
        fault = error.args[0] if error.args else type(error).__name__
        raise UnreadableSource(f"{where} is damaged: {fault}. Validate the file, or fetch it again.") from error


def _text(value: object) -> str | None:
    """An attribute as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A dataset.

    Parameters
    ----------
    h5
        The dataset as h5py has it.
    where
        The file and the path in it, for messages.
    """

    h5: h5py.Dataset
    where: str

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Its length along each axis; () for a single value."""
        with _reading(self.where):
            return tuple(self.h5.shape)

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self._type_class() in _NUMBERS

    @property
    def is_text(self) -> bool:
        """Whether it holds text."""
        return self._type_class() == h5py.h5t.STRING

    @property
    def is_reference(self) -> bool:
        """Whether it holds references to objects of the file."""
        return self._type_class() == h5py.h5t.REFERENCE

    def numbers(self, rows: Rows = None) -> Shaped[np.ndarray, "..."]:
        """The numbers in these rows, or all, as they are stored.

        Raises
        ------
        InvalidSource
            If it does not hold numbers.
        UnreadableSource
            If it cannot be read.
        """
        if not self.is_number:
            raise InvalidSource(f"{self.where} must hold numbers. Validate the file.")
        return self._stored(() if rows is None else rows)

    def blocks(self) -> Iterator[tuple[slice, slice, Shaped[np.ndarray, "rows columns"]]]:
        """A matrix of numbers in blocks of whole chunks: rows and columns of each block, and what stands there.

        Raises
        ------
        InvalidSource, UnreadableSource
            As `numbers`.
        """
        with _reading(self.where):
            shape, chunk = self.h5.shape, self.h5.chunks or (1, max(1, self.h5.shape[1]))
        wide = max(1, min(shape[1], ELEMENTS_AT_ONCE // (chunk[0] * chunk[1]) * chunk[1] or chunk[1]))
        high = max(1, ELEMENTS_AT_ONCE // (chunk[0] * wide)) * chunk[0]
        for top in range(0, shape[0], high):
            for left in range(0, shape[1], wide):
                rows, columns = slice(top, min(shape[0], top + high)), slice(left, min(shape[1], left + wide))
                yield rows, columns, self.numbers((rows, columns))

    def fields(self, names: Sequence[str], rows: Rows = None) -> list[Shaped[np.ndarray, "..."]] | None:
        """These fields of the records in these rows, or all; None where it does not have them all, as numbers.

        Raises
        ------
        UnreadableSource
            If it cannot be read.
        """
        if self._type_class() != h5py.h5t.COMPOUND:
            return None
        with _reading(self.where):
            dtype = self.h5.dtype
        if any(name not in dtype.names or dtype[name].kind not in "biuf" for name in names):
            return None
        records = self._stored(() if rows is None else rows)
        return [records[name] for name in names]

    def column(self, rows: Rows = None) -> Shaped[np.ndarray, " elements"]:
        """The numbers in these rows, or all, one in a row; (rows, 1) comes as (rows,).

        Raises
        ------
        InvalidSource
            If there are several in a row, or they are no numbers.
        UnreadableSource
            If it cannot be read.
        """
        if self.shape[1:] not in {(), (1,)}:
            raise InvalidSource(
                f"{self.where} must have one element in a row, its shape is {self.shape}. Validate the file."
            )
        return self.numbers(rows).ravel()

    def integers(self, rows: Rows = None, *, missing: int | None = None) -> Int64[np.ndarray, " elements"]:
        """As `column`, for whole numbers, however they are stored; `missing`, if given, stands for NaN."""
        values = self.column(rows)
        rough = values.astype(np.float64)
        whole = (np.abs(rough) < 2.0**63) & (np.trunc(rough) == rough)
        if not np.all(whole | (np.isnan(rough) & (missing is not None))):
            raise InvalidSource(f"{self.where} must hold whole numbers. Validate the file.")
        integers = np.full(len(values), missing or 0, np.int64)
        integers[whole] = values[whole]
        return integers

    def texts(self) -> Shaped[np.ndarray, "..."]:
        """Its texts, as objects; bytes that are no UTF-8 become U+FFFD.

        Raises
        ------
        InvalidSource
            If it does not hold text.
        UnreadableSource
            If it cannot be read.
        """
        if not self.is_text:
            raise InvalidSource(f"{self.where} must hold text. Validate the file.")
        self.check_readable()
        with _reading(self.where):
            return np.asarray(self.h5.asstr("utf-8", errors="replace")[()], dtype=object)

    def referred(self) -> list[str]:
        """Names of the objects that its references lead to, "" for those that lead nowhere or have none.

        Raises
        ------
        UnreadableSource
            If it cannot be read, or an object is not there.
        """
        self.check_readable()
        with _reading(self.where):
            objects = [self.h5.file[reference] if reference else None for reference in np.ravel(self.h5[()])]
            paths = {item: item and item.name for item in set(objects)}  # HDF5 searches the whole file for a name
        return [str(paths[item] or "").rsplit("/", 1)[-1] for item in objects]

    def attribute(self, name: str) -> float | None:
        """An attribute that is one number; None where it is not there, or is none."""
        with _reading(self.where):
            value = np.asarray(self.h5.attrs.get(name))
        return float(value.item()) if value.size == 1 and value.dtype.kind in "biuf" else None

    def text_attribute(self, name: str) -> str | None:
        """An attribute as text; None where it is not there."""
        with _reading(self.where):
            return _text(self.h5.attrs.get(name))

    def _stored(self, place: object) -> Shaped[np.ndarray, "..."]:
        self.check_readable()
        with _reading(self.where):
            return np.asarray(self.h5[place])

    def _type_class(self) -> int:
        """HDF5's class of types; asking for NumPy's type would fail where there is none."""
        with _reading(self.where):
            return int(self.h5.id.get_type().get_class())

    def check_readable(self) -> None:
        """Refuse what would be unpacked by a filter that is missing, or into more than it can hold."""
        with _reading(self.where):
            made = self.h5.id.get_create_plist()
            filters = [made.get_filter(index) for index in range(made.get_nfilters())]
            missing = [name.decode() or str(code) for code, _, _, name in filters if not h5py.h5z.filter_avail(code)]
            virtual = made.get_layout() == h5py.h5d.VIRTUAL  # its bytes are in other datasets
            size, stored = self.h5.nbytes, self.h5.id.get_storage_size()
        if missing:
            raise UnreadableSource(
                f"{self.where} is compressed with {missing[0]}, which is not installed. Install hdf5plugin and set "
                "HDF5_PLUGIN_PATH to its folder of plugins."
            )
        if not virtual and size > ALWAYS_READ_BYTES + EXPANSION * stored:
            raise UnreadableSource(
                f"{self.where} is damaged: its {stored} bytes cannot hold the {size} that it claims. Validate the "
                "file, or fetch it again."
            )


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A group. A link that leads nowhere counts as nothing, and so does a dataset without a dataspace.

    Parameters
    ----------
    h5
        The group as h5py has it.
    file
        Path of the file, for messages.
    path
        Path of the group in it; "" for the root.
    """

    h5: h5py.Group
    file: str
    path: str = ""

    @property
    def where(self) -> str:
        """The file and the path in it, for messages."""
        return f"{self.file}: {self.path or '/'}"

    def dataset(self, path: str) -> Dataset | None:
        """The dataset at this path; None where there is none."""
        item = self._item(path)
        where = f"{self.where.rstrip('/')}/{path}"
        with _reading(where):
            return Dataset(item, where) if isinstance(item, h5py.Dataset) and item.shape is not None else None

    def group(self, path: str) -> "Group | None":
        """The group at this path; None where there is none."""
        item = self._item(path)
        return Group(item, self.file, f"{self.path}/{path}") if isinstance(item, h5py.Group) else None

    def groups(self) -> list["Group"]:
        """The groups in it."""
        return [group for name in self.names() if (group := self.group(name)) is not None]

    def names(self) -> list[str]:
        """What is in it; what has no name in UTF-8 is left out."""
        with _reading(self.where):
            return [name for name in self.h5 if isinstance(name, str)]

    def attribute(self, name: str) -> str | None:
        """An attribute as text; None where it is not there."""
        with _reading(self.where):
            return _text(self.h5.attrs.get(name))

    def referred(self, dataset: Dataset, name: str) -> "Group | None":
        """The group that an attribute of a dataset refers to; None where it refers to none."""
        with _reading(dataset.where):
            reference = dataset.h5.attrs.get(name)
            item = self.h5.file[reference] if isinstance(reference, h5py.Reference) and reference else None
            return Group(item, self.file, str(item.name)) if isinstance(item, h5py.Group) else None

    def name_of(self, path: str) -> str:
        """What the object at this path is called; for a link, where it leads."""
        with _reading(f"{self.where.rstrip('/')}/{path}"):
            link = self.h5.get(path, getlink=True)
            return str(getattr(link, "path", path)).rsplit("/", 1)[-1]

    def _item(self, path: str) -> h5py.HLObject | None:
        with _reading(f"{self.where.rstrip('/')}/{path}"):
            if path not in self.h5:
                return None
            if isinstance(self.h5.get(path, getlink=True), h5py.HardLink):
                return self.h5[path]  # `get` would hide that the object is damaged
            return self.h5.get(path)
