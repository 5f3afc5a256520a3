"""Groups and arrays in a Zarr folder in the layout of hdmf-zarr, with its links and references."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nwb_neurid.readers.zarr.arrays import is_there, load_json, reading

GROUP, ARRAY, ATTRIBUTES = ".zgroup", ".zarray", ".zattrs"
LINKS = "zarr_link"
HERE = "."
MOST_LINKS = 16  # maximum number of links that are followed, one after another


@dataclass(frozen=True, eq=False)
class Node:
    """A group or an array.

    Parameters
    ----------
    root
        The Zarr folder.
    path
        Its path, without a leading slash; "" for the root.
    """

    root: Path
    path: str = ""

    @property
    def where(self) -> str:
        """Return the folder and the path in it, for messages."""
        return f"{self.root}: /{self.path}"

    @property
    def name(self) -> str:
        """Return the last part of the path."""
        return self.path.rpartition("/")[2]

    def file(self, name: str) -> Path:
        """Return the path of a metadata file, which need not exist."""
        return self.root / self.path / name

    @property
    def is_group(self) -> bool:
        """Return whether the node is a group."""
        return is_there(self.file(GROUP), self.where)

    @property
    def is_array(self) -> bool:
        """Return whether the node is an array."""
        return is_there(self.file(ARRAY), self.where)

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """Return the attributes as JSON values.

        Raises
        ------
        UnreadableSource
            If they are damaged.
        """
        return load_json(self.file(ATTRIBUTES), self.where)

    def links(self) -> dict[str, Mapping[str, Any]]:
        """Return the links in a group, by their names."""
        with reading(self.where):
            return {str(link["name"]): link for link in self.attributes.get(LINKS, ())}

    def names(self) -> list[str]:
        """Return the names of the members of a group, including links."""
        folder = self.root / self.path
        with reading(self.where):
            names = sorted(each.name for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []
        inside = [Node(self.root, f"{self.path}/{name}".lstrip("/")) for name in names]
        return sorted({node.name for node in inside if node.is_group or node.is_array} | self.links().keys())

    def at(self, path: str, *, links: int = MOST_LINKS) -> "Node | None":
        """Return the node at a path below this node, with links resolved, or None if nothing is there."""
        node: Node | None = self
        for name in filter(None, path.split("/")):
            node = None if node is None else node._child(name, links)
        return node

    def referred(self, reference: Any, *, links: int = MOST_LINKS) -> "Node | None":
        """Return the target of a link or a reference, or None if there is no target."""
        if not isinstance(reference, dict) or links == 0:
            return None
        source, path = reference.get("source"), reference.get("path")
        if not isinstance(path, str):
            return None
        root = self.root
        if isinstance(source, str) and source != HERE:  # another Zarr folder, relative to this one
            root = (root / source).resolve()
        return Node(root).at(path, links=links - 1)

    def _child(self, name: str, links: int) -> "Node | None":
        if name in {".", ".."} or "\\" in name or "\0" in name:
            return None
        node = Node(self.root, f"{self.path}/{name}".lstrip("/"))
        with reading(node.where):
            if node.is_group or node.is_array:
                return node
        link = self.links().get(name)
        return None if link is None else self.referred(link, links=links)
