"""Macro F1 of classifiers of vectors, on animals that they were not fitted to."""

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LABELS = ("cell_type", "brain_region")


def probe() -> object:
    """The linear probe of the field."""
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=2000))


def forest() -> object:
    """What makes the most of features that no plane separates."""
    return RandomForestClassifier(300, class_weight="balanced", random_state=0)


def chance() -> object:
    """Guesses with the frequencies of the classes."""
    return DummyClassifier(strategy="stratified", random_state=0)


def score(
    vectors: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    train: int,
    tests: Sequence[slice],
    make: Callable[[], object],
) -> list[float]:
    """Macro F1 on each of the tests after fitting to the first `train` animals; units without a vector are left out."""
    seen = [np.isfinite(rows).all(axis=1) for rows in vectors]
    x = [rows[known] for rows, known in zip(vectors, seen, strict=True)]
    y = [names[known] for names, known in zip(labels, seen, strict=True)]
    fitted = make().fit(np.concatenate(x[:train]), np.concatenate(y[:train]))
    return [
        float(f1_score(np.concatenate(y[test]), fitted.predict(np.concatenate(x[test])), average="macro"))
        for test in tests
    ]
