"""Copy a file without some results, and without the unused space that HDF5 leaves when something is removed.

HDF5 copies objects between files, but copied references no longer refer to their targets. References are therefore
set again, by the names of their targets. The copy is then compared with the original file, object by object.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from nwb_neurid.errors import CannotWrite
from nwb_neurid.writers.nwb import layout
from nwb_neurid.writers.nwb.copying import copy_file
from nwb_neurid.writers.nwb.links import name_data_files
from nwb_neurid.writers.nwb.own import find_own_results, list_columns, remove_results

BLOCK_ELEMENTS = 2**22  # number of elements of a dataset that are compared at once


def copy_without(source: Path, copy: Path, name: str) -> bool:
    """Copy a file without some results. Return False if their disk space cannot be freed.

    Parameters
    ----------
    source
        The file.
    copy
        Path of the copy, which must not exist.
    name
        Name of the results.

    Raises
    ------
    OSError
        If the operating system refuses.
    """
    with suppress(OSError, RuntimeError, KeyError, ValueError, TypeError):
        if _copy_rest(source, copy, name):
            return True
    copy.unlink(missing_ok=True)
    copy_file(source, copy, 0)
    with h5py.File(copy, "r+") as file:
        others = find_own_results(file).keys() - {name}
        remove_results(file, name)
    with h5py.File(copy, "r") as file:
        if find_own_results(file).keys() != others:
            raise CannotWrite(
                f"{source} was not changed: without {name}, the rest of the file could not be read back unchanged."
            )
    return False


def are_same(
    file: h5py.File, other: h5py.File, *, without: Set[str] = frozenset(), renamed: Set[str] = frozenset()
) -> bool:
    """Return whether two files have the same objects, links, attributes and data.

    References must have the same targets.

    Parameters
    ----------
    file, other
        The files.
    without
        Paths in the first file that are not compared.
    renamed
        Paths of tables whose list of columns is not compared.
    """
    places, other_places = _list_places(file, without), _list_places(other)
    return places.keys() == other_places.keys() and all(
        _is_same_item(item, other_places[name], {"colnames"} if name in renamed else frozenset())
        for name, item in places.items()
    )


def _copy_rest(source: Path, copy: Path, name: str) -> bool:
    """Copy all other objects one by one. Return whether this worked."""
    with h5py.File(source, "r") as file:
        plist = file.id.get_create_plist()
        if plist.get_userblock() or name_data_files(file):
            return False
        objects = {str(group.name) for group in find_own_results(file)[name]}
        columns = list_columns(file, name)
        without = objects | {f"{place}/{column}" for place, names in columns.items() for column in names}
        without |= set(layout.list_traces(file, objects))
        kept = {
            place: [each for each in layout.list_columns(file[place]) if each not in names]
            for place, names in columns.items()
            if names
        }
        with h5py.File(h5py.h5f.create(bytes(copy), h5py.h5f.ACC_TRUNC, fcpl=plist)) as new:
            _copy_attributes(file, new, kept)
            _copy_group(file, new, without, kept)
            for place, item in _list_places(file, without).items():
                if not isinstance(item, tuple):
                    _set_references(item, new[place])
        with h5py.File(copy, "r") as new:
            named = all(layout.list_columns(new[place]) == names for place, names in kept.items())
            return named and are_same(file, new, without=without, renamed=kept.keys())


def _copy_group(group: h5py.Group, new: h5py.Group, without: Set[str], columns: Mapping[str, Sequence[str]]) -> None:
    """Copy all members of a group except some paths."""
    for name in group:
        path = _join(group, name)
        if path in without:
            continue
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            new[name] = link
        elif any(each.startswith(f"{path}/") for each in without):
            plist = group[name].id.get_create_plist()
            inner = h5py.Group(h5py.h5g.create(new.id, name.encode(), gcpl=plist))
            _copy_attributes(group[name], inner, columns)
            _copy_group(group[name], inner, without, columns)
        else:
            h5py.h5o.copy(group.id, name.encode(), new.id, name.encode())


def _copy_attributes(item: h5py.Group, new: h5py.Group, columns: Mapping[str, Sequence[str]]) -> None:
    """Copy the attributes of a group. A table may have fewer columns than before."""
    for name in item.attrs:
        if name == "colnames" and item.name in columns:
            layout.name_columns(new, columns[str(item.name)], like=item)
            continue
        value = item.attrs.get_id(name)
        new.attrs.create(name, item.attrs[name], value.shape, value.dtype)


def _join(group: h5py.Group, name: str) -> str:
    return f"{str(group.name).rstrip('/')}/{name}"


def _set_references(item: h5py.HLObject, new: h5py.HLObject) -> None:
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        if _is_reference(attribute.dtype):
            value = np.asarray(item.attrs[name], attribute.dtype)
            new.attrs.create(name, _lead_to(value, item.file, new.file)[()], attribute.shape, attribute.dtype)
    if isinstance(item, h5py.Dataset) and _is_reference(item.dtype) and item.size:
        new[()] = _lead_to(np.asarray(item[()], item.dtype), item.file, new.file)


def _is_reference(dtype: np.dtype) -> bool:
    """Return whether values are object references. Other kinds of references cannot be copied."""
    if h5py.check_ref_dtype(dtype) is h5py.RegionReference:
        raise TypeError("references to regions")
    inner = h5py.check_vlen_dtype(dtype)
    if isinstance(inner, np.dtype) and _is_reference(inner):
        raise TypeError("lists of references")
    return h5py.check_ref_dtype(dtype) is not None or any(_is_reference(dtype[name]) for name in dtype.names or ())


def _lead_to(values: np.ndarray, file: h5py.File, new: h5py.File) -> np.ndarray:
    """Return the values with each reference replaced by a reference to the object of the same name in the new file."""
    led = values.copy()
    if values.dtype.names:
        for name in values.dtype.names:
            if _is_reference(values.dtype[name]):
                led[name] = _lead_to(values[name], file, new)
        return led
    for index in np.ndindex(values.shape):
        if reference := values[index]:
            led[index] = new[_name_target(reference, file)].ref
    return led


def _name_target(reference: h5py.Reference, file: h5py.File) -> str:
    name = file[reference].name
    if name is None:
        raise ValueError("a reference to an object without a name")
    return str(name)


def _list_places(file: h5py.File, without: Set[str] = frozenset()) -> dict[str, Any]:
    """Return all objects and links by path. An object with several paths is returned under its first path."""
    found: dict[str, Any] = {"/": file}
    seen = {_address(file)}
    groups: list[h5py.Group] = [file]
    while groups:
        group = groups.pop()
        for name in sorted(group):
            path = _join(group, name)
            link = group.get(name, getlink=True)
            if path in without:
                continue
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


def _is_same_item(item: Any, other: Any, passed_over: Set[str]) -> bool:
    if isinstance(item, tuple) or type(item) is not type(other):
        return bool(item == other)
    if item.attrs.keys() != other.attrs.keys():
        return False
    if not all(_is_same_attribute(item, other, key) for key in item.attrs.keys() - passed_over):
        return False
    if isinstance(item, h5py.Datatype):
        return item.dtype == other.dtype
    return not isinstance(item, h5py.Dataset) or _is_same_data(item, other)


def _is_same_attribute(item: h5py.HLObject, other: h5py.HLObject, key: str) -> bool:
    one, two = item.attrs.get_id(key), other.attrs.get_id(key)
    values = (_to_plain(item.attrs[key], item.file), _to_plain(other.attrs[key], other.file))
    return (one.shape, one.dtype) == (two.shape, two.dtype) and values[0] == values[1]


def _is_same_data(item: h5py.Dataset, other: h5py.Dataset) -> bool:
    shapes = [(found.shape, found.dtype, found.maxshape, found.chunks, found.compression) for found in (item, other)]
    if shapes[0] != shapes[1]:
        return False
    if not item.shape:
        return bool(item.shape is None or _to_plain(item[()], item.file) == _to_plain(other[()], other.file))
    return all(_to_plain(item[part], item.file) == _to_plain(other[part], other.file) for part in _cut_blocks(item))


def _cut_blocks(item: h5py.Dataset) -> Iterator[tuple[slice, ...]]:
    """Yield slices of a dataset that fit into memory. They consist of whole chunks."""
    steps, room = [], BLOCK_ELEMENTS
    chunks = item.chunks or (1,) * item.ndim
    for length, chunk in zip(reversed(item.shape), reversed(chunks), strict=True):
        step = max(chunk, min(length, room) // chunk * chunk)
        steps.append(step)
        room = max(1, room // step)
    starts = [range(0, length, step) for length, step in zip(item.shape, reversed(steps), strict=True)]
    for corner in product(*starts):
        yield tuple(slice(start, start + step) for start, step in zip(corner, reversed(steps), strict=True))


def _to_plain(value: Any, file: h5py.File) -> object:
    """Convert a value for comparison: numbers to bytes, references to the names of their targets."""
    if isinstance(value, h5py.Reference):
        return _name_target(value, file) if value else None
    if isinstance(value, np.ndarray | np.void) and value.dtype.names:
        return [_to_plain(value[name], file) for name in value.dtype.names]
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_to_plain(each, file) for each in value.ravel()]
    return value.tobytes() if isinstance(value, np.ndarray | np.generic) else value
