"""The traces of ROIs in an NWB file: kind and samples of each series."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nwb_neurid.activity import TraceKind
from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.nwb.contents import Dataset, Group, invalid
from nwb_neurid.readers.nwb.table import Table

_NO_NEURONS = re.compile(r"neuropil|background|surround", re.IGNORECASE)
_DECONVOLVED = re.compile(r"deconv|event|spks|spike|inferred", re.IGNORECASE)
_DFF = re.compile(r"d(elta)?_?f_?(over_?)?f", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Responses:
    """A RoiResponseSeries: one trace for each of some rows of a PlaneSegmentation.

    Parameters
    ----------
    series
        The HDF5 group of the series.
    kind
        Kind of its values, from its name and the names of the objects that contain it; None if they are not from
        neurons (neuropil).
    """

    series: Group
    kind: TraceKind | None

    def __len__(self) -> int:
        return len(self._dataset("rois"))

    @property
    def path(self) -> str:
        """Return the path of the series in the file."""
        return self.series.path.strip("/")

    @property
    def data(self) -> Dataset:
        """Return the dataset with the samples."""
        return self._dataset("data")

    def table(self) -> Table:
        """Return the PlaneSegmentation to which the series refers.

        Raises
        ------
        InvalidSource
            If the series does not refer to a PlaneSegmentation.
        """
        rois = self._dataset("rois")
        group = rois.referred_by("table")
        if group is None:
            raise invalid(rois.where, "must refer to a table of ROIs, but does not")
        return Table(group)

    def rows(self, table: Table) -> Int64[np.ndarray, " rois"]:
        """Return the row of the table to which each trace belongs.

        Raises
        ------
        InvalidSource
            If a row does not exist, or has two traces.
        """
        rois = self._dataset("rois")
        rows = rois.integers()
        if np.any((rows < 0) | (rows >= len(table))) or len(np.unique(rows)) < len(rows):
            raise invalid(rois.where, f"must refer to the {len(table)} rows of {table.where}, to each at most once")
        return rows

    def is_transposed(self) -> bool:
        """Return whether data are stored as (rois, samples), as by early suite2p versions. This violates the schema.

        Raises
        ------
        InvalidSource
            If neither axis of the data is as long as the list of ROIs.
        """
        shape, rois = self.data.shape, len(self)
        if shape[1:] == (rois,) or (len(shape) == 1 and rois == 1):
            return False
        if len(shape) == 2 and shape[0] == rois:
            return True
        raise invalid(self.data.where, f"must have one column for each of {rois} ROIs, its shape is {shape}")

    def samples(self) -> int:
        """Return the number of samples of each trace."""
        return self.data.shape[1 if self.is_transposed() else 0]

    def blocks(self) -> Iterator[tuple[slice, slice, Float32[np.ndarray, "rois samples"]]]:
        """Yield the traces block by block: ROIs, samples, and their values in the unit of the series.

        Infinite values become NaN.

        Raises
        ------
        InvalidSource
            If the values cannot be converted to this unit.
        """
        data = self.data
        scale, offset = data.attribute("conversion"), data.attribute("offset") or 0.0
        scale = 1.0 if scale is None else scale
        if not np.isfinite([scale, offset]).all() or scale == 0:
            raise InvalidSource(
                f"{data.where} has conversion {scale:g} and offset {offset:g}, which do not give finite numbers. "
                "Correct them in the file."
            )
        for rois, samples, block in self._stored():
            with np.errstate(over="ignore", invalid="ignore"):
                values = block if (scale, offset) == (1, 0) else block * scale + offset
                values = values.astype(np.float32, order="C")
            values[np.isinf(values)] = np.nan
            yield rois, samples, values

    def _stored(self) -> Iterator[tuple[slice, slice, Shaped[np.ndarray, "rois samples"]]]:
        if len(self.data.shape) == 1:
            values = self.data.numbers()[None]
            yield slice(0, 1), slice(0, values.shape[1]), values
            return
        transposed = self.is_transposed()
        for rows, columns, block in self.data.blocks():
            yield (rows, columns, block) if transposed else (columns, rows, block.T)

    def _dataset(self, name: str) -> Dataset:
        dataset = self.series.dataset(name)
        if dataset is None:
            raise invalid(self.series.where, f"has no {name}")
        return dataset


def roi_responses(file: Group) -> list[Responses]:
    """Find all series of traces in processing modules and in acquisition.

    They are recognised by their `rois`, because extensions define their own types (such as Allen's
    OphysEventDetection).
    """
    acquisition = file.group("acquisition")
    places = [*([] if acquisition is None else [acquisition]), *file.groups("processing")]
    return [
        Responses(series=item, kind=_kind(words))
        for place in places
        for item, words in _below(place)
        if item.dataset("rois") is not None
    ]


def _below(group: Group, words: str = "", levels: int = 2) -> Iterator[tuple[Group, str]]:
    """Yield the groups within a group, with the names and types of the objects that contain each of them."""
    for item in group.groups():
        trail = f"{words} {item.path.rpartition('/')[2]} {item.attribute('neurodata_type')}"
        yield item, trail
        if levels > 1 and all(item.dataset(name) is None for name in ("data", "id")):  # neither a series nor a table
            yield from _below(item, trail, levels - 1)


def _kind(words: str) -> TraceKind | None:
    if _NO_NEURONS.search(words):
        return None
    if _DECONVOLVED.search(words):
        return "deconvolved"
    return "dff" if _DFF.search(words) else "fluorescence"
