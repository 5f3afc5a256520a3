"""What a format of NWB files gives of groups and datasets, for `nwb_neurid.readers.nwb.contents` to be made of."""

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
        """Its length along each axis; () for a single value."""

    def chunk(self) -> tuple[int, ...] | None:
        """The shape of the pieces that it is stored in; None where it is in one."""

    def holding(self) -> Holding:
        """The kind of its values. Booleans count as numbers, but complex numbers do not."""

    def record_type(self) -> np.dtype:
        """The type of its records."""

    def check_readable(self) -> None:
        """Refuse what lies outside the folder, cannot be unpacked here, or claims more than its bytes can hold."""

    def values(self, rows: Rows) -> Shaped[np.ndarray, "..."]:
        """The numbers or records in these rows, or all."""

    def texts(self) -> Shaped[np.ndarray, "..."]:
        """Its texts, as objects."""

    def referred(self) -> list[str]:
        """Paths of the objects that its references lead to, "" for none."""

    def attribute(self, name: str) -> object:
        """An attribute as it comes; None where it is not there."""

    def referred_by(self, name: str) -> "StoredGroup | None":
        """The group that an attribute refers to; None where it refers to none."""


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
        """The dataset at this path; None where there is none."""

    def group(self, path: str) -> "StoredGroup | None":
        """The group at this path; None where there is none."""

    def names(self) -> list[str]:
        """What is in it."""

    def attribute(self, name: str) -> object:
        """An attribute as it comes; None where it is not there."""

    def name_of(self, path: str) -> str:
        """What the object at this path is called; for a link, where it leads."""
