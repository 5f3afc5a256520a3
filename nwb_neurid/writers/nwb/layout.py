"""Write objects into an open file with h5py alone, because PyNWB would rewrite data of older PyNWB versions.

There are two layouts. `ndx` uses the types of ndx-neurid. The layout `core` has the same tables as plain DynamicTables.
It is used in files that contain the namespace of another extension, in files without any namespace, and in files of NWB
versions before 2.2, because a second namespace in such files would break validation by other tools.
"""

import re
import uuid
from collections.abc import Mapping, Sequence, Set
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid.writers.nwb.dialect import COMMON, CORE, TEXT, Dialect, has_ascii_names, read_dialect, write_names
from nwb_neurid.writers.nwb.links import find_own_group, locate
from nwb_neurid.writers.nwb.objects import MODEL, Attribute, Column, NwbObject, fold, make_text
from nwb_neurid.writers.nwb.specification import NAMESPACE, load_specification

OWN = frozenset({CORE, COMMON, "hdmf-experimental", NAMESPACE})
SPECIFICATIONS = ".specloc"
MEANINGS_SINCE = (1, 9)  # version of hdmf-common
MEANINGS_BY_REFERENCE_SINCE = (1, 10)  # earlier versions use a link
CHUNK_BYTES = 2**20  # the default size of HDF5's chunk cache
MODULES = {
    "ecephys": "Results computed from the activity of sorted units.",
    "ophys": "Results computed from the activity of segmented cells.",
}


def find_module(path: str, neurodata_type: str) -> str:
    """Return the processing module for results on the table at a path, which is a Units or a PlaneSegmentation."""
    imaging = "PlaneSegmentation" in neurodata_type
    imaging |= path.startswith("/processing/ophys/")  # the table of a sidecar is a plain table
    return f"processing/{'ophys' if imaging else 'ecephys'}"


def _is_plain(cached: h5py.Group | None, dialect: Dialect) -> bool:
    """Return whether a file with these specifications gets the `core` layout."""
    if dialect != Dialect():  # PyNWB of that time cannot open objects with a boolean attribute
        return True
    if cached is None or locate(cached, f"{NAMESPACE}/{load_specification().version}").file:
        return True
    return CORE not in cached or not set(cached) <= OWN


def write_objects(file: h5py.Group, objects: Sequence[NwbObject], table: h5py.Group) -> None:
    """Write a model and tables in the layout that the file requires.

    The rows of the tables refer to those of `table`.
    """
    path = find_module(str(table.name), read_text(table, "neurodata_type"))
    cached = _find_specifications(file)
    dialect = read_dialect(cached)
    if find_own_group(file, path) is None:
        _tag(file.create_group(path), dialect, "ProcessingModule", MODULES[path.removeprefix("processing/")], CORE)
    module = file[path]
    plain, meanings = _is_plain(cached, dialect), _find_meanings_version(cached)
    if not plain and cached is not None:
        _cache_specification(cached)
    for found in fold(objects) if plain else objects:
        group = module.create_group(found.name)
        _tag(group, dialect, found.neurodata_type, found.description, "" if plain else NAMESPACE)
        _write_attributes(group, found.attributes)
        if found.unit_ids is not None:
            _write_rows(group, found.unit_ids, table, dialect)
            _write_columns(group, found.columns, dialect)
    for found in objects:
        if meanings and "class_descriptions" in found.attributes:
            _write_meanings(module[found.name], found.attributes, meanings)
    if not plain:
        _link_model(module, objects)


def list_traces(file: h5py.Group, removed: Set[str]) -> list[str]:
    """List other objects that can be removed with these results: empty modules and the specification."""
    found = []
    for place, description in MODULES.items():
        module = find_own_group(file, f"/processing/{place}")
        if module is None or read_text(module, "description") != description:
            continue
        inside = {f"{module.name}/{name}" for name in module}
        if inside and inside <= removed:
            found.append(str(module.name))
    cached = _find_specifications(file)
    own = None if cached is None else find_own_group(cached, NAMESPACE)
    return found if own is None or _has_types(file, removed) else [*found, str(own.name)]


def list_columns(table: h5py.Group) -> list[str]:
    """List the columns of a table, in their order."""
    return [_decode(name) for name in np.ravel(table.attrs.get("colnames", ()))]


def read_text(item: h5py.HLObject, name: str) -> str:
    """Return the value of an attribute as text, or "" if it does not exist."""
    return _decode(item.attrs.get(name, ""))


