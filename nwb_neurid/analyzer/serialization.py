"""Conversion between results and the arrays that an extension of an analyzer keeps.

SpikeInterface stores arrays without changes. It stores tables as CSV, which loses a label such as "NA" or "None", and
it pickles everything else. Labels are therefore stored as indices of their classes. Everything that is not an array
is stored as JSON in one array.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from nwb_neurid.results import Embeddings, Predictions, Provenance

Arrays = Mapping[str, np.ndarray]

ABOUT, BESIDE = "about", "beside"
OF_EMBEDDINGS = ("vectors", "n_windows", "stability", "reasons")
OF_A_LABEL = ("label_name", "scope", "coverage", "notes")
OF_PREDICTIONS = ("class_probabilities", "prediction_set", "abstained", "reasons", "ood_score")


def pack_embeddings(embeddings: Embeddings) -> dict[str, np.ndarray]:
    """Pack embeddings into arrays. One of these holds the provenance as JSON."""
    rows = {name: np.array(getattr(embeddings, name)) for name in OF_EMBEDDINGS}
    return {**rows, ABOUT: _to_json(asdict(embeddings.provenance))}


def unpack_embeddings(arrays: Arrays, unit_ids: np.ndarray) -> Embeddings:
    """Unpack the arrays of `pack_embeddings`, for these units."""
    rows: dict[str, Any] = {name: np.asarray(arrays[name]) for name in OF_EMBEDDINGS}
    return Embeddings(unit_ids=unit_ids, provenance=_to_provenance(_from_json(arrays[ABOUT])), **rows)


def pack_predictions(predictions: list[Predictions]) -> dict[str, np.ndarray]:
    """Pack the predictions of each label into arrays whose names contain a number. One array holds the rest as JSON."""
    arrays: dict[str, np.ndarray] = {}
    about = []
    for at, part in enumerate(predictions):
        arrays |= {f"{name}_{at}": np.array(getattr(part, name)) for name in OF_PREDICTIONS}
        arrays[f"class_index_{at}"] = _index_classes(part)
        arrays[f"prevalence_{at}"] = np.array(part.prevalence)
        about.append(
            {
                **{name: getattr(part, name) for name in OF_A_LABEL},
                "classes": part.classes.tolist(),
                "provenance": asdict(part.provenance),
                "descriptions": dict(part.descriptions),
            }
        )
    return {**arrays, ABOUT: _to_json(about)}


def unpack_predictions(arrays: Arrays, unit_ids: np.ndarray) -> list[Predictions]:
    """Unpack the arrays of `pack_predictions`, for these units."""
    made = []
    for at, about in enumerate(_from_json(arrays[ABOUT])):
        classes = np.array(about.pop("classes"), np.str_)
        index = np.asarray(arrays[f"class_index_{at}"])
        rows: dict[str, Any] = {name: np.asarray(arrays[f"{name}_{at}"]) for name in OF_PREDICTIONS}
        made.append(
            Predictions(
                unit_ids=unit_ids,
                classes=classes,
                label=np.where(index < 0, "", classes[index]),
                prevalence=np.asarray(arrays[f"prevalence_{at}"]),
                provenance=_to_provenance(about.pop("provenance")),
                notes=tuple(about.pop("notes")),
                **about,
                **rows,
            )
        )
    return made


def pack_beside(beside: Mapping[str, Embeddings]) -> dict[str, np.ndarray]:
    """Pack named embeddings into arrays whose names contain a number. One array holds the rest as JSON."""
    arrays: dict[str, np.ndarray] = {}
    for at, each in enumerate(beside.values()):
        arrays |= {f"{name}_{BESIDE}_{at}": np.array(getattr(each, name)) for name in OF_EMBEDDINGS}
    about = [{"name": name, "provenance": asdict(each.provenance)} for name, each in beside.items()]
    return {**arrays, f"{ABOUT}_{BESIDE}": _to_json(about)}


def unpack_beside(arrays: Arrays, unit_ids: np.ndarray) -> dict[str, Embeddings]:
    """Unpack the arrays of `pack_beside`, for these units; empty if nothing was packed."""
    stored = arrays.get(f"{ABOUT}_{BESIDE}")
    found = {}
    for at, about in enumerate([] if stored is None else _from_json(stored)):
        rows: dict[str, Any] = {name: np.asarray(arrays[f"{name}_{BESIDE}_{at}"]) for name in OF_EMBEDDINGS}
        found[about["name"]] = Embeddings(unit_ids=unit_ids, provenance=_to_provenance(about["provenance"]), **rows)
    return found


def select_rows(arrays: Arrays, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Select the rows of some units."""
    of_all = (ABOUT, "prevalence")
    return {name: values if name.startswith(of_all) else values[rows] for name, values in arrays.items()}


def _index_classes(part: Predictions) -> np.ndarray:
    rows = {name: row for row, name in enumerate(part.classes.tolist())}
    return np.array([rows.get(name, -1) for name in part.label.tolist()], np.int32)


def _to_provenance(about: dict[str, Any]) -> Provenance:
    return Provenance(**{**about, **{name: tuple(about.get(name, ())) for name in ("notes", "dimensions")}})


def _to_json(about: object) -> np.ndarray:
    return np.array([json.dumps(about, default=dict)], np.str_)


def _from_json(array: np.ndarray) -> Any:
    return json.loads(str(np.asarray(array)[0]))
