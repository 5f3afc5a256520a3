"""Groups and datasets of an NWB file in Zarr, in the layout of hdmf-zarr."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.readers.expansion import damaged
from nwb_neurid.readers.nwb.contents import Dataset, Group, Holding, Rows
from nwb_neurid.readers.pickles import UNPICKLING_ERRORS, NotAdmitted, load_objects
from nwb_neurid.readers.zarr.arrays import Array
from nwb_neurid.readers.zarr.nodes import Node

TYPE = "zarr_dtype"
SCALAR, REFERENCES = "scalar", "object"


def root(folder: Path) -> Group:
    """Return the root of a Zarr folder."""
    return ZarrGroup.of(Node(folder), str(folder))


def _unpickled(data: bytes) -> list[Any]:
    """Load the objects of a pickled chunk, in which hdmf-zarr stores references. No code in it is run."""
    try:
        return load_objects(data)
    except NotAdmitted as error:
        raise ValueError(f"it refers to {str(error)[:100]!r}, which could run code") from None
    except UNPICKLING_ERRORS as error:
        raise ValueError(f"a pickle in it is damaged ({type(error).__name__})") from error


@dataclass(frozen=True, eq=False)
class ZarrDataset(Dataset):
    """A dataset of a Zarr folder.

    Parameters
    ----------
    node
        An array.
    file
        Path of the folder, for messages.
    where
        The folder and the path in it, for messages.
    """

    node: Node
    file: str
    where: str

    @cached_property
    def _array(self) -> Array:
        return Array.at(self.node.root / self.node.path, self.node.where)

    @property
    def shape(self) -> tuple[int, ...]:
        """Same as in `Dataset`. Zarr stores a single value as an array with one element."""
        return () if self._is_scalar else self._array.shape

    def chunk(self) -> tuple[int, ...] | None:
        """Same as in `Dataset`."""
        return self._array.chunks or None

    def holding(self) -> Holding:
        """Same as in `Dataset`.

        Both texts and references are stored as objects, and an attribute distinguishes them.
        """
        dtype = self._array.dtype
        if dtype.names:
            return "records" if not dtype.hasobject else "else"
        if dtype.kind == "O":
            return "references" if self.node.attributes.get(TYPE) == REFERENCES else "text"
        return "numbers" if dtype.kind in "biuf" else "text" if dtype.kind in "SU" else "else"

    def _values(self, rows: Rows) -> Shaped[np.ndarray, "..."]:
        found = self._array.read(rows)
        return found.reshape(()) if rows is None and self._is_scalar else found

    def _texts(self) -> Shaped[np.ndarray, "..."]:
        found = self._array.read(unpickle=_unpickled)
        texts = np.empty(found.size, object)
        texts[:] = [each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in found.flat]
        return texts.reshape(self.shape)

    def _targets(self) -> list[str]:
        paths = []
        for reference in self._array.read(unpickle=_unpickled).flat:
            node = self.node.referred(reference)
            if node is None and isinstance(reference, dict) and reference.get("path"):
                raise damaged(self.where, f"it refers to {str(reference['path'])[:100]!r}, which is not there")
            paths.append("" if node is None else f"/{node.path}")
        return paths

    def raw_attribute(self, name: str) -> object:
        """Same as in `Dataset`."""
        return self.node.attributes.get(name)

    def referred_by(self, name: str) -> "ZarrGroup | None":
        """Same as in `Dataset`."""
        value = self.node.attributes.get(name)
        node = self.node.referred(value.get("value")) if isinstance(value, dict) else None
        return ZarrGroup.of(node, self.file) if node is not None and node.is_group else None

    def check_readable(self) -> None:
        """Same as in `Dataset`."""
        self._array.check_readable(pickled=True)

    @property
    def _is_scalar(self) -> bool:
        return self._array.shape == (1,) and self.node.attributes.get(TYPE) == SCALAR


@dataclass(frozen=True, eq=False)
class ZarrGroup(Group):
    """A group of a Zarr folder.

    Parameters
    ----------
    node
        A group.
    file
        Path of the folder, for messages.
    path
        Path of the group in it; "" for the root.
    """

    node: Node
    file: str
    path: str

    @classmethod
    def of(cls, node: Node, file: str) -> "ZarrGroup":
        """Make a group of a node."""
        return cls(node, file, f"/{node.path}" if node.path else "")

    def dataset(self, path: str) -> ZarrDataset | None:
        """Same as in `Group`."""
        node = self.node.at(path)
        return ZarrDataset(node, self.file, self.place(path)) if node is not None and node.is_array else None

    def group(self, path: str) -> "ZarrGroup | None":
        """Same as in `Group`."""
        node = self.node.at(path)
        return ZarrGroup.of(node, self.file) if node is not None and node.is_group else None

    def names(self) -> list[str]:
        """Same as in `Group`."""
        return self.node.names()

    def raw_attribute(self, name: str) -> object:
        """Same as in `Group`."""
        return self.node.attributes.get(name)

    def name_of(self, path: str) -> str:
        """Same as in `Group`."""
        node = self.node.at(path)
        return (path if node is None else node.path).rpartition("/")[2]
