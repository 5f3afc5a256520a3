"""The content of an NWB file as plain values: objects with attributes and columns. This module accesses no file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid._system.names import RULE, is_fit_name
from nwb_neurid.errors import InvalidOption, InvalidResults
from nwb_neurid.results import Provenance

Attribute: TypeAlias = str | bool | int | float | tuple[str | bool | int | float, ...]

MODEL = "NeuronEncoderModel"
EMBEDDINGS = "NeuronEmbeddings"
PREDICTIONS = "NeuronPredictions"
TABLE = "DynamicTable"

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    MODEL: tuple(field.name for field in fields(Provenance)),
    EMBEDDINGS: (),
    PREDICTIONS: ("label_name", "scope", "classes", "class_descriptions", "prevalence", "coverage", "notes"),
}
"""The types of ndx-neurid, and the attributes of each type in addition to those of every NWB object."""

HEAD_BYTES = 8_192  # at least the size of the headers and the index of an HDF5 dataset
MARK = "ndx-neurid "  # beginning of the last line of the description of a plain table


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name, description
        Name and description in the file.
    values
        One row per neuron or, with `ends`, the elements of all rows one after another. Text is an array of `str`.
    ends
        For a column of lists, the index at which the elements of each row end, shape (rows,).
    """

    name: str
    description: str
    values: Shaped[np.ndarray, "..."]
    ends: Int64[np.ndarray, " rows"] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NwbObject:
    """One object of a file: a model, or a table with a row per neuron.

    Parameters
    ----------
    name, neurodata_type, description
        Name, type and description in the file.
    attributes
        Other attributes. Empty ones are left out.
    columns
        Columns of a table; a model has none.
    unit_ids
        Ids of the neurons to which the rows of a table refer, shape (rows,).
    """

    name: str
    neurodata_type: str
    description: str
    attributes: Mapping[str, Attribute]
    columns: tuple[Column, ...] = ()
    unit_ids: Shaped[np.ndarray, " rows"] | None = None

    @property
    def size_bytes(self) -> int:
        """Estimate the disk space of the data in a file."""
        arrays = [array for column in self.columns for array in (column.values, column.ends) if array is not None]
        arrays += [] if self.unit_ids is None else [np.zeros(2 * len(self.unit_ids))]  # for the ids and the rows
        attributes = 2 * len(json.dumps(dict(self.attributes)))  # the meanings of classes may also be stored in a table
        heads = HEAD_BYTES * (1 + len(arrays)) + attributes
        return heads + sum(map(_size_bytes, arrays))


def name_ending(neurodata_type: str, label_name: str = "") -> str:
    """Return the part of the name of an object that follows the name of the results."""
    return {MODEL: "_model", EMBEDDINGS: "_embeddings", PREDICTIONS: f"_predictions_{label_name}"}[neurodata_type]


def name_object(name: str, neurodata_type: str, label_name: str = "") -> str:
    """Return the name of an object in the file for the results `name`.

    Raises
    ------
    InvalidOption
        If `name`, or the name of a predicted label, cannot be part of the name of an NWB object.
    """
    for part in (name, *([label_name] if neurodata_type == PREDICTIONS else [])):
        if not is_fit_name(part):
            raise InvalidOption(f"The name {part!r} cannot be used in an NWB file: {RULE}.")
    return name + name_ending(neurodata_type, label_name)


def make_text(values: Iterable[object]) -> Shaped[np.ndarray, " rows"]:
    """Convert text of any type to an array of `str`."""
    return np.array([str(value) for value in values], dtype=object)


def check_text(found: NwbObject) -> None:
    """Refuse text that HDF5 cannot store. Text must be valid Unicode without NUL.

    Raises
    ------
    InvalidResults
        If HDF5 cannot store it.
    """
    texts: dict[str, list[object]] = {"description": [found.description]}
    texts |= {key: [*value] if isinstance(value, tuple) else [value] for key, value in found.attributes.items()}
    texts |= {column.name: column.values.tolist() for column in found.columns if column.values.dtype == object}
    for name, values in texts.items():
        joined = "".join(map(str, values))
        if "\0" in joined or joined != joined.encode(errors="replace").decode():
            raise InvalidResults(f"{found.name}: {name} holds a character that NWB cannot store (NUL, or a surrogate).")


