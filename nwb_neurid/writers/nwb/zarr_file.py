"""As much of h5py as is needed to read and write results, over NWB in a Zarr folder as hdmf-zarr lays it out."""

from collections.abc import Callable, Iterator, KeysView
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from nwb_neurid.readers.zarr.nodes import ATTRIBUTES, GROUP, HERE, LINKS, Files, Node
from nwb_neurid.readers.zarr.staging import Staging
from nwb_neurid.readers.zarr.writing import VERSION, array_files

TYPE, SCALAR, REFERENCE, TEXT = "zarr_dtype", "scalar", "object", "str"
INTERNAL = frozenset({TYPE, LINKS, "_ARRAY_DIMENSIONS"})


@dataclass(frozen=True, slots=True)
class ZarrReference:
    """What an attribute holds that refers to an object, as hdmf-zarr writes it.

    Parameters
    ----------
    path
        Of the object, with a leading slash.
    object_id, source_object_id
        Of the object, and of the root.
    source
        Another Zarr folder, from this one; "." for this one.
    """

    path: str
    object_id: str | None = None
    source_object_id: str | None = None
    source: str = HERE

    def as_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        names = ("object_id", "path", "source", "source_object_id")
        return {TYPE: REFERENCE, "value": {name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True, eq=False)
class ZarrAttributes:
    """Attributes of a group or a dataset, but for those that Zarr and hdmf-zarr need themselves."""

    node: Node

    def __contains__(self, name: str) -> bool:
        return name in self._plain()

    def __getitem__(self, name: str) -> Any:
        value = self._plain()[name]
        if isinstance(value, list):
            return np.array(value, dtype=object if any(isinstance(each, str) for each in value) else None)
        if isinstance(value, dict) and isinstance(value.get("value"), dict):
            names = ZarrReference.__dataclass_fields__
            return ZarrReference(**{name: found for name, found in value["value"].items() if name in names})
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, ZarrReference):
            value = value.as_json()
        elif isinstance(value, tuple | list | np.ndarray | np.generic):
            value = np.asarray(value, object).tolist() if isinstance(value, tuple | list) else value.tolist()
        _attribute(self.node, name, value)

    def get(self, name: str, default: Any = None) -> Any:
        """As of a mapping."""
        return self[name] if name in self._plain() else default

    def keys(self) -> KeysView[str]:
        """As of a mapping."""
        return self._plain().keys()

    def create(self, name: str, data: Any, shape: object = None, dtype: object = None) -> None:
        """As of h5py; shape and type are those of the data."""
        del shape, dtype
        self[name] = data

    def _plain(self) -> dict[str, Any]:
        return {name: value for name, value in self.node.attributes.items() if name not in INTERNAL}


@dataclass(frozen=True, slots=True, eq=False)
class ZarrDataset:
    """A dataset, as of h5py.

    Parameters
    ----------
    files, path
        Where its array is.
    """

    files: Files
    path: str

    @property
    def name(self) -> str:
        """As of h5py."""
        return f"/{self.path}"

    @property
    def attrs(self) -> ZarrAttributes:
        """As of h5py."""
        return ZarrAttributes(Node(self.files, self.path))

    @property
    def dtype(self) -> np.dtype:
        """As of h5py, which marks text."""
        found = Node(self.files, self.path).array().dtype
        return h5py.string_dtype() if found.kind == "O" else found

    @property
    def ref(self) -> ZarrReference:
        """As of h5py."""
        return _reference(self.files, self.path)

    def asstr(self) -> "ZarrDataset":
        """As of h5py; text always comes as `str`."""
        return self

    def __getitem__(self, everything: tuple[()]) -> Any:
        node = Node(self.files, self.path)
        values = node.array().read()
        if values.dtype.kind == "O":
            texts = [each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in values.flat]
            values = np.array(texts, object).reshape(values.shape)
        return values[0] if node.attributes.get(TYPE) == SCALAR else values[everything]


