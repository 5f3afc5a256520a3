"""Results as plain descriptions of NWB objects, and back. No file is touched here."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from nwb_neurid.errors import InvalidOption, InvalidResults
from nwb_neurid.results import UNTRAINED, Embeddings, Predictions, Provenance

Attribute: TypeAlias = str | bool | int | float | tuple[str | float, ...]

MODEL = "NeuronEncoderModel"
EMBEDDINGS = "NeuronEmbeddings"
PREDICTIONS = "NeuronPredictions"
TABLE = "DynamicTable"

MARK = "ndx-neurid "  # begins the last line of the description of a plain table
AS_JSON = ("config", "software")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name, description
        As they stand in the file.
    values
        One row per neuron; with `ends`, the elements of all rows one after another. Text is an array of `str` objects.
    ends
        Where the elements of each row end, for a column of lists.
    """

    name: str
    description: str
    values: Shaped[np.ndarray, "..."]
    ends: Int64[np.ndarray, " rows"] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NwbObject:
    """One object of the file: the model, or a table with a row per neuron.

    Parameters
    ----------
    name, neurodata_type, description
        As they stand in the file.
    attributes
        Small values; what is empty is left out.
    columns
        None for the model.
    unit_ids
        The neurons that the rows refer to, by their ids.
    """

    name: str
    neurodata_type: str
    description: str
    attributes: Mapping[str, Attribute]
    columns: tuple[Column, ...] = ()
    unit_ids: Shaped[np.ndarray, " rows"] | None = None


def object_name(name: str, neurodata_type: str, label_name: str = "") -> str:
    """What an object of the results called `name` is called in the file.

    Raises
    ------
    InvalidOption
        If a part cannot be part of the name of an NWB object.
    """
    for part in (name, *([label_name] if neurodata_type == PREDICTIONS else [])):
        odd = [letter for letter in part if unicodedata.category(letter)[0] not in "LMN" and letter not in "_-."]
        if odd or not part[:1].isalnum():
            raise InvalidOption(
                f"The name {part!r} cannot be used in an NWB file: it must consist of letters, digits, "
                "'_', '-' and '.', and begin with a letter or a digit."
            )
    endings = {MODEL: "model", EMBEDDINGS: "embeddings", PREDICTIONS: f"predictions_{label_name}"}
    return f"{name}_{endings[neurodata_type]}"


def text(values: Iterable[object]) -> Shaped[np.ndarray, " rows"]:
    """An array of `str` objects."""
    return np.array([str(value) for value in values], dtype=object)


def described(name: str, embeddings: Embeddings, predictions: Sequence[Predictions]) -> tuple[NwbObject, ...]:
    """The model, the embeddings, and the predictions, as they are to stand in the file.

    Raises
    ------
    InvalidResults
        If there is nothing to write, the parts belong to different neurons or models, or a value has no place
        in the file.
    InvalidOption
        If `name` or the name of a label cannot be part of the name of an NWB object.
    """
    if 0 in embeddings.vectors.shape:
        units, dim = embeddings.vectors.shape
        raise InvalidResults(f"There is nothing to write: {units} units with vectors of {dim} dimensions.")
    labels = [part.label_name for part in predictions]
    if repeated := {label for label in labels if labels.count(label) > 1}:
        raise InvalidResults(f"Each label can be predicted once, got twice: {sorted(repeated)}.")
    for part in predictions:
        _check(part, embeddings)
    objects = (_model(name, embeddings.provenance), _embeddings(name, embeddings))
    objects += tuple(_predictions(name, part) for part in predictions)
    for found in objects:
        _check_text(found)
    return objects


def results(objects: Sequence[NwbObject]) -> tuple[Embeddings, list[Predictions]]:
    """The results that `objects` describe: the inverse of `described`."""
    by_type: dict[str, list[NwbObject]] = {MODEL: [], EMBEDDINGS: [], PREDICTIONS: []}
    for found in objects:
        by_type[found.neurodata_type].append(found)
    provenance = _provenance(by_type[MODEL][0].attributes) if by_type[MODEL] else Provenance()
    (embeddings,) = by_type[EMBEDDINGS]
    predictions = [_read_predictions(found, provenance) for found in by_type[PREDICTIONS]]
    return _read_embeddings(embeddings, provenance), predictions


def same(one: NwbObject, other: NwbObject) -> bool:
    """Whether two descriptions say the same."""
    parts = [
        (found.name, found.neurodata_type, found.description, json.dumps(dict(found.attributes), sort_keys=True))
        for found in (one, other)
    ]
    columns = [{column.name: column for column in found.columns} for found in (one, other)]
    return (
        parts[0] == parts[1]
        and columns[0].keys() == columns[1].keys()
        and _equal(one.unit_ids, other.unit_ids)
        and all(
            column.description == columns[1][name].description
            and _equal(column.values, columns[1][name].values)
            and _equal(column.ends, columns[1][name].ends)
            for name, column in columns[0].items()
        )
    )


def folded(objects: Sequence[NwbObject]) -> tuple[NwbObject, ...]:
    """The same as plain tables: attributes and model stand in the last line of the descriptions, as JSON."""
    (model,) = (found for found in objects if found.neurodata_type == MODEL)
    about_model = {"description": model.description, **model.attributes}
    tables = []
    for table in objects:
        if table.neurodata_type != MODEL:
            about = {"type": table.neurodata_type, "attributes": dict(table.attributes)}
            about |= {"model": about_model} if table.neurodata_type == EMBEDDINGS else {}
            description = f"{table.description}\n{MARK}{json.dumps(about, ensure_ascii=False)}"
            tables.append(replace(table, neurodata_type=TABLE, description=description, attributes={}))
    return tuple(tables)


def unfolded(table: NwbObject) -> tuple[NwbObject, ...]:
    """What a plain table was folded from: itself, with the model before its embeddings; nothing if it is not ours."""
    description, _, last = table.description.rpartition("\n")
    if not last.startswith(MARK):
        return ()
    about = json.loads(last.removeprefix(MARK))
    kind, attributes = about["type"], _tuples(about["attributes"])
    original = replace(table, neurodata_type=kind, description=description, attributes=attributes)
    if "model" not in about:
        return (original,)
    of_model = _tuples(about["model"])
    words = str(of_model.pop("description", ""))
    name = f"{table.name.removesuffix('_embeddings')}_model"
    return NwbObject(name=name, neurodata_type=MODEL, description=words, attributes=of_model), original


def _check(predictions: Predictions, embeddings: Embeddings) -> None:
    of = f"The predictions of {predictions.label_name!r}"
    if not _equal(predictions.unit_ids, embeddings.unit_ids):
        raise InvalidResults(f"{of} must be of the units of the embeddings, in their order.")
    if predictions.provenance != embeddings.provenance:
        raise InvalidResults(f"{of} must have the provenance of the embeddings that they were made from.")
    classes = predictions.classes.tolist()
    if not classes or len(set(classes)) < len(classes):
        raise InvalidResults(f"{of} must have classes of different names, got {classes}.")


def _check_text(found: NwbObject) -> None:
    """HDF5 ends a text at a NUL, and half of a surrogate pair is no Unicode."""
    texts = {"description": [found.description], **{key: [value] for key, value in found.attributes.items()}}
    texts |= {column.name: column.values.tolist() for column in found.columns if column.values.dtype == object}
    for name, values in texts.items():
        joined = "".join(str(value) for value in values)
        if "\0" in joined or any("\ud800" <= letter <= "\udfff" for letter in joined):
            raise InvalidResults(f"{found.name}: {name} holds text with a NUL or half a surrogate pair.")
