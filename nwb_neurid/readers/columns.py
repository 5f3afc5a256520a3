"""Properties of units or intervals, in columns with one text or number per row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.readers.labels import is_number

Column: TypeAlias = Shaped[np.ndarray, " rows"]


@runtime_checkable
class Columns(Protocol):
    """Columns with names. One of them is `id`."""

    def __len__(self) -> int: ...

    @property
    def where(self) -> str:
        """Return the place of the columns in the source, for messages."""

    def names(self) -> list[str]:
        """Return the names of the columns, except `id`."""

    def is_text(self, name: str) -> bool:
        """Return whether there is a column of this name with one text in each row."""

    def is_number(self, name: str) -> bool:
        """Return whether there is a column of this name with one number in each row."""

    def texts(self, name: str) -> Column:
        """Return a column of text."""

    def numbers(self, name: str) -> Column:
        """Return a column of numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitColumns:
    """`Columns` of a source other than a table of NWB.

    Parameters
    ----------
    where
        The place of the columns in the source, for messages: the path.
    values
        Texts or numbers by name, each of shape (rows,).
    """

    where: str
    values: Mapping[str, Column]

    @classmethod
    def of(
        cls, where: str, unit_ids: Shaped[np.ndarray, " units"], columns: Mapping[str, Sequence[object]]
    ) -> "UnitColumns":
        """Make columns from values of any type, one per unit. Text that consists of numbers becomes numbers."""
        values = {name: column for name, own in columns.items() if (column := _column(own)) is not None}
        return cls(where, {**values, "id": unit_ids.astype(np.str_) if unit_ids.dtype.kind not in "iuf" else unit_ids})

    def __len__(self) -> int:
        return len(self.values["id"])

    def names(self) -> list[str]:
        """Return the names of the columns, except `id`."""
        return sorted(self.values.keys() - {"id"})

    def is_text(self, name: str) -> bool:
        """Same as in `Columns`."""
        return name in self.values and self.values[name].dtype.kind == "U"

    def is_number(self, name: str) -> bool:
        """Same as in `Columns`."""
        return name in self.values and self.values[name].dtype.kind in "biuf"

    def texts(self, name: str) -> Column:
        """Same as in `Columns`."""
        return self.values[name]

    def numbers(self, name: str) -> Column:
        """Same as in `Columns`."""
        return self.values[name]


def _column(values: Sequence[object]) -> Column | None:
    """Convert values to texts or numbers. Return None if they are neither."""
    if all(isinstance(value, str) for value in values):
        texts = [str(value).strip() for value in values]
        if any(texts) and all(is_number(text) for text in texts if text):
            return np.array([float(text) if text else np.nan for text in texts], np.float64)
        return np.array(texts, np.str_)
    if all(isinstance(value, bool | int | float | np.number | np.bool_) for value in values):
        return np.array(values)
    return None
