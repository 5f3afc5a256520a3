"""`LabelHead`: what turns vectors into names, as arrays."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float64, Shaped

from nwb_neurid.errors import InvalidOption, WrongWeights
from nwb_neurid.labels.calibration import Calibration
from nwb_neurid.labels.classifier import Classifier
from nwb_neurid.labels.novelty import Novelty
from nwb_neurid.results import Json, Provenance

OF_ENCODER = ("encoder", "encoder_version", "config", "weights_sha256")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelHead:
    """A classifier of vectors that is calibrated and can decline. Made by `nwb_neurid.labels.fitting.fit_head`.

    Parameters
    ----------
    label_name, scope
        What it predicts ("cell_type"), and among what ("opto-tagged interneurons of mouse V1").
    classes
        Their names, shape (classes,), ascending.
    kind
        "linear" or "mlp".
    prevalence
        Share of each class in the training data, shape (classes,).
    coverage
        The share of units whose set should hold their true class, where no other is asked for.
    classifier, calibration, novelty
        What is computed of a vector.
    encoder
        Whose vectors these are: name, version, config and hash of the weights. {} for any.
    details
        Subjects, units, scores on animals left out, and how it was fitted.
    """

    label_name: str
    scope: str
    classes: Shaped[np.ndarray, " classes"]
    kind: str
    prevalence: Float64[np.ndarray, " classes"]
    coverage: float
    classifier: Classifier
    calibration: Calibration
    novelty: Novelty
    encoder: Mapping[str, Json] = field(default_factory=dict)
    details: Mapping[str, Json] = field(default_factory=dict)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return len(self.classifier.center)

    def compute_probabilities(self, vectors: Float[np.ndarray, "units dim"]) -> Float64[np.ndarray, "units classes"]:
        """Calibrated probability of each class, shape (units, classes); NaN for a unit without a vector."""
        return self.calibration.compute_probabilities(self.classifier.score(vectors))

    @property
    def left_out(self) -> str:
        """What its scores are of: animals that it had not seen, or units where there is one animal only."""
        return "animals left out" if self.details.get("animals") != 1 else "units of the one animal left out"

    def check_encoder(self, encoder: Mapping[str, Json]) -> None:
        """Refuse vectors of another encoder, or of other weights.

        Raises
        ------
        WrongWeights
            If they are.
        """
        for name in OF_ENCODER:
            wanted, got = self.encoder.get(name), encoder.get(name)
            if self.encoder and _plain(wanted) != _plain(got):
                raise WrongWeights(
                    f"The label head {self.label_name!r} was fitted to vectors of another encoder: {name} {got!r}, "
                    f"expected {wanted!r}. Fit a head to this one: nwb-neurid fit-labels."
                )


def choose_head(heads: Mapping[str, LabelHead], label: str) -> LabelHead:
    """The head for this label; "" for the only one.

    Raises
    ------
    InvalidOption
        If there is no such head, or it is not said which.
    """
    if label in heads or (not label and len(heads) == 1):
        return heads[label or next(iter(heads))]
    if not heads:
        raise InvalidOption("The model has no label heads and names no units. Make one with nwb-neurid fit-labels.")
    asked = f"no label head {label!r}" if label else f"{len(heads)} label heads, and none is named"
    raise InvalidOption(f"The model has {asked}. It has: {', '.join(heads)}.")


def identify_encoder(provenance: Provenance) -> dict[str, Json]:
    """What a head is bound to."""
    return {
        "encoder": provenance.encoder,
        "encoder_version": provenance.encoder_version,
        "config": dict(provenance.config),
        "weights_sha256": provenance.weights_sha256,
    }


def _plain(value: object) -> str:
    return json.dumps(value, sort_keys=True)
