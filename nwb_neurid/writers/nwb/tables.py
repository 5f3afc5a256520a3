"""Convert results to objects of an NWB file. This module accesses no file."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from jaxtyping import Int32, Shaped

from nwb_neurid.clusters import find_clusters
from nwb_neurid.errors import InvalidResults
from nwb_neurid.results import UNTRAINED, Embeddings, Predictions, Provenance
from nwb_neurid.writers.nwb.objects import (
    EMBEDDINGS,
    MODEL,
    PREDICTIONS,
    Attribute,
    Column,
    NwbObject,
    are_same_values,
    check_text,
    make_text,
    name_object,
)

AS_JSON = ("config", "software")
MOST_CLASSES = 4_000  # HDF5 limits attributes, and also names of dimensions, to 64 KiB; a text has 16 bytes


def describe_results(name: str, embeddings: Embeddings, predictions: Sequence[Predictions]) -> tuple[NwbObject, ...]:
    """Convert the model, the embeddings and the predictions to objects of the file.

    Parameters
    ----------
    name
        Name of the results. The names of the objects begin with it.
    embeddings, predictions
        The results. Each label is predicted once.

    Raises
    ------
    InvalidResults
        If there is nothing to write, the parts belong to different units or models, or a value cannot be stored in
        the file.
    InvalidOption
        If `name`, or the name of a label, cannot be part of the name of an NWB object.
    """
    units, dim = embeddings.vectors.shape
    if not units or not dim:
        raise InvalidResults(f"There is nothing to write: {units} units with vectors of {dim} dimensions.")
    if not embeddings.provenance.encoder:
        raise InvalidResults("The provenance must name the encoder, as that of vectors from Model.embed does.")
    labels = [part.label_name for part in predictions]
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise InvalidResults(f"Each label can be predicted once, got two predictions of {', '.join(repeated)}.")
    for part in predictions:
        _check(part, embeddings)
    objects = [_describe_model(name, embeddings.provenance), _describe_embeddings(name, embeddings)]
    objects += [_describe_predictions(name, part) for part in predictions]
    for found in objects:
        check_text(found)
    return tuple(objects)


def _check(predictions: Predictions, embeddings: Embeddings) -> None:
    of = f"The predictions of {predictions.label_name!r}"
    if not are_same_values(predictions.unit_ids, embeddings.unit_ids):
        raise InvalidResults(f"{of} must have the same units as the embeddings, in the same order.")
    if predictions.provenance != embeddings.provenance:
        raise InvalidResults(f"{of} must have the provenance of the embeddings.")
    classes = predictions.classes.tolist()
    if not classes or len(set(classes)) < len(classes):
        raise InvalidResults(f"{of} must have classes of different names, got {classes}.")
    if len(classes) > MOST_CLASSES:
        raise InvalidResults(f"{of} have {len(classes)} classes; an NWB file can hold {MOST_CLASSES}.")


def _describe_model(name: str, provenance: Provenance) -> NwbObject:
    known = {field.name: getattr(provenance, field.name) for field in fields(Provenance)}
    known |= {"window_s": float(provenance.window_s), "stitched": bool(provenance.stitched)}
    known |= {"dimensions": provenance.dimensions if len(provenance.dimensions) <= MOST_CLASSES else ()}
    try:
        known |= {key: json.dumps(dict(known[key])) for key in AS_JSON if known[key]}
    except (TypeError, ValueError) as error:
        raise InvalidResults(f"config and software of the provenance must be plain JSON: {error}.") from error
    return NwbObject(
        name=name_object(name, MODEL),
        neurodata_type=MODEL,
        description=f"The {_name_encoder(provenance)}.{_write_caveats(provenance)}",
        attributes=_drop_empty(known),
    )


def _describe_embeddings(name: str, embeddings: Embeddings) -> NwbObject:
    units, dim = embeddings.vectors.shape
    columns = [
        Column(
            name="embedding",
            description=f"Vector of the neuron, {dim} dimensions. All values are NaN if the neuron has no vector.",
            values=embeddings.vectors,
        )
    ]
    if not np.array_equal(embeddings.n_windows, count_one_window(embeddings.reasons)):
        seen = "Number of windows in which the neuron was observed and active."
        columns.append(Column(name="n_windows", description=seen, values=embeddings.n_windows))
    if not np.isnan(embeddings.stability).all():
        halves = (
            "Cosine similarity, from -1 to 1, between two mean vectors of the neuron, each computed from a random half "
            "of its windows. If the encoder uses no windows, it is the similarity between the vectors of the neuron in "
            "two parts of the recording. NaN if the neuron has too few data."
        )
        columns.append(Column(name="stability", description=halves, values=embeddings.stability))
    why = "Why the neuron has no vector. Empty if the neuron has a vector."
    columns.append(Column(name="reason", description=why, values=make_text(embeddings.reasons)))
    columns += _describe_clusters(embeddings)
    provenance = embeddings.provenance
    of = f"A vector of {dim} dimensions for each of {units} neurons, by {_name_encoder(provenance)}."
    return NwbObject(
        name=name_object(name, EMBEDDINGS),
        neurodata_type=EMBEDDINGS,
        description=of + _write_caveats(provenance),
        attributes={},
        columns=tuple(columns),
        unit_ids=embeddings.unit_ids,
    )


def _describe_clusters(embeddings: Embeddings) -> list[Column]:
    """Describe clusters of the vectors and two dimensions for plots. Return none if `find_clusters` finds none.

    These are columns like those that any user may add to the table. They are not part of the specification.
    """
    found = find_clusters(embeddings)
    if found is None:
        return []
    of = "principal component of the standardised vectors of this recording. NaN if the neuron has no vector."
    which = (
        "Cluster of the vector within this recording, by HDBSCAN on principal components. 0 is the largest cluster. "
        "-1 means that the neuron belongs to no cluster."
    )
    places = found.places.astype(np.float32)
    return [
        Column(name="cluster", description=which, values=found.cluster.astype(np.int32)),
        Column(name="map_x", description=f"First {of}", values=places[:, 0]),
        Column(name="map_y", description=f"Second {of}", values=places[:, 1]),
    ]


def _describe_predictions(name: str, predictions: Predictions) -> NwbObject:
    among = f" among {predictions.scope}" if predictions.scope else ""
    by = _name_encoder(predictions.provenance)
    attributes = {
        "label_name": predictions.label_name,
        "scope": predictions.scope,
        "classes": tuple(map(str, predictions.classes)),
        "class_descriptions": _describe_classes(predictions),
        "prevalence": tuple(predictions.prevalence.tolist()) if np.isfinite(predictions.prevalence).all() else (),
        "coverage": float(predictions.coverage) if np.isfinite(predictions.coverage) else "",
        "notes": predictions.notes,
    }
    return NwbObject(
        name=name_object(name, PREDICTIONS, predictions.label_name),
        neurodata_type=PREDICTIONS,
        description=f"Predicted {predictions.label_name}{among}, from vectors by {by}."
        + _write_caveats(predictions.provenance)
        + "".join(f" {note}" for note in predictions.notes),
        attributes=_drop_empty(attributes),
        columns=tuple(_describe_columns(predictions)),
        unit_ids=predictions.unit_ids,
    )


def _describe_classes(predictions: Predictions) -> tuple[str, ...]:
    """Return the description of each class, "" if it has none. If no class has one, return ()."""
    known = predictions.descriptions
    return tuple(known.get(name, "") for name in predictions.classes.tolist()) if any(known.values()) else ()


def _describe_columns(predictions: Predictions) -> Iterator[Column]:
    label = "The most probable class. Empty if the neuron has no vector."
    yield Column(name="predicted_label", description=label, values=make_text(predictions.label))
    if not np.isnan(predictions.class_probabilities).all():
        one = "Probability of predicted_label, from 0 to 1. NaN if the neuron has no vector."
        yield Column(name="probability", description=one, values=predictions.probability)
        each = (
            "Probability of each class, from 0 to 1, in the order of the classes: "
            f"{', '.join(map(str, predictions.classes))}. NaN if the neuron has no vector."
        )
        yield Column(name="class_probabilities", description=each, values=predictions.class_probabilities)
    if predictions.prediction_set.any():
        plausible = f"The classes that are plausible at a coverage of {predictions.coverage:g}."
        members = make_text(predictions.classes[np.nonzero(predictions.prediction_set)[1]])
        ends = np.cumsum(predictions.prediction_set.sum(axis=1, dtype=np.int64))
        yield Column(name="prediction_set", description=plausible, values=members, ends=ends)
    whether = "Whether the model abstains for this neuron."
    yield Column(name="abstained", description=whether, values=predictions.abstained)
    why = "Why the model abstains, or why the neuron has no vector. Empty otherwise."
    yield Column(name="reason", description=why, values=make_text(predictions.reasons))
    if not np.isnan(predictions.ood_score).all():
        unlike = (
            "How much the neuron differs from the training data. Higher values mean a larger difference. NaN if the "
            "difference is not known."
        )
        yield Column(name="ood_score", description=unlike, values=predictions.ood_score)


def _drop_empty(values: Mapping[str, Any]) -> dict[str, Attribute]:
    return {name: value for name, value in values.items() if value not in ("", {}, ())}


def _name_encoder(provenance: Provenance) -> str:
    return f"encoder {provenance.encoder} {provenance.encoder_version}".rstrip()


def _write_caveats(provenance: Provenance) -> str:
    """Write what readers of the table must know before they use it."""
    sentences = []
    if provenance.training.startswith(UNTRAINED):
        sentences.append(" The encoder is untrained: its weights are random.")
    if provenance.stitched:
        sentences.append(
            f" Windows of {provenance.window_s:g} s were stitched together from shorter stretches of observed time, so "
            "scores on the vectors are not comparable with published ones."
        )
    return "".join(sentences)


def count_one_window(reasons: Shaped[np.ndarray, " units"]) -> Int32[np.ndarray, " units"]:
    """Return the number of windows if the whole recording is used as one window."""
    return (reasons == "").astype(np.int32)
