"""Groups and datasets of an NWB file as NumPy arrays, for all storage formats.

The modules of this reader use the classes `Group` and `Dataset`. Each storage format (`hdf5`, `zarr`) defines
subclasses of them. They raise an error of nwb-neurid if the file is damaged.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.errors import InvalidSource

Rows: TypeAlias = slice | tuple[slice, slice] | None  # None for all rows
Holding: TypeAlias = Literal["numbers", "text", "references", "records", "else"]
ELEMENTS_AT_ONCE = 2**22


def _text(value: object) -> str | None:
    """Convert the value of an attribute to text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


def invalid(where: str, fault: str) -> InvalidSource:
    """Make the error about a part of a file that violates the NWB schema."""
    return InvalidSource(f"{where} {fault}. Validate the file.")


class Dataset(ABC):
    """A dataset. `where` is the file and the path in it, for messages. Every method may raise `UnreadableSource`."""

    where: str

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the dataset, or () for a single value."""

    @abstractmethod
    def chunk(self) -> tuple[int, ...] | None:
        """Return the shape of the chunks, or None if the dataset is not chunked."""

    @abstractmethod
    def holding(self) -> Holding:
        """Return the kind of the values. Booleans count as numbers, but complex numbers do not."""

    @abstractmethod
    def check_readable(self) -> None:
        """Refuse data that lie outside the folder, need a missing filter, or cannot have the size that is stated."""

    @abstractmethod
    def raw_attribute(self, name: str) -> object:
        """Return the value of an attribute without conversion, or None if it does not exist."""

    @abstractmethod
    def referred_by(self, name: str) -> "Group | None":
        """Return the group to which an attribute refers, or None if there is no such reference."""

    @abstractmethod
    def _values(self, rows: Rows) -> Shaped[np.ndarray, "..."]:
        """Return the numbers or records in some rows, or in all rows."""

    @abstractmethod
    def _texts(self) -> Shaped[np.ndarray, "..."]:
        """Return the texts as objects."""

    @abstractmethod
    def _targets(self) -> list[str]:
        """Return the paths of the objects to which the references point.

        The path is "" for a reference without a target.
        """

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0

    @property
    def is_number(self) -> bool:
        """Return whether the dataset contains numbers."""
        return self.holding() == "numbers"

    @property
    def is_text(self) -> bool:
        """Return whether the dataset contains text."""
        return self.holding() == "text"

    @property
    def is_reference(self) -> bool:
        """Return whether the dataset contains references to objects of the file."""
        return self.holding() == "references"

    def numbers(self, rows: Rows = None) -> Shaped[np.ndarray, "..."]:
        """Return the numbers in some rows, or in all rows, as they are stored.

        Raises
        ------
        InvalidSource
            If the dataset does not contain numbers.
        UnreadableSource
            If the dataset cannot be read.
        """
        if not self.is_number:
            raise invalid(self.where, "must hold numbers")
        self.check_readable()
        return self._values(rows)

    def blocks(self) -> Iterator[tuple[slice, slice, Shaped[np.ndarray, "rows columns"]]]:
        """Yield a matrix of numbers in blocks of whole chunks: the rows, the columns and the values of each block.

        Raises
        ------
        InvalidSource, UnreadableSource
            As for `numbers`.
        """
        shape = self.shape
        chunk = self.chunk() or (1, max(1, shape[1]))
        wide = max(1, min(shape[1], ELEMENTS_AT_ONCE // (chunk[0] * chunk[1]) * chunk[1] or chunk[1]))
        high = max(1, ELEMENTS_AT_ONCE // (chunk[0] * wide)) * chunk[0]
        for top in range(0, shape[0], high):
            for left in range(0, shape[1], wide):
                rows, columns = slice(top, min(shape[0], top + high)), slice(left, min(shape[1], left + wide))
                yield rows, columns, self.numbers((rows, columns))

    def fields(self, names: Sequence[str]) -> list[Shaped[np.ndarray, "..."]] | None:
        """Return some fields of all records, or None unless all these fields exist and contain numbers.

        Raises
        ------
        UnreadableSource
            If the dataset cannot be read.
        """
        if self.holding() != "records":
            return None
        self.check_readable()
        records = self._values(None)
        kinds = {name: records.dtype[name].kind for name in records.dtype.names or ()}
        has_all = all(kinds.get(name, "O") in "biuf" for name in names)
        return [records[name] for name in names] if has_all else None

    def column(self, rows: Rows = None) -> Shaped[np.ndarray, " elements"]:
        """Return the numbers in some rows, or in all rows, with one number per row. Shape (rows, 1) becomes (rows,).

        Raises
        ------
        InvalidSource
            If a row has several values, or the values are not numbers.
        UnreadableSource
            If the dataset cannot be read.
        """
        if self.shape[1:] not in {(), (1,)}:
            raise invalid(self.where, f"must have one element per row, its shape is {self.shape}")
        return self.numbers(rows).ravel()

    def integers(self, *, missing: int | None = None) -> Int64[np.ndarray, " elements"]:
        """Like `column`, for whole numbers of any stored type. NaN becomes `missing` if it is given."""
        values = self.column()
        rough = values.astype(np.float64)
        whole = (np.abs(rough) < 2.0**63) & (np.trunc(rough) == rough)
        if not np.all(whole | (np.isnan(rough) & (missing is not None))):
            raise invalid(self.where, "must hold whole numbers")
        integers = np.full(len(values), missing or 0, np.int64)
        integers[whole] = values[whole]
        return integers

    def texts(self) -> Shaped[np.ndarray, "..."]:
        """Return the texts as objects. Bytes that are not valid UTF-8 become U+FFFD.

        Raises
        ------
        InvalidSource
            If the dataset does not contain text.
        UnreadableSource
            If the dataset cannot be read.
        """
        if not self.is_text:
            raise invalid(self.where, "must hold text")
        self.check_readable()
        return self._texts()

    def referred(self) -> list[str]:
        """Return the names of the objects to which the references point.

        The name is "" for a reference without a target.

        Raises
        ------
        UnreadableSource
            If the dataset cannot be read, or an object does not exist.
        """
        self.check_readable()
        return [path.rsplit("/", 1)[-1] for path in self._targets()]

    def attribute(self, name: str) -> float | None:
        """Return the value of a numeric attribute, or None if it does not exist or is not a number."""
        value = np.asarray(self.raw_attribute(name))
        return float(value.item()) if value.size == 1 and value.dtype.kind in "biuf" else None

    def text_attribute(self, name: str) -> str | None:
        """Return the value of an attribute as text, or None if it does not exist."""
        return _text(self.raw_attribute(name))


class Group(ABC):
    """A group. Links without a target and datasets without a dataspace are ignored.

    `file` is the path of the file, for messages. `path` is the path of the group in the file, which is "" for the root.
    Every method may raise `UnreadableSource`.
    """

    file: str
    path: str

    @abstractmethod
    def dataset(self, path: str) -> Dataset | None:
        """Return the dataset at a path, or None if there is none."""

    @abstractmethod
    def group(self, path: str) -> "Group | None":
        """Return the group at a path, or None if there is none."""

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names of the members. Names that are not valid UTF-8 are left out."""

    @abstractmethod
    def raw_attribute(self, name: str) -> object:
        """Return the value of an attribute without conversion, or None if it does not exist."""

    @abstractmethod
    def name_of(self, path: str) -> str:
        """Return the name of the object at a path. For a link, this is the name of its target."""

    @property
    def where(self) -> str:
        """Return the file and the path in it, for messages."""
        return self.place("")

    def place(self, path: str) -> str:
        """Return the file and a path below this group, for messages."""
        return f"{self.file}: /{f'{self.path}/{path}'.strip('/')}"

    def groups(self, path: str = "") -> list["Group"]:
        """List the groups in this group, or in the group at a path. The list is empty if there is no such group."""
        place = self.group(path) if path else self
        return [] if place is None else [group for name in place.names() if (group := place.group(name)) is not None]

    def attribute(self, name: str) -> str | None:
        """Return the value of an attribute as text, or None if it does not exist."""
        return _text(self.raw_attribute(name))
