"""A DynamicTable of an NWB file, read in columns."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from nwb_neurid.readers.nwb.contents import Dataset, Group, invalid
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.vocabulary import is_unknown

PREDICTED = '\nndx-neurid {"results"'
"""Part of the description of predictions that this package wrote (see docs/reference/format.md). Predictions are not
known labels. The package also writes labels of the user, which are known. Their descriptions contain another mark.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A DynamicTable (hdmf-common 1.x) by columns.

    `InvalidSource` is raised for a column that does not have one element per row, or is not of the requested type.

    Parameters
    ----------
    group
        The group of the table.
    """

    group: Group
    _known: dict[str, Dataset | None] = field(default_factory=dict, repr=False)  # the lookup of a column is slow

    def __len__(self) -> int:
        return len(self.dataset("id"))

    def __contains__(self, name: str) -> bool:
        return self._dataset(name) is not None

    @property
    def where(self) -> str:
        """Return the file and the path in it, for messages."""
        return self.group.where

    def dataset(self, name: str) -> Dataset:
        """Return the dataset of a column, or that of the elements of a ragged column.

        Raises
        ------
        InvalidSource
            If there is no such column.
        """
        dataset = self._dataset(name)
        if dataset is None:
            raise invalid(self.where, f"has no column {name}")
        return dataset

    def names(self) -> list[str]:
        """List the columns, without the index columns of ragged columns."""
        names = {name for name in self.group.names() if name in self}
        return sorted(names - {"id"} - {f"{name}_index" for name in names})

    def is_ragged(self, name: str) -> bool:
        """Return whether a column has a varying number of elements per row."""
        return f"{name}_index" in self

    def is_text(self, name: str) -> bool:
        """Return whether there is a column of this name with one text in each row."""
        if name not in self or self.is_ragged(name):
            return False
        dataset = self.dataset(name)
        return dataset.is_text and dataset.shape[1:] in {(), (1,)} and dataset.shape != ()

    def is_number(self, name: str) -> bool:
        """Return whether there is a column of this name with one number in each row."""
        if name not in self or self.is_ragged(name):
            return False
        dataset = self.dataset(name)
        return dataset.is_number and dataset.shape in {(len(self),), (len(self), 1)}

    def numbers(self, name: str) -> Shaped[np.ndarray, " rows"]:
        """Return a column of numbers, as they are stored. Shape (rows, 1) becomes (rows,)."""
        return self._one_per_row(name).column()

    def integers(self, name: str, missing: int | None = None) -> Int64[np.ndarray, " rows"]:
        """Return a column of whole numbers of any stored type. NaN becomes `missing` if it is given."""
        return self._one_per_row(name).integers(missing=missing)

    @property
    def has_spans(self) -> bool:
        """Return whether the rows are intervals of time."""
        return "start_time" in self and "stop_time" in self

    def spans_s(self) -> Float64[np.ndarray, "rows 2"]:
        """Return the start and the stop of each row, in seconds.

        Raises
        ------
        InvalidSource, UnreadableSource
            As for `numbers`.
        """
        return np.column_stack([self.numbers("start_time"), self.numbers("stop_time")]).astype(np.float64)

    def ids(self) -> Int64[np.ndarray, " rows"]:
        """Return the `id` column. Ids do not identify rows, because they may start at any number and may repeat."""
        return self.integers("id")

    def texts(self, name: str) -> Shaped[np.ndarray, " rows"]:
        """Return a column of text."""
        return self._one_per_row(name).texts().ravel().astype(np.str_)

    def description(self, name: str) -> str:
        """Return the description of a column in the file, or "" if there is none."""
        return self.dataset(name).text_attribute("description") or ""

    def labels(self, name: str) -> Shaped[np.ndarray, " rows"]:
        """Return a column of text. Values that mean "not known" become ""."""
        texts = [text.strip() for text in self.texts(name).tolist()]
        return np.array(["" if is_unknown(text) else text for text in texts], np.str_)

    def known_texts(self, omissions: Omissions) -> dict[str, list[str]]:
        """Return every column of text that can be read, by its name, except predictions that this package wrote."""
        columns = {name: omissions.attempt(partial(self._known_texts, name), None) for name in self.names()}
        return {name: texts for name, texts in columns.items() if texts is not None}

    def referred(self, name: str) -> Shaped[np.ndarray, " rows"]:
        """Return the names of the objects to which a column of references points."""
        return np.array(self._one_per_row(name).referred(), np.str_)

    def splits(self, name: str) -> Int64[np.ndarray, " rows_and_one"]:
        """Return the index at which each row of a ragged column begins, and at which the last row ends.

        Raises
        ------
        InvalidSource
            If the index column does not ascend to the number of elements, so that some elements belong to no row.
        """
        elements = len(self.dataset(name))
        if self.is_ragged(name):
            splits = np.r_[0, self.integers(f"{name}_index")]
        elif elements == len(self):
            splits = np.arange(elements + 1)
        else:
            raise invalid(f"{self.where}/{name}", f"must have {len(self)} rows, it has {elements}")
        if np.any(np.diff(splits) < 0) or splits[-1] != elements:
            raise invalid(
                f"{self.where}/{name}_index",
                f"must increase from 0 to the {elements} elements of {name}, but its largest value is "
                f"{splits.max()} and its last {splits[-1]}: the values may have overflowed their type",
            )
        return splits

    def _known_texts(self, name: str) -> list[str] | None:
        is_known = self.is_text(name) and PREDICTED not in self.description(name)
        return self.texts(name).tolist() if is_known else None

    def _dataset(self, name: str) -> Dataset | None:
        if name not in self._known:
            self._known[name] = self.group.dataset(name)
        return self._known[name]

    def _one_per_row(self, name: str) -> Dataset:
        dataset = self.dataset(name)
        if dataset.shape not in {(len(self),), (len(self), 1)}:
            raise invalid(
                f"{self.where}/{name}",
                f"must have one element for each of {len(self)} rows, its shape is {dataset.shape}",
            )
        return dataset
