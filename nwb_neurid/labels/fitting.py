"""Fit label heads. All settings are chosen within the training data, with folds that keep animals together."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from nwb_neurid._system.names import RULE, is_fit_name
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.calibration import Calibration, check_coverage, fit_temperature, temper, vote
from nwb_neurid.labels.classifier import KINDS, STRENGTHS, Classifier, fit_classifier
from nwb_neurid.labels.head import LabelHead
from nwb_neurid.labels.novelty import Novelty, find_quantiles, fit_shape, measure_distance
from nwb_neurid.labels.training_data import Examples, collect_examples, draw_folds
from nwb_neurid.results import Json

FOLDS = 10
FOLDS_OF_CHOICE = 5


def fit_head(
    vectors: Float[np.ndarray, "units dim"],
    labels: Shaped[np.ndarray, " units"],
    subjects: Shaped[np.ndarray, " units"],
    *,
    label_name: str,
    scope: str = "",
    kind: str = "linear",
    coverage: float = 0.9,
    seed: int = 0,
    groups: Shaped[np.ndarray, " units"] | None = None,
    neighbours: Int64[np.ndarray, "units nearest"] | None = None,
    encoder: Mapping[str, Json] | None = None,
    details: Mapping[str, Json] | None = None,
    progress: Progress = silent,
) -> LabelHead:
    """Fit a label head: a classifier of vectors, its calibration, and the bounds of its training data.

    The regularisation, the calibration and the conformal scores come from folds that keep animals together. If there is
    only one animal, folds keep the rows of a neuron together.

    Parameters
    ----------
    vectors
        Shape (units, dim). Units without a vector (NaN) are left out.
    labels
        Known classes, shape (units,); "" where unknown.
    subjects
        The animal of each unit, shape (units,).
    label_name, scope
        Name of the label, and the kind of neurons for which the predictions are valid.
    kind
        "linear" (a class-balanced multinomial logistic regression on standardised vectors) or "mlp".
    coverage
        The share of units whose prediction set should contain the true class.
    seed
        Random seed of the folds and the network, for reproducible results.
    groups
        Index of the neuron of each row, shape (units,). Rows of one neuron are always in the same fold. By default,
        each row is a separate neuron.
    neighbours
        Rows of the neighbours of each unit, see `nwb_neurid.labels.neighbours`; needed for smoothing.
    encoder
        The encoder that computed the vectors, see `nwb_neurid.labels.head.identify_encoder`. The head refuses vectors
        of other encoders.
    details
        Further entries of `LabelHead.details`.
    progress
        Progress callback, called at every fold.

    Returns
    -------
    LabelHead
        The head, fitted to all units of known class, and calibrated on held-out animals.

    Raises
    ------
    InvalidOption
        If `kind` or `coverage` is invalid, or a labelled unit has no subject.
    CannotFit
        If there are fewer than two classes of two units.

    Warns
    -----
    NeuridWarning
        If classes may be one class spelt differently, a class has one unit or comes from one animal, or an animal has
        units of one class only.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.tile(["PV", "SST"], 60)
    >>> vectors = rng.normal(size=(120, 3)) + 4 * (labels == "PV")[:, None]
    >>> subjects = np.repeat([f"mouse {number}" for number in range(6)], 20)
    >>> head = fit_head(vectors, labels, subjects, label_name="cell_type")
    >>> head.details["balanced_accuracy"] > 0.95
    True
    """
    check_head(kind, coverage)
    if nameless := int(((subjects == "") & (labels != "")).sum()):
        raise InvalidOption(
            f"{nameless} units have a label but no subject, and folds must keep animals together. State the subjects "
            "(--subjects table.csv, with the columns source and subject)."
        )
    examples, notes = collect_examples(vectors, labels, subjects, groups, neighbours, label_name)
    for note in notes:
        warn(note)
    strength = _choose_strength(examples, kind, seed, progress)
    calibration, distances = _calibrate(examples, kind, strength, seed, progress)
    classifier, rows = _fit_without(examples, np.empty(0, np.int64), kind, strength, seed)
    means, precision = fit_shape(classifier.standardise(examples.vectors[rows]), examples.truth[rows])
    return LabelHead(
        label_name=label_name,
        scope=scope,
        classes=examples.classes,
        kind=kind,
        prevalence=calibration.prevalence,
        coverage=coverage,
        classifier=classifier,
        calibration=calibration,
        novelty=Novelty(means=means, precision=precision, distances=find_quantiles(distances, examples.animal[rows])),
        encoder=dict(encoder or {}),
        details={
            **_describe_data(calibration, examples, subjects),
            "strength": strength,
            "seed": seed,
            "notes": list(notes),
            **(details or {}),
        },
    )


def check_label(name: str) -> None:
    """Check that the name of a label can be part of the names of files and columns.

    Raises
    ------
    InvalidOption
        If it cannot be.
    """
    if not is_fit_name(name):
        raise InvalidOption(f"A head cannot predict a label called {name!r}: {RULE}. Rename it in the recordings.")


def check_head(kind: str, coverage: float) -> None:
    """Check the options of a head before anything is computed.

    Raises
    ------
    InvalidOption
        If `kind` or `coverage` is invalid, see `fit_head`.
    """
    if kind not in KINDS:
        raise InvalidOption(f"There is no head {kind!r}. Choose one of: {', '.join(KINDS)}.")
    check_coverage(coverage)


def _fit_without(
    examples: Examples, left_out: np.ndarray, kind: str, strength: float, seed: int
) -> tuple[Classifier, np.ndarray]:
    """Fit a classifier without some rows. Also return the rows to which it was fitted."""
    rows = np.setdiff1d(np.flatnonzero(examples.known), left_out)
    count = len(examples.classes)
    truth = examples.truth[rows]
    return fit_classifier(examples.vectors[rows], truth, count, kind=kind, strength=strength, seed=seed), rows


def _choose_strength(examples: Examples, kind: str, seed: int, progress: Progress) -> float:
    """Choose the regularisation with the best mean log probability of the true class, with equal weight of classes."""
    folds = draw_folds(examples, FOLDS_OF_CHOICE, seed)
    strengths = STRENGTHS[kind]
    flat = np.ones(len(examples.classes))
    losses = []
    for strength in progress(strengths, label="regularisation", total=len(strengths)):
        reached = np.full(len(examples.truth), np.nan)
        for fold in folds:
            classifier, _ = _fit_without(examples, fold, kind, strength, seed)
            shares = temper(classifier.score(examples.vectors[fold]), flat, 1.0, 0.01)
            reached[fold] = np.log(shares[np.arange(len(fold)), examples.truth[fold]])
        by_class = [reached[examples.truth == at].mean() for at in range(len(examples.classes))]
        losses.append(-float(np.mean(by_class)))
    return strengths[int(np.argmin(losses))]


def _calibrate(
    examples: Examples, kind: str, strength: float, seed: int, progress: Progress
) -> tuple[Calibration, Float64[np.ndarray, " known"]]:
    """Calibrate on held-out animals.

    Also return the distance of each known unit from the units of the other animals.
    """
    known = examples.known
    scores = np.zeros((len(known), len(examples.classes)))
    distances = np.zeros(len(known))
    folds = draw_folds(examples, FOLDS, seed)
    for fold in progress(folds, label="folds", total=len(folds)):
        classifier, rows = _fit_without(examples, fold, kind, strength, seed)
        scores[fold] = classifier.score(examples.vectors[fold])
        shape = fit_shape(classifier.standardise(examples.vectors[rows]), examples.truth[rows])
        distances[fold] = measure_distance(classifier.standardise(examples.vectors[fold]), *shape)
    prevalence = np.bincount(examples.truth[known], minlength=len(examples.classes)) / known.sum()
    sharpness, lapse = fit_temperature(scores[known], examples.truth[known], examples.animal[known], prevalence)
    voted = (1.0, 0.0)
    if examples.neighbours is not None:
        votes = vote(temper(scores, prevalence, sharpness, lapse), examples.neighbours, prevalence)
        voted = fit_temperature(votes[known], examples.truth[known], examples.animal[known], prevalence)
    calibration = Calibration(
        scores=scores,
        truth=examples.truth,
        animal=examples.animal,
        neighbours=examples.neighbours,
        prevalence=prevalence,
        sharpness=sharpness,
        lapse=lapse,
        voted_sharpness=voted[0],
        voted_lapse=voted[1],
    )
    return calibration, distances[known]


def _describe_data(
    calibration: Calibration, examples: Examples, subjects: Shaped[np.ndarray, " units"]
) -> dict[str, Json]:
    """Describe the training: subjects, units of each class, and scores on held-out animals or units."""
    from sklearn.metrics import balanced_accuracy_score, f1_score

    known = examples.known
    truth = examples.truth[known]
    predicted = calibration.scores[known].argmax(axis=1)
    counts = np.bincount(truth, minlength=len(examples.classes)).tolist()
    return {
        "subjects": sorted({str(name) for name in subjects} - {""}),
        "animals": calibration.animals,
        "units": int(known.sum()),
        "units_of_class": dict(zip(examples.classes.tolist(), counts, strict=True)),
        "macro_f1": round(float(f1_score(truth, predicted, average="macro")), 4),
        "balanced_accuracy": round(float(balanced_accuracy_score(truth, predicted)), 4),
    }