@dataclass(frozen=True, slots=True, eq=False)
class ZarrGroup:
    """A group, as of h5py. The root is open for writing if its files are a `Staging`.

    Parameters
    ----------
    files, path
        Where it is; "" is the root.
    """

    files: Files
    path: str = ""

    def __enter__(self) -> "ZarrGroup":
        return self

    def __exit__(self, *_: object) -> None:
        """As of h5py; nothing is open."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ZarrGroup) and (self.files.root, self.path) == (other.files.root, other.path)

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def name(self) -> str:
        """As of h5py."""
        return f"/{self.path}"

    @property
    def parent(self) -> "ZarrGroup":
        """As of h5py."""
        return ZarrGroup(self.files, self.path.rpartition("/")[0])

    @property
    def file(self) -> "ZarrGroup":
        """As of h5py: the root."""
        return ZarrGroup(self.files)

    @property
    def attrs(self) -> ZarrAttributes:
        """As of h5py."""
        return ZarrAttributes(self._node)

    @property
    def ref(self) -> ZarrReference:
        """As of h5py."""
        return _reference(self.files, self.path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._node.names())

    def __len__(self) -> int:
        return len(self._node.names())

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """As of h5py, links followed."""
        start = Node(self.files) if name.startswith("/") else self._node
        found = _item(start.at(name))
        return default if found is None else found

    def locate(self, name: str) -> "tuple[ZarrGroup | ZarrDataset | None, str]":
        """What is at this path in the folder itself, and otherwise the other folder that a link leads into."""
        node = (Node(self.files) if name.startswith("/") else self._node).at(name)
        if node is None:
            return None, ""
        if node.files is not self.files:
            return None, str(node.files.root)
        stored = (node.files.root / node.path).resolve()
        if stored.exists() and stored != node.files.root.resolve() / node.path:  # a symbolic link
            return None, str(stored)
        return _item(node), ""

    def __getitem__(self, name: "str | ZarrReference") -> Any:
        if isinstance(name, ZarrReference):
            found = _item(self._node.referred({"path": name.path, "source": name.source}))
        else:
            found = self.get(name)
        if found is None:
            raise KeyError(f"{self._node.where.rstrip('/')} has no {name}")
        return found

    def __setitem__(self, name: str, link: h5py.SoftLink) -> None:
        known = [each for each in self._node.links().values() if each["name"] != name]
        _attribute(self._node, LINKS, [*known, {"name": name, "path": str(link.path), "source": HERE}])

    def __delitem__(self, name: str) -> None:
        _staging(self.files).remove(self._path_of(name))

    def create_group(self, name: str) -> "ZarrGroup":
        """As of h5py, with the groups on the way."""
        path = ""
        for part in self._path_of(name).split("/"):
            path = f"{path}/{part}".lstrip("/")
            if not Node(self.files, path).is_group:
                _staging(self.files).create(path)
                _staging(self.files).write(f"{path}/{GROUP}", VERSION)
        return ZarrGroup(self.files, path)

    def create_dataset(
        self, name: str, data: Any, dtype: object = None, chunks: tuple[int, ...] | None = None, maxshape: object = None
    ) -> ZarrDataset:
        """As of h5py. Any dataset of Zarr can grow, and text is told by the data."""
        del dtype, maxshape
        values = np.asarray(data)
        single = values.ndim == 0
        values = values.reshape(values.shape or (1,))
        values = values.astype(object) if values.dtype.kind == "U" else values
        path, staging = self._path_of(name), _staging(self.files)
        staging.create(path)
        kind = SCALAR if single else TEXT if values.dtype.kind == "O" else values.dtype.name
        staging.write(f"{path}/{ATTRIBUTES}", {TYPE: kind})
        for file, content in array_files(values, chunks, f"{self.files.root}: /{path}"):
            staging.write(f"{path}/{file}", content)
        return ZarrDataset(self.files, path)

    def visititems(self, note: "Callable[[str, ZarrGroup | ZarrDataset], object]") -> None:
        """As of h5py: everything below, links not followed."""
        for name in self._node.names():
            path = f"{self.path}/{name}".lstrip("/")
            item = _item(Node(self.files, path)) if name not in self._node.links() else None
            if item is not None:
                note(path, item)
            if isinstance(item, ZarrGroup):
                item.visititems(note)

    @property
    def _node(self) -> Node:
        return Node(self.files, self.path)

    def _path_of(self, name: str) -> str:
        return name.strip("/") if name.startswith("/") else f"{self.path}/{name}".strip("/")


def _item(node: Node | None) -> ZarrGroup | ZarrDataset | None:
    if node is None or not (node.is_group or node.is_array):
        return None
    return ZarrGroup(node.files, node.path) if node.is_group else ZarrDataset(node.files, node.path)


def _reference(files: Files, path: str) -> ZarrReference:
    own, root = Node(files, path).attributes, Node(files).attributes
    return ZarrReference(f"/{path}", own.get("object_id"), root.get("object_id"))


def _staging(files: Files) -> Staging:
    if not isinstance(files, Staging):
        raise TypeError(f"{files.root} is open for reading")
    return files


def _attribute(node: Node, name: str, value: Any) -> None:
    known = Node(node.files, node.path).attributes
    _staging(node.files).write(f"{node.path}/{ATTRIBUTES}".lstrip("/"), {**known, name: value})
