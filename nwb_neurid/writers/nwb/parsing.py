"""Read results from the objects of an NWB file, which users may have edited. This module accesses no file."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

from nwb_neurid.errors import InvalidResults
from nwb_neurid.results import Embeddings, Predictions, Provenance
from nwb_neurid.writers.nwb.objects import EMBEDDINGS, MODEL, PREDICTIONS, Column, NwbObject
from nwb_neurid.writers.nwb.tables import AS_JSON, count_one_window

AS_TEXTS = ("notes", "dimensions")
KINDS = {"window_s": float, "stitched": bool}
"""Attributes of a model that are not text, and their types."""


def parse_results(objects: Sequence[NwbObject]) -> tuple[Embeddings, list[Predictions]]:
    """Convert objects to results.

    Raises
    ------
    InvalidResults
        If a part is missing, has a wrong type or shape, or contradicts another part.
    """
    by_type = {found.neurodata_type: found for found in objects}
    if EMBEDDINGS not in by_type:
        raise InvalidResults("There are no vectors.")
    provenance = _parse_provenance(by_type[MODEL]) if MODEL in by_type else Provenance()
    predictions = [_parse_predictions(found, provenance) for found in objects if found.neurodata_type == PREDICTIONS]
    return _parse_embeddings(by_type[EMBEDDINGS], provenance), predictions


def _parse_provenance(found: NwbObject) -> Provenance:
    """Parse the provenance. Attributes of later versions that this version does not know are ignored."""
    values: dict[str, Any] = {}
    for field in fields(Provenance):
        if field.name not in found.attributes:
            continue
        if field.name in AS_JSON:
            values[field.name] = _parse_json(found, field.name)
        elif field.name in AS_TEXTS:
            values[field.name] = _read_texts(found, field.name)
        else:
            values[field.name] = _read_attribute(found, field.name, KINDS.get(field.name, str))
    return Provenance(**values)


def _parse_json(found: NwbObject, name: str) -> dict[str, Any]:
    try:
        value = json.loads(_read_attribute(found, name))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidResults(f"{found.name}: {name} must be a JSON object.")
    return value


def _parse_embeddings(found: NwbObject, provenance: Provenance) -> Embeddings:
    vectors = _read_column(found, "embedding", np.float32, 2)
    units = len(vectors)
    reasons = _read_column(found, "reason", np.str_, default=np.zeros(units, np.str_))
    return Embeddings(
        vectors=vectors,
        unit_ids=_read_ids(found),
        n_windows=_read_column(found, "n_windows", np.int32, default=count_one_window(reasons)),
        stability=_read_column(found, "stability", np.float32, default=np.full(units, np.nan, np.float32)),
        reasons=reasons,
        provenance=provenance,
    )


def _parse_predictions(found: NwbObject, provenance: Provenance) -> Predictions:
    classes = np.array(_read_texts(found, "classes"), dtype=np.str_)
    if not len(classes) or len(set(classes.tolist())) < len(classes):
        raise InvalidResults(f"{found.name}: classes must be distinct texts.")
    descriptions = zip(classes.tolist(), _read_texts(found, "class_descriptions", ()), strict=False)
    label = _read_column(found, "predicted_label", np.str_)
    units, unknown = len(label), np.full(len(label), np.nan, np.float32)
    every = np.tile(unknown, (len(classes), 1)).T
    probabilities = _read_column(found, "class_probabilities", np.float32, 2, default=every)
    if probabilities.shape[1] != len(classes):
        raise InvalidResults(
            f"{found.name}: class_probabilities must have a column for each of {len(classes)} classes, got "
            f"{probabilities.shape[1]}."
        )
    return Predictions(
        label_name=_read_attribute(found, "label_name"),
        scope=_read_attribute(found, "scope") if "scope" in found.attributes else "",
        classes=classes,
        unit_ids=_read_ids(found),
        label=label,
        class_probabilities=probabilities,
        prediction_set=_parse_sets(found, units, classes),
        abstained=_read_column(found, "abstained", np.bool_, default=label == ""),
        reasons=_read_column(found, "reason", np.str_, default=np.zeros(units, np.str_)),
        ood_score=_read_column(found, "ood_score", np.float32, default=unknown),
        prevalence=_read_prevalence(found, len(classes)),
        coverage=_read_coverage(found),
        provenance=provenance,
        descriptions={name: said for name, said in descriptions if said},
        notes=_read_texts(found, "notes", ()),
    )


def _parse_sets(
    found: NwbObject, units: int, classes: Shaped[np.ndarray, " classes"]
) -> Bool[np.ndarray, "units classes"]:
    """Return which classes are in the prediction set of each unit."""
    members = np.zeros((units, len(classes)), np.bool_)
    column = _find_column(found, "prediction_set")
    if column is None:
        return members
    if column.ends is None or column.values.dtype != object:
        raise InvalidResults(f"{found.name}: prediction_set must be a list of texts for each unit.")
    named = column.values.ravel()[: int(column.ends[-1]) if len(column.ends) else 0].tolist()
    places = {name: at for at, name in enumerate(classes.tolist())}
    if strange := [name for name in named if name not in places]:
        raise InvalidResults(f"{found.name}: prediction_set contains {str(strange[0])[:100]!r}, which is not a class.")
    rows = np.repeat(np.arange(units), np.diff(column.ends, prepend=0))
    members[rows, [places[name] for name in named]] = True
    return members


def _read_coverage(found: NwbObject) -> float:
    """Return the coverage. It is NaN if no prediction sets are stored, for example for a criterion."""
    if "coverage" not in found.attributes and _find_column(found, "prediction_set") is None:
        return np.nan
    return float(_read_attribute(found, "coverage", float))


def _read_prevalence(found: NwbObject, classes: int) -> Shaped[np.ndarray, " classes"]:
    shares = found.attributes.get("prevalence", (np.nan,) * classes)
    numbers = tuple(share for share in (shares if isinstance(shares, tuple) else ()) if isinstance(share, int | float))
    if len(numbers) != classes or numbers != shares:
        raise InvalidResults(f"{found.name}: prevalence must have a number for each of {classes} classes.")
    return np.array(numbers, np.float32)


def _read_column(
    found: NwbObject, name: str, dtype: type, dimensions: int = 1, *, default: np.ndarray | None = None
) -> Shaped[np.ndarray, "rows ..."]:
    """Read a column and check its type and the number of its axes. Return `default` if there is no such column."""
    column = _find_column(found, name)
    if column is None and default is not None:
        return default
    if column is None:
        raise InvalidResults(f"{found.name} has no column {name}.")
    is_text = dtype is np.str_
    fits = column.values.dtype.kind == "O" if is_text else column.values.dtype.kind in "biuf"
    if not fits or column.values.ndim != dimensions or column.ends is not None:
        raise InvalidResults(
            f"{found.name}: {name} must hold {'text' if is_text else 'numbers'} along {dimensions} axes, its type is "
            f"{column.values.dtype} and its shape {column.values.shape}."
        )
    with np.errstate(invalid="ignore", over="ignore"):
        return column.values.astype(dtype)


def _find_column(found: NwbObject, name: str) -> Column | None:
    return next((column for column in found.columns if column.name == name), None)


def _read_attribute(found: NwbObject, name: str, kind: type = str) -> Any:
    value = found.attributes.get(name)
    if kind is float and type(value) is int and abs(value) < 2**63:
        value = float(value)
    if not isinstance(value, kind):
        raise InvalidResults(f"{found.name}: {name} must be {kind.__name__}, got {str(value)[:100]!r}.")
    return value


def _read_texts(found: NwbObject, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
    value = found.attributes.get(name, default)
    texts = tuple(each for each in (value if isinstance(value, tuple) else ()) if isinstance(each, str))
    if texts != value:
        raise InvalidResults(f"{found.name}: {name} must be a list of texts.")
    return texts


def _read_ids(found: NwbObject) -> Shaped[np.ndarray, " rows"]:
    ids = found.unit_ids if found.unit_ids is not None else np.empty(0)
    return ids.astype(np.str_) if ids.dtype == object else ids