def are_same(one: NwbObject, other: NwbObject) -> bool:
    """Return whether two descriptions are equal."""
    heads = [
        (found.name, found.neurodata_type, found.description, json.dumps(dict(found.attributes), sort_keys=True))
        for found in (one, other)
    ]
    columns = {column.name: column for column in other.columns}
    return (
        heads[0] == heads[1]
        and are_same_values(one.unit_ids, other.unit_ids)
        and {column.name for column in one.columns} == columns.keys()
        and all(are_same_columns(column, columns[column.name]) for column in one.columns)
    )


def are_same_columns(one: Column, other: Column) -> bool:
    """Return whether two columns have the same values for the same rows."""
    return (
        one.description == other.description
        and are_same_values(one.values, other.values)
        and are_same_values(one.ends, other.ends)
    )


def are_same_values(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Return whether two arrays are equal.

    Floats are compared bit by bit, so that NaN equals NaN. Text may be of any type.
    """
    if one is None or other is None:
        return one is other
    if one.dtype == other.dtype and one.dtype.kind in "biuf":
        bits, other_bits = (np.ascontiguousarray(array).view(f"u{array.itemsize}") for array in (one, other))
        return np.array_equal(bits, other_bits)
    return one.shape == other.shape and one.tolist() == other.tolist()


def fold(objects: Sequence[NwbObject]) -> tuple[NwbObject, ...]:
    """Convert objects to plain tables: attributes and the model become JSON in the last line of the descriptions."""
    models = [found for found in objects if found.neurodata_type == MODEL]
    tables = []
    for table in objects:
        if table.neurodata_type == MODEL:
            continue
        about: dict[str, object] = {"type": table.neurodata_type, "attributes": dict(table.attributes)}
        if table.neurodata_type == EMBEDDINGS:
            about["models"] = [{"description": model.description, **model.attributes} for model in models]
        description = f"{table.description}\n{MARK}{json.dumps(about, ensure_ascii=False)}"
        tables.append(replace(table, neurodata_type=TABLE, description=description, attributes={}))
    return tuple(tables)


def unfold(table: NwbObject) -> tuple[NwbObject, ...]:
    """Restore the objects from which a plain table was made: the model, followed by the table.

    Raises
    ------
    InvalidResults
        If the last line of its description is damaged.
    """
    description, _, last = table.description.rpartition("\n")
    try:
        about = json.loads(last.removeprefix(MARK))
        kind, models = about["type"], about.get("models", [])
        found = replace(table, neurodata_type=kind, description=description, attributes=_unpack(about["attributes"]))
        heads = [_make_model(table, dict(model)) for model in models]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InvalidResults(f"{table.name}: the last line of its description is damaged.") from None
    if kind not in (EMBEDDINGS, PREDICTIONS):
        raise InvalidResults(f"{table.name}: its description states an unknown type, {str(kind)[:100]!r}.")
    return *heads, found


def _make_model(table: NwbObject, values: dict[str, Any]) -> NwbObject:
    name = table.name.removesuffix(name_ending(EMBEDDINGS)) + name_ending(MODEL)
    description = str(values.pop("description"))
    return NwbObject(name=name, neurodata_type=MODEL, description=description, attributes=_unpack(values))


def _unpack(values: Mapping[str, Attribute | list[str | float]]) -> dict[str, Attribute]:
    """Restore attributes from JSON, in which tuples became lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _size_bytes(values: np.ndarray) -> int:
    """Estimate the disk space of values. Text needs about four bytes per character, and 32 bytes of HDF5 per text."""
    return sum(4 * len(str(value)) + 32 for value in values) if values.dtype.kind in "OUST" else values.nbytes
