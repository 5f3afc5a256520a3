"""`LabelHead`: a fitted classifier of vectors with its calibration, as arrays."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPrior:
    """Published frequencies of classes in a part of the brain.

    Parameters
    ----------
    shares
        The share of each class of the head.
    source
        The publication that reports them.
    """

    shares: Mapping[str, float]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredPart:
    """A part of a vector that a head needs, such as the part that is computed from the waveform.

    Parameters
    ----------
    dims
        Dimensions of the vector that are all 0 if the part is missing.
    reason
        The reason that the head gives if the part is missing, and it therefore abstains.
    of
        The field of `Population` from which the part is computed, such as "waveforms_uv", or "". `embed` applies a
        bundled model only to recordings that have this field.
    """

    dims: tuple[int, ...]
    reason: str
    of: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelHead:
    """A calibrated classifier of vectors that can abstain. `nwb_neurid.labels.fitting.fit_head` makes it.

    Parameters
    ----------
    label_name, scope
        The label that it predicts ("cell_type"), and the kind of neurons for which its predictions are valid
        ("opto-tagged interneurons of mouse V1").
    classes
        Names of the classes, shape (classes,), ascending.
    kind
        "linear" or "mlp".
    prevalence
        Share of each class on which the probabilities are based, shape (classes,): that of the training data, unless
        `caveats` state otherwise.
    coverage
        Default coverage of the prediction sets: the share of units whose set should contain the true class.
    classifier, calibration, novelty
        They compute the scores of a vector, the calibrated probabilities, and the distance from the training data.
    encoder
        The encoder whose vectors it accepts: name, version, config and hash of the weights. {} for any.
    details
        Subjects, units, scores on held-out animals, and how the head was fitted.
    caveats
        Sentences that are added to predictions made without a prior.
    priors
        Published shares of the classes, by the name of a part of the brain.
    required
        The part of a vector without which the head abstains; None if it needs none.
    parts
        Parts of the brain in which it is valid, with the names in `nwb_neurid.labels.criteria.regions`; () for all.
    rare
        Classes with too few training units. If one of these is the only plausible class, the head abstains.
    stretches
        The recording is divided into this number of equal stretches, and the head abstains from a unit unless its most
        probable class is the same in all of them. 0 to skip this test.
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
    caveats: tuple[str, ...] = ()
    priors: Mapping[str, PublishedPrior] = field(default_factory=dict)
    required: RequiredPart | None = None
    parts: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    stretches: int = 0

    @property
    def dim(self) -> int:
        """Return the length of the vectors that the head accepts."""
        return len(self.classifier.center)

    def compute_probabilities(self, vectors: Float[np.ndarray, "units dim"]) -> Float64[np.ndarray, "units classes"]:
        """Compute the calibrated probability of each class, shape (units, classes). A vector of NaN gets NaN."""
        return self.calibration.compute_probabilities(self.classifier.score(vectors))

    @property
    def left_out(self) -> str:
        """Return the data for the scores: held-out animals, or held-out units if there is only one animal."""
        return "held-out animals" if self.details.get("animals") != 1 else "held-out units of the one animal"

    def explain_guessing(self) -> str:
        """Explain that the head is no better than guessing. Return "" if it is better.

        Returns
        -------
        str
            One sentence with the balanced accuracy on held-out animals, and that of guessing.
        """
        own, limit = self.calibration.balanced_accuracy, self.calibration.guessing_limit
        if own > limit:
            return ""
        return (
            f"The head for {self.label_name} is no better than guessing: balanced accuracy {own:.3f} on "
            f"{self.left_out}, where guessing reaches up to {limit:.3f}."
        )

    def check_encoder(self, encoder: Mapping[str, Json]) -> None:
        """Check that vectors are from the encoder and the weights for which the head was fitted.

        Parameters
        ----------
        encoder
            Name, version, config and hash of the weights, see `identify_encoder`.

        Raises
        ------
        WrongWeights
            If they are not.
        """
        for name in OF_ENCODER:
            wanted, got = self.encoder.get(name), encoder.get(name)
            if self.encoder and json.dumps(wanted, sort_keys=True) != json.dumps(got, sort_keys=True):
                raise WrongWeights(
                    f"The label head {self.label_name!r} was fitted to vectors of another encoder: {name} {got!r}, "
                    f"expected {wanted!r}. Fit a head to this one: nwb-neurid fit-labels."
                )


def choose_head(heads: Mapping[str, LabelHead], label: str) -> LabelHead:
    """Choose the head for a label. If the label is "", the only head is chosen.

    Raises
    ------
    InvalidOption
        If there is no such head, or there are several and `label` is empty.
    """
    if label in heads or (not label and len(heads) == 1):
        return heads[label or next(iter(heads))]
    if not heads:
        raise InvalidOption("The model has no label heads and predicts no labels. Fit one: nwb-neurid fit-labels.")
    asked = f"no label head {label!r}" if label else f"{len(heads)} label heads, and none was chosen (--label)"
    raise InvalidOption(f"The model has {asked}. It has: {', '.join(heads)}.")


def identify_encoder(provenance: Provenance) -> dict[str, Json]:
    """Collect the facts that identify the encoder of some vectors. A head accepts only vectors of its own encoder."""
    return {
        "encoder": provenance.encoder,
        "encoder_version": provenance.encoder_version,
        "config": dict(provenance.config),
        "weights_sha256": provenance.weights_sha256,
    }
