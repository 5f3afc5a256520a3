"""The results that an open file holds, in either layout."""

from collections.abc import Iterator
from dataclasses import replace

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid.writers.nwb.links import own_group, own_item
from nwb_neurid.writers.nwb.objects import (
    EMBEDDINGS,
    MODEL,
    PREDICTIONS,
    TABLE,
    Attribute,
    Column,
    NwbObject,
    ending,
    unfolded,
)
from nwb_neurid.writers.nwb.opening import Dataset, Group
from nwb_neurid.writers.nwb.specification import NAMESPACE

UNIT_ID = "unit_id"
NEURONS = "neurons"
HEAD = frozenset({"namespace", "neurodata_type", "object_id", "description", "colnames"})


def groups(file: Group, *, linked: bool = False) -> dict[str, list[Group]]:
    """Where the objects of all results lie, by the name of the results.

    Parameters
    ----------
    file
        The root.
    linked
        Whether results in other files count, to which the file links; it must be open for reading alone then.
    """
    found: dict[str, list[Group]] = {}
    for module in _groups_in(file.get("processing") if linked else own_group(file, "processing"), linked):
        for group in _groups_in(module, linked):
            for thing in _objects(group)[-1:]:
                found.setdefault(_results_name(thing), []).append(group)
    return found


def objects(group: Group) -> tuple[NwbObject, ...]:
    """What lies in a group that is ours: an object with its data, and its model where that is folded into it."""
    found = _objects(group)
    if "colnames" not in group.attrs:
        return found
    names = [name for name in column_names(group) if name != "neuron"]
    rows = group["neuron"][()]
    columns = tuple(column(group, name) for name in names)
    return *found[:-1], replace(found[-1], columns=columns, unit_ids=unit_ids(table(group))[rows])


def has_types(file: Group) -> bool:
    """Whether anything in the file is of a type of ours."""
    own: list[str] = []

    def note(name: str, item: Group | Dataset) -> None:
        if _plain(item.attrs.get("namespace", "")) == NAMESPACE:
            own.append(name)

    file.visititems(note)
    return bool(own)


def column_names(table: Group) -> list[str]:
    """The columns of a table, in their order."""
    return [str(_plain(name)) for name in table.attrs.get("colnames", ())]


def description(item: Group | Dataset) -> str:
    """What an object or a column says of itself."""
    return str(_plain(item.attrs.get("description", "")))


def column(table: Group, name: str) -> Column:
    """One column of a table, with its data."""
    index = f"{name}_index"
    return Column(
        name=name,
        description=description(table[name]),
        values=_values(table[name]),
        ends=table[index][()].astype(np.int64) if index in table else None,
    )


def table(group: Group) -> Group | None:
    """The Units or the PlaneSegmentation that the rows of a table of ours refer to; None for a model."""
    neuron = own_item(group, "neuron")
    return None if neuron is None else group.file[neuron.attrs["table"]]


def is_sidecar_table(table: Group) -> bool:
    """Whether the table is the one of a sidecar, which stands for a table of the recording."""
    return str(table.name).endswith(f"/{NEURONS}") and UNIT_ID in table


def unit_ids(table: Group) -> Shaped[np.ndarray, " units"]:
    """The ids of a table's rows; text is an array of `str`."""
    return _values(table[UNIT_ID if is_sidecar_table(table) else "id"])


def _objects(group: Group) -> tuple[NwbObject, ...]:
    """What lies in a group, without its data; nothing if it is not ours."""
    head = {name: _plain(group.attrs.get(name, "")) for name in ("namespace", "neurodata_type", "description")}
    found = NwbObject(
        name=str(group.name).rpartition("/")[2],
        neurodata_type=str(head["neurodata_type"]),
        description=str(head["description"]),
        attributes={},
    )
    if found.neurodata_type == TABLE:
        return unfolded(found)
    if head["namespace"] != NAMESPACE or found.neurodata_type not in (MODEL, EMBEDDINGS, PREDICTIONS):
        return ()
    return (replace(found, attributes={name: _plain(group.attrs[name]) for name in group.attrs.keys() - HEAD}),)


def _results_name(found: NwbObject) -> str:
    label_name = str(found.attributes.get("label_name", ""))
    return found.name.removesuffix(ending(found.neurodata_type, label_name))


def _groups_in(parent: object, linked: bool) -> Iterator[Group]:
    """The groups in a group, without those that a broken link promises."""
    if isinstance(parent, Group):
        children = (parent.get(name) if linked else own_item(parent, name) for name in parent)
        yield from (child for child in children if isinstance(child, Group))


def _values(dataset: Dataset) -> Shaped[np.ndarray, "..."]:
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.asarray(dataset.asstr()[()])
    return np.asarray(dataset[()])


def _plain(value: object) -> Attribute:
    """An attribute as h5py gives it, as a plain value."""
    return tuple(map(_scalar, value.tolist())) if isinstance(value, np.ndarray) else _scalar(value)


def _scalar(value: object) -> str | bool | int | float:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | bool | int | float) else str(value)
