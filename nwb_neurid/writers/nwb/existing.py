"""Find the results in an open file, in the layout `ndx` or `core`, with the reader of NWB files.

Groups of nwb-neurid are recognised by their attributes alone. Damage inside a group is detected when the group is read.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.errors import InvalidResults
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.writers.nwb.objects import (
    ATTRIBUTES,
    EMBEDDINGS,
    MARK,
    PREDICTIONS,
    TABLE,
    Attribute,
    Column,
    NwbObject,
    name_ending,
    unfold,
)
from nwb_neurid.writers.nwb.specification import NAMESPACE

UNIT_ID = "unit_id"
NEURONS = "neurons"


def find_results(file: Group) -> dict[str, list[Group]]:
    """Find the groups of all results, by the name of the results. Links are followed.

    Parameters
    ----------
    file
        The root of the file.
    """
    found: dict[str, list[Group]] = {}
    for module in file.groups("processing"):
        for group in module.groups():
            if name := name_results(group):
                found.setdefault(name, []).append(group)
    return found


def name_results(group: Group) -> str:
    """Return the name of the results to which a group belongs, or "" if this package did not write the group."""
    name = group.path.rpartition("/")[2]
    kind = group.attribute("neurodata_type") or ""
    label = group.attribute("label_name") or ""
    if kind == TABLE:
        last = (group.attribute("description") or "").rpartition("\n")[2]
        if not last.startswith(f"{MARK}{{"):
            return ""
        kind, label = _read_mark(last)
    elif kind not in ATTRIBUTES or group.attribute("namespace") != NAMESPACE:
        return ""
    ending = name_ending(kind, label) if kind in ATTRIBUTES else ""
    if ending and name.endswith(ending):
        return name.removesuffix(ending)
    return name.removesuffix(name_ending(EMBEDDINGS)).partition(name_ending(PREDICTIONS))[0]  # if damaged


def read_objects(group: Group) -> tuple[NwbObject, ...]:
    """Read a group of nwb-neurid: an object with its data and, in the plain layout, the model that is stored in it.

    Raises
    ------
    InvalidResults
        If its attributes are damaged, or a row does not refer to a neuron.
    InvalidSource, UnreadableSource
        If its data cannot be read.
    """
    *models, found = _read_heads(group)
    columns = group.raw_attribute("colnames")
    if columns is None:
        return *models, found
    names = [name for name in _to_texts(columns) if name != "neuron"]
    table = find_table(group)
    if table is None:
        raise InvalidResults(f"{group.where} does not say which neurons it is about.")
    rows, ids = Table(group).integers("neuron"), read_ids(table)
    if np.any((rows < 0) | (rows >= len(ids))):
        raise InvalidResults(f"{group.where}/neuron refers to rows outside the {len(ids)} rows of {table.path}.")
    read = tuple(_read_column(group, name, len(rows)) for name in names)
    return *models, replace(found, columns=read, unit_ids=ids[rows])


def find_table(group: Group) -> Group | None:
    """Return the Units or the PlaneSegmentation to which the rows of a results table refer, or None for a model."""
    neuron = group.dataset("neuron")
    return None if neuron is None else neuron.referred_by("table")


def is_sidecar_table(table: Group) -> bool:
    """Return whether a table belongs to a sidecar and represents a table of the recording."""
    return table.path.endswith(f"/{NEURONS}") and table.dataset(UNIT_ID) is not None


def read_ids(table: Group) -> Shaped[np.ndarray, " units"]:
    """Return the ids of the rows of a table. Text is returned as an array of `str`."""
    found = Table(table).dataset(UNIT_ID if is_sidecar_table(table) else "id")
    return found.texts().ravel() if found.is_text else found.column()


def read_column(table: Group, name: str) -> Column:
    """Read one column of a table of neurons, with its data."""
    return _read_column(table, name, len(read_ids(table)))


def _read_column(table: Group, name: str, rows: int) -> Column:
    columns = Table(table)
    dataset, ends = columns.dataset(name), None
    if columns.is_ragged(name):
        ends = columns.splits(name)[1:]
    elif len(dataset) != rows:
        raise InvalidResults(f"{dataset.where} must have {rows} rows, it has {len(dataset)}.")
    if ends is not None and len(ends) != rows:
        raise InvalidResults(f"{dataset.where}_index must have {rows} rows, it has {len(ends)}.")
    description = dataset.text_attribute("description") or ""
    values = dataset.texts() if dataset.is_text else dataset.numbers()
    return Column(name=name, description=description, values=values, ends=ends)


def _read_heads(group: Group) -> tuple[NwbObject, ...]:
    """Read an object without its data. In the plain layout, the model that it contains comes first."""
    kind = str(group.attribute("neurodata_type"))
    values = {name: group.raw_attribute(name) for name in ATTRIBUTES.get(kind, ())}
    found = NwbObject(
        name=group.path.rpartition("/")[2],
        neurodata_type=kind,
        description=group.attribute("description") or "",
        attributes={name: _to_plain(value) for name, value in values.items() if value is not None},
    )
    return unfold(found) if kind == TABLE else (found,)


def _read_mark(last: str) -> tuple[str, str]:
    """Return the type and the label in the last line of a description, or "" if the line is damaged."""
    try:
        about = json.loads(last.removeprefix(MARK))
    except (ValueError, RecursionError):
        return "", ""
    attributes = about.get("attributes")
    label = attributes.get("label_name", "") if isinstance(attributes, Mapping) else ""
    return str(about.get("type", "")), str(label)


def _to_texts(value: Any) -> list[str]:
    return [str(_to_scalar(each)) for each in np.ravel(np.asarray(value, object))]


def _to_plain(value: Any) -> Attribute:
    """Convert an attribute of any storage format to a plain value."""
    if isinstance(value, np.ndarray | list | tuple):
        return tuple(_to_scalar(each) for each in np.asarray(value, object).ravel().tolist())
    return _to_scalar(value)


def _to_scalar(value: Any) -> str | bool | int | float:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | bool | int | float) else str(value)
