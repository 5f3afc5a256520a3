"""Groups and datasets of an NWB file as plain NumPy, for all storage formats.

The modules of this reader use `Group` and `Dataset`. Each storage format implements `StoredGroup` and `StoredDataset`,
which raise an error of nwb-neurid if anything is wrong with the file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.nwb.storage import Rows, StoredDataset, StoredGroup

ELEMENTS_AT_ONCE = 2**22


def _text(value: object) -> str | None:
    """An attribute as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A dataset.

    Parameters
    ----------
    stored
        The dataset in HDF5 or Zarr.
    """

    stored: StoredDataset

    def __len__(self) -> int:
        return self.shape[0] if self.shape else 0

    @property
    def where(self) -> str:
        """The file and the path in it, for messages."""
        return self.stored.where

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; () for a single value."""
        return self.stored.lengths()

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.stored.holding() == "numbers"

    @property
    def is_text(self) -> bool:
        """Whether it holds text."""
        return self.stored.holding() == "text"

    @property
    def is_reference(self) -> bool:
        """Whether it holds references to objects of the file."""
        return self.stored.holding() == "references"

    def numbers(self, rows: Rows = None) -> Shaped[np.ndarray, "..."]:
        """The numbers in these rows, or in all rows, as they are stored.

        Raises
        ------
        InvalidSource
            If it does not hold numbers.
        UnreadableSource
            If it cannot be read.
        """
        if not self.is_number:
            raise InvalidSource(f"{self.where} must hold numbers. Validate the file.")
        self.check_readable()
        return self.stored.values(rows)

    def blocks(self) -> Iterator[tuple[slice, slice, Shaped[np.ndarray, "rows columns"]]]:
        """A matrix of numbers in blocks of whole chunks: rows, columns and values of each block.

        Raises
        ------
        InvalidSource, UnreadableSource
            As for `numbers`.
        """
        shape = self.shape
        chunk = self.stored.chunk() or (1, max(1, shape[1]))
        wide = max(1, min(shape[1], ELEMENTS_AT_ONCE // (chunk[0] * chunk[1]) * chunk[1] or chunk[1]))
        high = max(1, ELEMENTS_AT_ONCE // (chunk[0] * wide)) * chunk[0]
        for top in range(0, shape[0], high):
            for left in range(0, shape[1], wide):
                rows, columns = slice(top, min(shape[0], top + high)), slice(left, min(shape[1], left + wide))
                yield rows, columns, self.numbers((rows, columns))

    def fields(self, names: Sequence[str], rows: Rows = None) -> list[Shaped[np.ndarray, "..."]] | None:
        """These fields of the records in these rows, or in all rows; None unless all fields exist and hold numbers.

        Raises
        ------
        UnreadableSource
            If it cannot be read.
        """
        if self.stored.holding() != "records":
            return None
        dtype = self.stored.record_type()
        if any(name not in (dtype.names or ()) or dtype[name].kind not in "biuf" for name in names):
            return None
        self.check_readable()
        records = self.stored.values(rows)
        return [records[name] for name in names]

    def column(self, rows: Rows = None) -> Shaped[np.ndarray, " elements"]:
        """The numbers in these rows, or in all rows, with one number per row. Shape (rows, 1) becomes (rows,).

        Raises
        ------
        InvalidSource
            If a row has several values, or they are not numbers.
        UnreadableSource
            If it cannot be read.
        """
        if self.shape[1:] not in {(), (1,)}:
            raise InvalidSource(
                f"{self.where} must have one element per row, its shape is {self.shape}. Validate the file."
            )
        return self.numbers(rows).ravel()

    def integers(self, rows: Rows = None, *, missing: int | None = None) -> Int64[np.ndarray, " elements"]:
        """Like `column`, for whole numbers of any stored type; NaN becomes `missing`, if given."""
        values = self.column(rows)
        rough = values.astype(np.float64)
        whole = (np.abs(rough) < 2.0**63) & (np.trunc(rough) == rough)
        if not np.all(whole | (np.isnan(rough) & (missing is not None))):
            raise InvalidSource(f"{self.where} must hold whole numbers. Validate the file.")
        integers = np.full(len(values), missing or 0, np.int64)
        integers[whole] = values[whole]
        return integers

    def texts(self) -> Shaped[np.ndarray, "..."]:
        """Its texts, as objects. Bytes that are not valid UTF-8 become U+FFFD.

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
        return self.stored.texts()

    def referred(self) -> list[str]:
        """Names of the objects that its references point to; "" for a reference without a target.

        Raises
        ------
        UnreadableSource
            If it cannot be read, or an object does not exist.
        """
        self.check_readable()
        return [path.rsplit("/", 1)[-1] for path in self.stored.referred()]

    def attribute(self, name: str) -> float | None:
        """The value of a numeric attribute; None if it does not exist or is not a number."""
        value = np.asarray(self.stored.attribute(name))
        return float(value.item()) if value.size == 1 and value.dtype.kind in "biuf" else None

    def text_attribute(self, name: str) -> str | None:
        """The value of an attribute as text; None if it does not exist."""
        return _text(self.stored.attribute(name))

    def check_readable(self) -> None:
        """Refuse data that lie outside the folder, need a missing filter, or cannot have the size that is stated."""
        self.stored.check_readable()


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A group. Links without a target and datasets without a dataspace are ignored.

    Parameters
    ----------
    stored
        The group in HDF5 or Zarr.
    """

    stored: StoredGroup

    @property
    def file(self) -> str:
        """Path of the file, for messages."""
        return self.stored.file

    @property
    def path(self) -> str:
        """Path of the group in it; "" for the root."""
        return self.stored.path

    @property
    def where(self) -> str:
        """The file and the path in it, for messages."""
        return f"{self.file}: {self.path or '/'}"

    def dataset(self, path: str) -> Dataset | None:
        """The dataset at this path; None if there is none."""
        found = self.stored.dataset(path)
        return None if found is None else Dataset(found)

    def group(self, path: str) -> "Group | None":
        """The group at this path; None if there is none."""
        found = self.stored.group(path)
        return None if found is None else Group(found)

    def groups(self) -> list["Group"]:
        """The groups in it."""
        return [group for name in self.names() if (group := self.group(name)) is not None]

    def names(self) -> list[str]:
        """Names of its members. Names that are not valid UTF-8 are left out."""
        return self.stored.names()

    def attribute(self, name: str) -> str | None:
        """The value of an attribute as text; None if it does not exist."""
        return _text(self.stored.attribute(name))

    def referred(self, dataset: Dataset, name: str) -> "Group | None":
        """The group to which an attribute of a dataset refers; None if there is no such reference."""
        found = dataset.stored.referred_by(name)
        return None if found is None else Group(found)

    def name_of(self, path: str) -> str:
        """The name of the object at this path; for a link, the name of its target."""
        return self.stored.name_of(path)
