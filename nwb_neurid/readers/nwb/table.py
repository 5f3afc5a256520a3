"""A DynamicTable of an NWB file, read in columns."""

from dataclasses import dataclass

import h5py
import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.errors import InvalidSource

UNKNOWN = frozenset({"", "[]", "-", "?", "n/a", "nan", "none", "null", "root", "undefined", "unknown", "void"})


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A DynamicTable (hdmf-common 1.x) by columns.

    Parameters
    ----------
    group
        Its HDF5 group.
    """

    group: h5py.Group

    def __len__(self) -> int:
        return len(self.group["id"]) if "id" in self.group else 0

    def __contains__(self, name: str) -> bool:
        return isinstance(self.group.get(name), h5py.Dataset)

    @property
    def where(self) -> str:
        """The file and the path in it, for messages."""
        return f"{self.group.file.filename}: {self.group.name}"

    def ids(self) -> Int64[np.ndarray, " rows"]:
        """The `id` column. An id is no address: it may start anywhere and repeat."""
        return np.asarray(self.group["id"][:], np.int64)

    def names(self) -> list[str]:
        """Its columns, without the index columns of ragged ones."""
        return [name for name in self.group if name in self and name != "id" and not name.endswith("_index")]

    def is_ragged(self, name: str) -> bool:
        """Whether a column has a varying number of elements in a row."""
        return f"{name}_index" in self

    def is_text(self, name: str) -> bool:
        """Whether a column holds text."""
        return h5py.check_string_dtype(self.group[name].dtype) is not None

    def column(self, name: str) -> Shaped[np.ndarray, "rows ..."]:
        """A column with one element per row, text decoded; (rows, 1) comes as (rows,).

        Raises
        ------
        InvalidSource
            If it has not one element per row.
        """
        dataset = self.group[name]
        values = np.asarray(dataset.asstr(errors="replace")[:] if self.is_text(name) else dataset[:])
        if len(values) != len(self):
            raise InvalidSource(f"{self.where}/{name} must have {len(self)} rows, as id has, got {len(values)}.")
        return values.reshape(len(values)) if values.shape[1:] == (1,) else values

    def labels(self, name: str) -> Shaped[np.ndarray, " rows"]:
        """A text column with everything that means "not known" as ""."""
        return known(self.column(name))

    def splits(self, name: str) -> Int64[np.ndarray, " rows_and_one"]:
        """Where the rows of a ragged column begin, and its end.

        Raises
        ------
        InvalidSource
            If the index column does not ascend to the length of the data.
        """
        if not self.is_ragged(name):
            return np.arange(len(self) + 1, dtype=np.int64)
        ends = np.asarray(self.group[f"{name}_index"][:]).astype(np.int64)  # stored in the smallest uint
        splits = np.r_[0, ends]
        if len(ends) != len(self) or np.any(np.diff(splits) < 0) or splits[-1] > len(self.group[name]):
            raise InvalidSource(
                f"{self.where}/{name}_index must hold {len(self)} ascending ends within {len(self.group[name])} "
                f"elements, got {len(ends)} up to {ends.max(initial=0)}."
            )
        return splits

    def referred(self, name: str) -> Shaped[np.ndarray, " rows"]:
        """A column of object references, as the names of the objects."""
        references = self.column(name)
        names = {ref: self.group.file[ref].name.rsplit("/", 1)[-1] if ref else "" for ref in set(references)}
        return np.array([names[ref] for ref in references], dtype=np.str_)


def known(values: Shaped[np.ndarray, " rows"]) -> Shaped[np.ndarray, " rows"]:
    """Text with "" for everything that means "not known"."""
    return np.array(["" if str(value).strip().lower() in UNKNOWN else str(value).strip() for value in values], np.str_)
