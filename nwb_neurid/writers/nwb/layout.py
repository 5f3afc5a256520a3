"""Writing objects into an open file by h5py alone: PyNWB would rewrite what an older PyNWB wrote.

There are two layouts. `ndx` uses the types of ndx-neurid. A file that carries the namespace of another extension, or
none at all, gets the same tables as plain DynamicTables of hdmf-common, the `core` layout: there, a second namespace
would break the validation by other tools.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid.writers.nwb import existing
from nwb_neurid.writers.nwb.links import locate, own_group
from nwb_neurid.writers.nwb.objects import MODEL, Attribute, Column, NwbObject, folded, text
from nwb_neurid.writers.nwb.opening import Dataset, Group
from nwb_neurid.writers.nwb.specification import NAMESPACE, specification

COMMON = "hdmf-common"
OWN = frozenset({"core", COMMON, "hdmf-experimental", NAMESPACE})
SPECIFICATIONS = ".specloc"
MEANINGS_SINCE = (1, 9)  # of hdmf-common
MEANINGS_BY_REFERENCE_SINCE = (1, 10)  # before, it was a link
TEXT = h5py.string_dtype()
CHUNK_BYTES = 2**20  # what HDF5 keeps of a dataset in memory, by default
MODULES = {
    "ecephys": "Results computed from the activity of sorted units.",
    "ophys": "Results computed from the activity of segmented cells.",
}


def module_path(table: Group) -> str:
    """Where results on this table go: on Units, or on a PlaneSegmentation."""
    imaging = "PlaneSegmentation" in str(table.attrs.get("neurodata_type"))
    imaging |= str(table.name).startswith("/processing/ophys/")  # in a sidecar it is a plain table
    return f"processing/{'ophys' if imaging else 'ecephys'}"


def _is_plain(cached: Group | None) -> bool:
    """Whether a file with these specifications gets the `core` layout."""
    if cached is None or locate(cached, f"{NAMESPACE}/{specification().version}").file:
        return True
    return "core" not in cached or not set(cached) <= OWN


def append(file: Group, objects: Sequence[NwbObject], table: Group) -> None:
    """Write a model and tables, whose rows are those of `table`, in the layout that the file allows."""
    path = module_path(table)
    if own_group(file, path) is None:
        _tag(file.create_group(path), "core", "ProcessingModule", MODULES[path.removeprefix("processing/")])
    module = file[path]
    cached = _specifications(file)
    plain, meanings = _is_plain(cached), _knows_meanings(cached)
    if not plain and cached is not None:
        _cache_specification(cached)
    for found in folded(objects) if plain else objects:
        group = module.create_group(found.name)
        _tag(group, COMMON if plain else NAMESPACE, found.neurodata_type, found.description)
        _write_attributes(group, found.attributes)
        if found.unit_ids is not None:
            _write_rows(group, found.unit_ids, table)
            _write_columns(group, found.columns)
    for found in objects:
        if meanings and "class_descriptions" in found.attributes:
            _write_meanings(module[found.name], found.attributes, meanings)
    if not plain:
        _link(module, objects)


def take_out(file: Group, groups: Sequence[Group]) -> None:
    """Remove objects, and what was written for them alone: an empty module, the specification."""
    for group in groups:
        module, name = group.parent, str(group.name)
        del file[name]
        if not len(module) and existing.description(module) == MODULES.get(name.split("/")[-2]):
            del file[str(module.name)]
    cached = _specifications(file)
    if cached is not None and own_group(cached, NAMESPACE) is not None and not existing.has_types(file):
        del cached[NAMESPACE]


def _specifications(file: Group) -> Group | None:
    """The specifications that are cached in the file itself, not in another one to which it links."""
    try:
        found = file[file.attrs[SPECIFICATIONS]] if SPECIFICATIONS in file.attrs else None
    except (KeyError, ValueError):  # a reference that leads nowhere
        return None
    return found if isinstance(found, Group) and own_group(file, str(found.name)) == found else None


def _link(module: Group, objects: Sequence[NwbObject]) -> None:
    """Tables know their model."""
    (model,) = (found.name for found in objects if found.neurodata_type == MODEL)
    for found in objects:
        if found.neurodata_type != MODEL:
            module[found.name]["model"] = h5py.SoftLink(f"{module.name}/{model}")


def _knows_meanings(cached: Group | None) -> tuple[int, ...]:
    """The version of hdmf-common in these specifications, if it has the type MeaningsTable; otherwise ()."""
    versions = own_group(cached, COMMON) if cached is not None else None
    numbers = [re.findall(r"^\d+|(?<=\.)\d+", version) for version in versions or ()]
    newest = max((tuple(map(int, number)) for number in numbers), default=())
    return newest if newest >= MEANINGS_SINCE else ()


def _write_meanings(table: Group, attributes: Mapping[str, Any], version: tuple[int, ...]) -> None:
    """What the classes are, where programs look for it that know nothing of our types."""
    described = zip(attributes["classes"], attributes["class_descriptions"], strict=True)
    values, meanings = zip(*((name, said) for name, said in described if said), strict=True)
    group = table.create_group("meanings_tables/predicted_label_meanings")
    _tag(group, COMMON, "MeaningsTable", "What the classes are.")
    if version >= MEANINGS_BY_REFERENCE_SINCE:
        group.attrs["target"] = table["predicted_label"].ref
    else:
        group["target"] = h5py.SoftLink(table["predicted_label"].name)
    _tag(_dataset(group, "id", np.arange(len(values))), COMMON, "ElementIdentifiers")
    group.attrs.create("colnames", (), shape=(0,), dtype=TEXT)
    columns = (("value", "A class of predicted_label.", values), ("meaning", "What it is.", meanings))
    add_columns(group, [Column(name=name, description=said, values=text(each)) for name, said, each in columns])


def _cache_specification(cached: Group) -> None:
    """So that any reader of NWB knows the types."""
    path = f"{NAMESPACE}/{specification().version}"
    if own_group(cached, path) is None:
        group = cached.create_group(path)
        for name, document in specification().documents.items():
            group.create_dataset(name, data=document, dtype=TEXT)


def _tag(item: Group | Dataset, namespace: str, neurodata_type: str, description: str = "") -> None:
    item.attrs["namespace"] = namespace
    item.attrs["neurodata_type"] = neurodata_type
    item.attrs["object_id"] = str(uuid.uuid4())
    if description:
        item.attrs["description"] = description


def _write_attributes(group: Group, attributes: Mapping[str, Attribute]) -> None:
    for name, value in attributes.items():
        is_text = isinstance(value[0] if isinstance(value, tuple) else value, str)
        group.attrs.create(name, value, dtype=TEXT if is_text else None)


def _write_rows(group: Group, unit_ids: Shaped[np.ndarray, " rows"], table: Group) -> None:
    """The ids of the rows, and the rows of `table` that they refer to."""
    rows = np.arange(len(unit_ids))
    own = unit_ids.dtype.kind in "iu" and len(np.unique(unit_ids)) == len(unit_ids)  # a repeated id is invalid
    _tag(_dataset(group, "id", unit_ids.astype(np.int64) if own else rows), COMMON, "ElementIdentifiers")
    neuron = _dataset(group, "neuron", rows)
    _tag(neuron, COMMON, "DynamicTableRegion", f"The neuron, as a row of {table.name}.")
    neuron.attrs["table"] = table.ref


def _write_columns(group: Group, columns: Sequence[Column]) -> None:
    group.attrs.create("colnames", ["neuron"], dtype=TEXT)
    add_columns(group, columns)


def add_columns(table: Group, columns: Sequence[Column]) -> None:
    """Further columns of a table, after those that it has."""
    for column in columns:
        values = _dataset(table, column.name, column.values)
        _tag(values, COMMON, "VectorData", column.description)
        if column.ends is not None:
            ends = _dataset(table, f"{column.name}_index", column.ends.astype(np.uint64))
            _tag(ends, COMMON, "VectorIndex", f"Where the elements of each row end in {column.name}.")
            ends.attrs["target"] = values.ref
    _name_columns(table, [*existing.column_names(table), *(column.name for column in columns)])


def drop_columns(table: Group, names: Sequence[str]) -> None:
    """Take columns out of a table."""
    for name in names:
        del table[name]
    if names:
        _name_columns(table, [name for name in existing.column_names(table) if name not in names])


def _name_columns(table: Group, names: Sequence[str]) -> None:
    table.attrs.create("colnames", names, shape=(len(names),), dtype=TEXT)


def _dataset(group: Group, name: str, values: Shaped[np.ndarray, "..."]) -> Dataset:
    """A dataset that can grow by rows, in chunks of one size, since even a chunk that is not full takes its room."""
    chunks = max(1, values.nbytes // CHUNK_BYTES)
    rows = -(-len(values) // chunks)
    return group.create_dataset(
        name,
        data=values,
        dtype=TEXT if values.dtype == object else None,
        chunks=(rows, *values.shape[1:]),
        maxshape=(None, *values.shape[1:]),
    )
