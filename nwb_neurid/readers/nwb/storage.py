"""The interface that each storage format of NWB files implements, and on which `contents` is built."""

from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Int64, Shaped

Rows: TypeAlias = slice | Int64[np.ndarray, " rows"] | tuple[slice, slice] | None  # ascending, or None for all
Holding: TypeAlias = Literal["numbers", "text", "references", "records", "else"]


@runtime_checkable
class StoredDataset(Protocol):
    """A dataset, in HDF5 or Zarr. Every method raises `UnreadableSource` if the file is damaged."""

    @property
    def where(self) -> str:
        """The file and the path in it, for messages."""

    def lengths(self) -> tuple[int, ...]:
        """Its shape; () for a single value."""

    def chunk(self) -> tuple[int, ...] | None:
        """The shape of its chunks; None if it is not chunked."""

    def holding(self) -> Holding:
        """The kind of its values. Booleans count as numbers, but complex numbers do not."""

    def record_type(self) -> np.dtype:
        """The type of its records."""

    def check_readable(self) -> None:
        """Refuse data that lie outside the folder, cannot be decoded here, or cannot have the size that is stated."""

    def values(self, rows: Rows) -> Shaped[np.ndarray, "..."]:
        """The numbers or records in these rows, or in all rows."""

    def texts(self) -> Shaped[np.ndarray, "..."]:
        """Its texts, as objects."""

    def referred(self) -> list[str]:
        """Paths of the objects to which its references point; "" for a reference without a target."""

    def attribute(self, name: str) -> object:
        """The value of an attribute, unconverted; None if it does not exist."""

    def referred_by(self, name: str) -> "StoredGroup | None":
        """The group to which an attribute refers; None if there is no such reference."""


@runtime_checkable
class StoredGroup(Protocol):
    """A group, in HDF5 or Zarr. It raises the same errors as `StoredDataset`. Links without a target are ignored."""

    @property
    def file(self) -> str:
        """Path of the file, for messages."""

    @property
    def path(self) -> str:
        """Path of the group in it; "" for the root."""

    def dataset(self, path: str) -> StoredDataset | None:
        """The dataset at this path; None if there is none."""

    def group(self, path: str) -> "StoredGroup | None":
        """The group at this path; None if there is none."""

    def names(self) -> list[str]:
        """Names of its members."""

    def attribute(self, name: str) -> object:
        """The value of an attribute, unconverted; None if it does not exist."""

    def name_of(self, path: str) -> str:
        """The name of the object at this path; for a link, the name of its target."""
