"""The classifiers of label heads. They are fitted with scikit-learn, and stored as arrays."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

KINDS = ("linear", "mlp")
STRENGTHS = {"linear": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0), "mlp": (0.1, 1.0, 10.0)}
"""Candidates for the inverse regularisation strength."""

HIDDEN = 64
STEPS = 2000
UNSEEN = 5.0
"""Distance by which the score of a class without training units lies below the mean of the other scores."""

Layer = tuple[Float64[np.ndarray, "_ _"], Float64[np.ndarray, " _"]]  # (inputs, outputs) and (outputs,)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Classifier:
    """Standardisation, followed by layers with rectified linear units between them.

    Parameters
    ----------
    center, scale
        Mean and standard deviation of each dimension of the training vectors, shape (dim,).
    layers
        Weights (inputs, outputs) and bias (outputs,) of each layer; one for a linear classifier.
    """

    center: Float64[np.ndarray, " dim"]
    scale: Float64[np.ndarray, " dim"]
    layers: tuple[Layer, ...]

    def standardise(self, vectors: Float[np.ndarray, "units dim"]) -> Float64[np.ndarray, "units dim"]:
        """Standardise vectors with the mean and standard deviation of the training data."""
        return (vectors.astype(np.float64) - self.center) / self.scale

    def score(self, vectors: Float[np.ndarray, "units dim"]) -> Float64[np.ndarray, "units classes"]:
        """Compute the log odds of each class, as if all classes were equally common. A vector of NaN gets NaN."""
        values = self.standardise(vectors)
        for weights, bias in self.layers[:-1]:
            values = np.maximum(values @ weights + bias, 0.0)
        weights, bias = self.layers[-1]
        return np.asarray(values @ weights + bias)


def fit_classifier(
    vectors: Float64[np.ndarray, "units dim"],
    truth: Int64[np.ndarray, " units"],
    classes: int,
    *,
    kind: str = "linear",
    strength: float = 1.0,
    seed: int = 0,
    weights: Float64[np.ndarray, " units"] | None = None,
) -> Classifier:
    """Standardise vectors, and fit a class-balanced logistic regression (the usual probe) or a small network.

    Parameters
    ----------
    vectors
        Shape (units, dim), finite.
    truth
        The class of each unit, from 0, shape (units,).
    classes
        Number of classes. A class without units gets the lowest score.
    kind
        One of `KINDS`.
    strength
        Inverse of the regularisation strength.
    seed
        Random seed of the network.
    weights
        Weight of each unit within its class, shape (units,). Classes have equal weights, and so do the units of a class
        by default. For a linear classifier only.

    Returns
    -------
    Classifier
        A classifier with one score for each class.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(vectors)
    known, at = np.unique(truth, return_inverse=True)
    values = scaler.transform(vectors)
    if len(known) == 1:
        layers: list[Layer] = [(np.zeros((vectors.shape[1], 1)), np.zeros(1))]
    else:
        own = np.ones(len(at)) if weights is None else weights
        layers = (
            _fit_network(values, at, strength, seed) if kind == "mlp" else [_fit_logistic(values, at, strength, own)]
        )
    last, bias = layers.pop()
    if last.shape[1] == 1 and len(known) == 2:  # two classes share one score
        last, bias = np.hstack([-last, last]) / 2, np.r_[-bias, bias] / 2
    if kind == "mlp":  # the network has also learned the frequencies of the classes
        bias = bias - np.log(np.bincount(at) / len(at))
    return Classifier(
        center=np.asarray(scaler.mean_, np.float64),
        scale=np.asarray(scaler.scale_, np.float64),
        layers=(*layers, _widen(last, bias, known, classes)),
    )


def _fit_logistic(values: np.ndarray, truth: np.ndarray, strength: float, weights: np.ndarray) -> Layer:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(C=strength, class_weight="balanced", max_iter=STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(values, truth, weights / np.bincount(truth, weights)[truth] * np.bincount(truth)[truth])
    return np.asarray(probe.coef_.T, np.float64), np.asarray(probe.intercept_, np.float64)


def _fit_network(values: np.ndarray, truth: np.ndarray, strength: float, seed: int) -> list[Layer]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    network = MLPClassifier((HIDDEN,), alpha=1 / strength, max_iter=200, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(values, truth)
    pairs = zip(network.coefs_, network.intercepts_, strict=True)
    return [(np.asarray(weights, np.float64), np.asarray(bias, np.float64)) for weights, bias in pairs]


def _widen(weights: np.ndarray, bias: np.ndarray, known: np.ndarray, classes: int) -> Layer:
    """Add a column for every class to a layer.

    Classes without training units get a score below the mean of the others.
    """
    wide = np.repeat(weights.mean(axis=1, keepdims=True), classes, axis=1)
    low = np.full(classes, bias.mean() - UNSEEN)
    wide[:, known], low[known] = weights, bias
    return wide, low
