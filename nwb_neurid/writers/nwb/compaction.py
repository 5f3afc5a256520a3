"""A file without its holes: HDF5 does not give back the room of what was removed, so the rest is copied.

HDF5 copies objects, also between files, but not what references lead to: they are set again, by the names of their
targets. The copy is compared with the file, object by object, before it is used.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nwb_neurid.writers.nwb.overlay import Overlay

BLOCK_ELEMENTS = 2**22  # of a dataset, compared at a time
COPIED = "neurid copied"


def compact(overlay: Overlay, copy: Path) -> bool:
    """Write everything that can be reached in the file to `copy`; False, and `copy` is useless, where that fails."""
    with suppress(OSError, RuntimeError, KeyError, ValueError, TypeError):
        with h5py.File(overlay, "r") as file:
            plist = file.id.get_create_plist()
            if plist.get_userblock():
                return False
            with h5py.File(h5py.h5f.create(bytes(copy), h5py.h5f.ACC_TRUNC, fcpl=plist)) as new:
                _copy(file, new)
        with h5py.File(overlay, "r") as file, h5py.File(copy, "r") as new:
            return same(file, new)
    return False


def same(file: h5py.File, other: h5py.File) -> bool:
    """Whether two files hold the same objects, links, attributes and data; references, if they lead to one place."""
    places, other_places = _places(file), _places(other)
    return places.keys() == other_places.keys() and all(
        _same_item(item, other_places[name]) for name, item in places.items()
    )


def _copy(file: h5py.File, new: h5py.File) -> None:
    h5py.h5o.copy(file.id, b"/", new.id, COPIED.encode())
    copied = new[COPIED]
    for name in list(copied):
        new.move(f"{copied.name}/{name}", f"/{name}")
    for name in copied.attrs:
        value = copied.attrs.get_id(name)
        new.attrs.create(name, copied.attrs[name], value.shape, value.dtype)
    del new[COPIED]
    for name, item in _places(file).items():
        if not isinstance(item, tuple):
            _set_references(item, new[name])


def _set_references(item: h5py.HLObject, new: h5py.HLObject) -> None:
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        if _refers(attribute.dtype):
            value = np.asarray(item.attrs[name], attribute.dtype)
            new.attrs.create(name, _led(value, item.file, new.file)[()], attribute.shape, attribute.dtype)
    if isinstance(item, h5py.Dataset) and _refers(item.dtype) and item.size:
        new[()] = _led(np.asarray(item[()], item.dtype), item.file, new.file)


def _refers(dtype: np.dtype) -> bool:
    """Whether there are references to objects; what else leads elsewhere cannot be copied."""
    if h5py.check_ref_dtype(dtype) is h5py.RegionReference:
        raise TypeError("references to regions")
    inner = h5py.check_vlen_dtype(dtype)
    if isinstance(inner, np.dtype) and _refers(inner):
        raise TypeError("lists of references")
    return h5py.check_ref_dtype(dtype) is not None or any(_refers(dtype[name]) for name in dtype.names or ())


def _led(values: np.ndarray, file: h5py.File, new: h5py.File) -> np.ndarray:
    """The same values, with references to what has the same name in the new file."""
    led = values.copy()
    if values.dtype.names:
        for name in values.dtype.names:
            if _refers(values.dtype[name]):
                led[name] = _led(values[name], file, new)
        return led
    for index in np.ndindex(values.shape):
        if reference := values[index]:
            led[index] = new[_name(reference, file)].ref
    return led


def _name(reference: h5py.Reference, file: h5py.File) -> str:
    name = file[reference].name
    if name is None:
        raise ValueError("a reference to what has no name")
    return str(name)


def _places(file: h5py.File) -> dict[str, Any]:
    """Every object by its path, one that several links lead to by the first; and the links that are no objects."""
    found: dict[str, Any] = {"/": file}
    seen = {_address(file)}
    groups: list[h5py.Group] = [file]
    while groups:
        group = groups.pop()
        for name in sorted(group):
            path = f"{'' if group.name == '/' else group.name}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                found[path] = (type(link).__name__, getattr(link, "filename", ""), link.path)
                continue
            item = group[name]
            if (address := _address(item)) in seen:
                found[path] = ("known",)
                continue
            seen.add(address)
            found[path] = item
            if isinstance(item, h5py.Group):
                groups.append(item)
    return found


def _address(item: h5py.HLObject) -> object:
    return h5py.h5o.get_info(item.id).addr


def _same_item(item: Any, other: Any) -> bool:
    if isinstance(item, tuple) or type(item) is not type(other):
        return item == other
    if item.attrs.keys() != other.attrs.keys() or not all(_same_attribute(item, other, key) for key in item.attrs):
        return False
    if isinstance(item, h5py.Datatype):
        return item.dtype == other.dtype
    return not isinstance(item, h5py.Dataset) or _same_data(item, other)


def _same_attribute(item: h5py.HLObject, other: h5py.HLObject, key: str) -> bool:
    one, two = item.attrs.get_id(key), other.attrs.get_id(key)
    values = (_plain(item.attrs[key], item.file), _plain(other.attrs[key], other.file))
    return (one.shape, one.dtype) == (two.shape, two.dtype) and values[0] == values[1]


def _same_data(item: h5py.Dataset, other: h5py.Dataset) -> bool:
    shapes = [(found.shape, found.dtype, found.maxshape, found.chunks, found.compression) for found in (item, other)]
    if shapes[0] != shapes[1]:
        return False
    if not item.shape:
        return bool(item.shape is None or _plain(item[()], item.file) == _plain(other[()], other.file))
    return all(_plain(item[part], item.file) == _plain(other[part], other.file) for part in _blocks(item))


def _blocks(item: h5py.Dataset) -> Iterator[tuple[slice, ...]]:
    """Parts of a dataset that fit into memory: rows of whole chunks, and of wide ones a part."""
    steps, room = [], BLOCK_ELEMENTS
    chunks = item.chunks or (1,) * item.ndim
    for length, chunk in zip(reversed(item.shape), reversed(chunks), strict=True):
        step = max(chunk, min(length, room) // chunk * chunk)
        steps.append(step)
        room = max(1, room // step)
    starts = [range(0, length, step) for length, step in zip(item.shape, reversed(steps), strict=True)]
    for corner in product(*starts):
        yield tuple(slice(start, start + step) for start, step in zip(corner, reversed(steps), strict=True))


def _plain(value: Any, file: h5py.File) -> object:
    """A value that can be compared: numbers as their bytes, references as the names of their targets."""
    if isinstance(value, h5py.Reference):
        return _name(value, file) if value else None
    if isinstance(value, np.ndarray | np.void) and value.dtype.names:
        return [_plain(value[name], file) for name in value.dtype.names]
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_plain(each, file) for each in value.ravel()]
    return value.tobytes() if isinstance(value, np.ndarray | np.generic) else value