def _decode(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _has_types(file: h5py.Group, removed: Set[str]) -> bool:
    """Return whether the file contains objects with a type of ndx-neurid, apart from those in `removed`."""
    own: list[str] = []

    def note(name: str, item: h5py.HLObject) -> None:
        if read_text(item, "namespace") == NAMESPACE and f"/{name}" not in removed:
            own.append(name)

    file.visititems(note)
    return bool(own)


def _find_specifications(file: h5py.Group) -> h5py.Group | None:
    """Return the specifications that are cached in the file itself.

    Those in another file, to which it links, do not count.
    """
    try:
        found = file[file.attrs[SPECIFICATIONS]] if SPECIFICATIONS in file.attrs else None
    except (KeyError, ValueError):  # the reference is broken
        return None
    return found if isinstance(found, h5py.Group) and find_own_group(file, str(found.name)) == found else None


def _link_model(module: h5py.Group, objects: Sequence[NwbObject]) -> None:
    """Add a link to the model to each table."""
    (model,) = (found.name for found in objects if found.neurodata_type == MODEL)
    for found in objects:
        if found.neurodata_type != MODEL:
            module[found.name]["model"] = h5py.SoftLink(f"{module.name}/{model}")


def _find_meanings_version(cached: h5py.Group | None) -> tuple[int, ...]:
    """Return the version of hdmf-common in these specifications if it has the type MeaningsTable, or otherwise ()."""
    versions = find_own_group(cached, COMMON) if cached is not None else None
    numbers = [re.findall(r"^\d+|(?<=\.)\d+", version) for version in versions or ()]
    newest = max((tuple(map(int, number)) for number in numbers), default=())
    return newest if newest >= MEANINGS_SINCE else ()


def _write_meanings(table: h5py.Group, attributes: Mapping[str, Any], version: tuple[int, ...]) -> None:
    """Write the meanings of classes into NWB's table for meanings, for programs that do not know ndx-neurid."""
    described = zip(attributes["classes"], attributes["class_descriptions"], strict=True)
    values, meanings = zip(*((name, said) for name, said in described if said), strict=True)
    group = table.create_group("meanings_tables/predicted_label_meanings")
    dialect = Dialect()
    _tag(group, dialect, "MeaningsTable", "What the classes are.")
    if version >= MEANINGS_BY_REFERENCE_SINCE:
        group.attrs["target"] = table["predicted_label"].ref
    else:
        group["target"] = h5py.SoftLink(table["predicted_label"].name)
    _tag(_write_dataset(group, "id", np.arange(len(values))), dialect, "ElementIdentifiers")
    write_names(group, [])
    columns = (("value", "A class of predicted_label.", values), ("meaning", "What it is.", meanings))
    found = [Column(name=name, description=said, values=make_text(each)) for name, said, each in columns]
    _add_columns(group, found, dialect)


def _cache_specification(cached: h5py.Group) -> None:
    """Store the specification in the file, so that any reader of NWB knows the types."""
    path = f"{NAMESPACE}/{load_specification().version}"
    if find_own_group(cached, path) is None:
        group = cached.create_group(path)
        for name, document in load_specification().documents.items():
            group.create_dataset(name, data=document, dtype=TEXT)


def _tag(
    item: h5py.Group | h5py.Dataset, dialect: Dialect, neurodata_type: str, description: str = "", namespace: str = ""
) -> None:
    """Write the type of an object. Its namespace is that of tables unless another one is given."""
    item.attrs["namespace"] = namespace or dialect.tables
    item.attrs["neurodata_type"] = neurodata_type
    item.attrs["object_id"] = str(uuid.uuid4())
    if neurodata_type in dialect.help_texts:
        item.attrs["help"] = dialect.help_texts[neurodata_type]
    if description:
        item.attrs["description"] = description


def _write_attributes(group: h5py.Group, attributes: Mapping[str, Attribute]) -> None:
    for name, value in attributes.items():
        is_text = isinstance(value[0] if isinstance(value, tuple) else value, str)
        group.attrs.create(name, value, dtype=TEXT if is_text else None)


def _write_rows(group: h5py.Group, unit_ids: Shaped[np.ndarray, " rows"], table: h5py.Group, dialect: Dialect) -> None:
    """Write the ids of the rows, and the rows of `table` to which they refer."""
    rows = np.arange(len(unit_ids))
    own = unit_ids.dtype.kind in "iu" and len(np.unique(unit_ids)) == len(unit_ids)  # a repeated id is invalid
    _tag(_write_dataset(group, "id", unit_ids.astype(np.int64) if own else rows), dialect, "ElementIdentifiers")
    neuron = _write_dataset(group, "neuron", rows)
    _tag(neuron, dialect, "DynamicTableRegion", f"The neuron, as a row of {table.name}.")
    neuron.attrs["table"] = table.ref


def _write_columns(group: h5py.Group, columns: Sequence[Column], dialect: Dialect) -> None:
    write_names(group, ["neuron"], ascii_names=dialect.ascii_names)
    _add_columns(group, columns, dialect)


def add_columns(table: h5py.Group, columns: Sequence[Column]) -> None:
    """Append columns to a table of the file."""
    if columns:
        _add_columns(table, columns, read_dialect(_find_specifications(table.file)))


def _add_columns(table: h5py.Group, columns: Sequence[Column], dialect: Dialect) -> None:
    for column in columns:
        values = _write_dataset(table, column.name, column.values)
        _tag(values, dialect, "VectorData", column.description)
        if column.ends is not None:
            ends = _write_dataset(table, f"{column.name}_index", column.ends.astype(np.uint64))
            _tag(ends, dialect, "VectorIndex", f"Where the elements of each row end in {column.name}.")
            ends.attrs["target"] = values.ref
    name_columns(table, [*list_columns(table), *(column.name for column in columns)])


def drop_columns(table: h5py.Group, names: Sequence[str]) -> None:
    """Remove columns from a table."""
    for name in names:
        del table[name]
    if names:
        name_columns(table, [name for name in list_columns(table) if name not in names])


def name_columns(table: h5py.Group, names: Sequence[str], *, like: h5py.Group | None = None) -> None:
    """Write the column names of a table in order, in the text type of this table or of the table `like`."""
    write_names(table, names, ascii_names=has_ascii_names(table if like is None else like))


def _write_dataset(group: h5py.Group, name: str, values: Shaped[np.ndarray, "..."]) -> h5py.Dataset:
    """Write a dataset that can grow by rows.

    All chunks have the same size, because each chunk is stored at full size.
    """
    chunks = max(1, values.nbytes // CHUNK_BYTES)
    rows = -(-len(values) // chunks)
    return group.create_dataset(
        name,
        data=values,
        dtype=TEXT if values.dtype == object else None,
        chunks=(rows, *values.shape[1:]),
        maxshape=(None, *values.shape[1:]),
    )
