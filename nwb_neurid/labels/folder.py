"""Label heads in a model folder: `heads/<label>.json` and `heads/<label>.safetensors`."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import numpy as np

from nwb_neurid._system.arrays import hash_arrays, pack_arrays, read_arrays
from nwb_neurid._system.file_sets import find_file, find_files
from nwb_neurid._system.files import read_versioned
from nwb_neurid._system.names import CLASS_RULE, RULE, is_class_name, is_fit_name
from nwb_neurid.contracts.config import is_positive, is_share
from nwb_neurid.errors import InvalidModel, WrongWeights
from nwb_neurid.labels.calibration import Calibration
from nwb_neurid.labels.classifier import Classifier
from nwb_neurid.labels.head import LabelHead, PublishedPrior, RequiredPart
from nwb_neurid.labels.novelty import Novelty

FORMAT = 1
FOLDER = "heads"
MODEL = "model.json"
"""The file that identifies the set of files of a model."""
UNSAID: Mapping[str, Any] = {"caveats": [], "priors": {}, "required": None, "parts": [], "rare": [], "stretches": 0}
"""Values of fields that heads of version 0.1 do not have."""

MOST_STRETCHES = 100

AS_THEY_ARE = (
    *("label_name", "scope", "kind", "coverage", "encoder", "details"),
    *("caveats", "parts", "rare", "stretches"),
)
"""Fields of a head that are stored under the same names."""
TEMPERS = ("sharpness", "lapse", "voted_sharpness", "voted_lapse")
KNOWN = {"truth": np.int64, "animal": np.int64, "neighbours": np.int64}


def pack_heads(heads: Mapping[str, LabelHead]) -> dict[str, bytes]:
    """Convert heads to files. Return the content of each file by its path within the model folder."""
    files = {}
    for name, head in heads.items():
        arrays = _collect_arrays(head)
        about = {
            "format": FORMAT,
            **{name: getattr(head, name) for name in AS_THEY_ARE},
            **{name: getattr(head.calibration, name) for name in TEMPERS},
            "classes": head.classes.tolist(),
            "priors": {name: asdict(prior) for name, prior in head.priors.items()},
            "required": None if head.required is None else asdict(head.required),
            "arrays_sha256": hash_arrays(arrays),
        }
        files[f"{FOLDER}/{quote(name, safe='')}.json"] = (json.dumps(about, indent=2, default=dict) + "\n").encode()
        files[f"{FOLDER}/{quote(name, safe='')}.safetensors"] = pack_arrays(arrays)
    return files


def read_heads(folder: Path) -> dict[str, LabelHead]:
    """Read the heads in a model folder, in the order of their labels.

    Raises
    ------
    InvalidModel
        If the description of a head is damaged, or has another format.
    WrongWeights
        If the arrays of a head are missing or damaged, contradict each other, or differ from its description.
    """
    heads = [_read_head(folder, path) for path in find_files(folder, MODEL, f"{FOLDER}/*.json")]
    return {head.label_name: head for head in heads}


def describe_heads(heads: Mapping[str, LabelHead]) -> Iterator[str]:
    """Describe heads for the model card, in Markdown. Yield one line at a time."""
    for head in heads.values():
        scores = {name: head.details.get(name) for name in ("macro_f1", "balanced_accuracy")}
        yield f"### {head.label_name}"
        yield ""
        yield f"- Predictions are valid for: {head.scope or 'not stated'}"
        yield f"- Classes, each with the frequency that the probabilities assume: {_format_shares(head)}"
        units, animals = head.details.get("units"), head.details.get("animals")
        yield f"- Fitted to: {units} units of {animals} animals, {head.kind} head"
        yield f"- On {head.left_out}: macro F1 {scores['macro_f1']}, balanced accuracy {scores['balanced_accuracy']}"
        if guessing := head.explain_guessing():
            yield f"- {guessing}"
        yield f"- Coverage of the prediction sets: {head.coverage:g} by default"
        yield from _describe_further(head)
        yield ""


def _describe_further(head: LabelHead) -> Iterator[str]:
    """Describe properties that only some heads have. Yield one line at a time."""
    for name, value in head.details.items():
        if isinstance(value, Mapping) and (name.startswith("on held-out") or name.endswith("of_class")):
            numbers = ", ".join(
                f"{key.replace('_', ' ').replace('f1', 'F1')} {number}" for key, number in value.items()
            )
            yield f"- {name.replace('_', ' ').capitalize()}: {numbers}"
    for name, prior in head.priors.items():
        shares = ", ".join(f"{key} {share:g}" for key, share in prior.shares.items())
        yield f"- `--prior {name}`: {shares} ({prior.source})"
    yield from (f"- {caveat}" for caveat in head.caveats)
    if head.parts:
        yield f"- The head abstains from units outside {' and '.join(head.parts)}, if their region is known"
    if head.rare:
        rare = " or ".join(head.rare)
        yield (
            f"- The head abstains from a unit if its prediction set holds only {rare}, because too few training "
            "units have this class"
        )
    if head.stretches:
        yield (
            f"- The head abstains from a unit if its most probable class differs between {head.stretches} equal parts "
            "of the recording"
        )
    if head.required is not None:
        yield f"- The head abstains from units with {head.required.reason}"


def _format_shares(head: LabelHead) -> str:
    pairs = zip(head.classes.tolist(), head.prevalence.tolist(), strict=True)
    return ", ".join(f"{name} {share:.2f}" for name, share in pairs)


def _collect_arrays(head: LabelHead) -> dict[str, np.ndarray]:
    calibration, novelty = head.calibration, head.novelty
    arrays = {
        "prevalence": head.prevalence,
        "center": head.classifier.center,
        "scale": head.classifier.scale,
        "scores": calibration.scores,
        "truth": calibration.truth,
        "animal": calibration.animal,
        "means": novelty.means,
        "precision": novelty.precision,
        "distances": novelty.distances,
    }
    for at, (weights, bias) in enumerate(head.classifier.layers):
        arrays |= {f"weights_{at}": weights, f"bias_{at}": bias}
    return arrays if calibration.neighbours is None else arrays | {"neighbours": calibration.neighbours}


def _read_head(folder: Path, path: Path) -> LabelHead:
    about = _read_description(path)
    path = find_file(folder, MODEL, f"{FOLDER}/{path.stem}.safetensors")
    arrays = read_arrays(path)
    if hash_arrays(arrays) != about["arrays_sha256"]:
        raise WrongWeights(
            f"{path} does not match {path.stem}.json: its SHA-256 differs. Copy both files from the same model again."
        )
    fault = _find_fault(arrays, len(about["classes"]))
    if not fault and about["required"] and max(about["required"]["dims"]) >= len(arrays["center"]):
        fault = "it requires dimensions that vectors do not have"
    if fault:
        raise WrongWeights(f"{path} holds no label head: {fault}.")
    layers = tuple((arrays[f"weights_{at}"], arrays[f"bias_{at}"]) for at in range(_count_layers(arrays)))
    calibration = Calibration(
        scores=arrays["scores"],
        truth=arrays["truth"],
        animal=arrays["animal"],
        neighbours=arrays.get("neighbours"),
        prevalence=arrays["prevalence"],
        **{name: float(about[name]) for name in TEMPERS},
    )
    required = about["required"]
    plain: dict[str, Any] = {
        name: tuple(about[name]) if isinstance(about[name], list) else about[name] for name in AS_THEY_ARE
    }
    return LabelHead(
        **plain,
        classes=np.array(about["classes"], np.str_),
        prevalence=arrays["prevalence"],
        classifier=Classifier(center=arrays["center"], scale=arrays["scale"], layers=layers),
        calibration=calibration,
        novelty=Novelty(means=arrays["means"], precision=arrays["precision"], distances=arrays["distances"]),
        priors={name: PublishedPrior(**prior) for name, prior in about["priors"].items()},
        required=None if required is None else RequiredPart(**{**required, "dims": tuple(required["dims"])}),
    )


def _check_names(about: Mapping[str, Any], path: Path) -> None:
    """Refuse a name of the label or of a class that cannot be part of the names of files and columns."""
    if not is_fit_name(about["label_name"]):
        raise InvalidModel(
            f"{path} predicts the label {about['label_name'][:100]!r}, which cannot be used in names of files "
            f"and columns: {RULE}. Fit the head again under another name: nwb-neurid fit-labels."
        )
    if len(about["classes"]) < 2:
        raise InvalidModel(f"{path} must name two classes or more, got {about['classes']!r:.60}.")
    if odd := [name for name in about["classes"] if not is_class_name(name)]:
        raise InvalidModel(
            f"{path} has a class called {odd[0]!r:.60}: {CLASS_RULE}. Fit the head again: nwb-neurid fit-labels."
        )
    if len(set(about["classes"])) < len(about["classes"]):
        raise InvalidModel(f"{path} lists a class twice. Fit the head again: nwb-neurid fit-labels.")


def _read_description(path: Path) -> dict[str, Any]:
    about = {**UNSAID, **read_versioned(path, FORMAT)}
    if name := next((name for name, holds in RULES.items() if not holds(about.get(name))), ""):
        _refuse(path, about, name)
    _check_names(about, path)
    if not set(about["rare"]) <= set(about["classes"]):
        _refuse(path, about, "rare")
    if not all(_is_prior(prior, about["classes"]) for prior in about["priors"].values()):
        _refuse(path, about, "priors")
    return about


def _refuse(path: Path, about: Mapping[str, Any], name: str) -> NoReturn:
    raise InvalidModel(
        f"{path} has an invalid value of {name!r}: {about.get(name)!r:.60}. Fit the head again: nwb-neurid fit-labels."
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _are_dims(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(at) is int and at >= 0 for at in value)


def _is_required(value: Any) -> bool:
    """Return whether a value describes the part of a vector that the head needs, or is None."""
    return value is None or (
        isinstance(value, dict)
        and {"dims", "reason"} <= value.keys() <= {"dims", "reason", "of"}
        and all(isinstance(text, str) for name, text in value.items() if name != "dims")
        and _are_dims(value["dims"])
    )


def _is_prior(prior: object, classes: list[str]) -> bool:
    """Return whether a value contains shares of all classes and their source."""
    if not isinstance(prior, dict) or prior.keys() != {"shares", "source"} or not isinstance(prior["source"], str):
        return False
    shares = prior["shares"]
    return (
        isinstance(shares, dict)
        and shares.keys() == set(classes)
        and all(type(share) in {int, float} and 0 <= share <= 1 for share in shares.values())
        and sum(shares.values()) > 0
    )


RULES: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("label_name", "scope", "kind", "arrays_sha256"), lambda value: isinstance(value, str)),
    **dict.fromkeys(("encoder", "details", "priors"), lambda value: isinstance(value, dict)),
    **dict.fromkeys(("classes", "caveats", "parts", "rare"), _are_texts),
    **dict.fromkeys(("sharpness", "voted_sharpness"), is_positive),
    **dict.fromkeys(("lapse", "voted_lapse"), is_share),
    "coverage": lambda value: is_share(value) and value > 0,
    "required": _is_required,
    "stretches": lambda value: type(value) is int and 0 <= value <= MOST_STRETCHES,
}
"""Requirement on each field of a description."""


def _count_layers(arrays: Mapping[str, np.ndarray]) -> int:
    return sum(name.startswith("weights_") for name in arrays)


def _find_fault(arrays: Mapping[str, np.ndarray], classes: int) -> str:
    """Find an array that is missing or has a wrong shape. Return "" if there is none."""
    dim, rows = arrays.get("center", np.empty(0)).shape, arrays.get("truth", np.empty(0)).shape
    wanted: dict[str, tuple[int, ...]] = {
        "center": dim,
        "scale": dim,
        "prevalence": (classes,),
        "scores": (*rows, classes),
        "truth": rows,
        "animal": rows,
        "precision": (*dim, *dim),
    }
    if "neighbours" in arrays:
        wanted["neighbours"] = (*rows, arrays["neighbours"].shape[-1])
    width = dim
    for at in range(max(1, _count_layers(arrays))):
        last = at + 1 == _count_layers(arrays)
        out = (classes,) if last else arrays.get(f"bias_{at}", np.empty(0)).shape
        wanted |= {f"weights_{at}": (*width, *out), f"bias_{at}": out}
        width = out
    for name, shape in wanted.items():
        if name not in arrays:
            return f"{name} is missing"
        if arrays[name].shape != shape or arrays[name].dtype != KNOWN.get(name, np.float64):
            return f"{name} has shape {arrays[name].shape} and type {arrays[name].dtype}, expected {shape}"
    if not len(dim) == len(rows) == 1 or not all(np.isfinite(values).all() for values in arrays.values()):
        return "its values are not finite numbers"
    return _find_index_fault(arrays, classes)


def _find_index_fault(arrays: Mapping[str, np.ndarray], classes: int) -> str:
    rows = len(arrays["truth"])
    near, means, distances = arrays.get("neighbours"), arrays.get("means"), arrays.get("distances")
    if not ((arrays["truth"] >= -1) & (arrays["truth"] < classes)).all() or not (arrays["truth"] >= 0).any():
        return "truth refers to a class that does not exist"
    if near is not None and not ((near >= -1) & (near < rows)).all():
        return "neighbours refer to a row that does not exist"
    if means is None or means.ndim != 2 or means.shape[1:] != arrays["center"].shape or not len(means):
        return "means are missing or have the wrong shape"
    if distances is None or distances.ndim != 1 or not len(distances) or np.any(np.diff(distances) < 0):
        return "distances are missing or not in ascending order"
    return ""
