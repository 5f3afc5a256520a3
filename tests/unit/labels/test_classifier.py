"""The classifier in NumPy says what scikit-learn said that fitted it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nwb_neurid.labels.classifier import UNSEEN, fit_classifier


def clusters(classes=3, units=60, dim=5, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=units)
    return rng.normal(size=(units, dim)) + 2 * np.eye(classes, dim)[truth], truth


@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_head_is_the_balanced_probe(classes):
    vectors, truth = clusters(classes)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, class_weight="balanced", max_iter=2000))
    probe.fit(vectors, truth)
    scores = fit_classifier(vectors, truth, classes, strength=0.3).score(vectors)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, probe.predict_proba(vectors), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_network_tells_classes_apart_that_no_line_does(classes):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(600, 2))
    truth = (vectors[:, 0] * vectors[:, 1] > 0).astype(np.int64)
    vectors[truth == 0] += [0, 0]
    if classes == 3:
        truth[np.hypot(*vectors.T) > 1.8] = 2
    hits = {
        kind: np.mean(fit_classifier(vectors, truth, classes, kind=kind).score(vectors).argmax(axis=1) == truth)
        for kind in ("linear", "mlp")
    }
    assert hits["mlp"] > 0.9 > hits["linear"]


def test_the_network_forgets_how_common_the_classes_are():
    rng = np.random.default_rng(1)
    truth = (rng.random(2000) < 0.05).astype(np.int64)
    scores = fit_classifier(rng.normal(size=(2000, 2)), truth, 2, kind="mlp", strength=0.1).score(np.zeros((1, 2)))
    assert abs(np.diff(scores)[0, 0]) < 1.0  # log(19) is 2.9


def test_a_constant_dimension_does_no_harm():
    vectors, truth = clusters()
    vectors[:, 0] = 7.0
    scores = fit_classifier(vectors, truth, 3).score(vectors)
    assert np.isfinite(scores).all()


def test_a_class_that_was_not_seen_lies_below_the_others():
    vectors, truth = clusters(3)
    kept = truth != 1
    scores = fit_classifier(vectors[kept], truth[kept], 3).score(vectors)
    assert np.all(scores.argmax(axis=1) != 1)
    np.testing.assert_allclose(scores[:, 1], scores[:, [0, 2]].mean(axis=1) - UNSEEN)
    alone = fit_classifier(vectors[truth == 2], truth[truth == 2], 3).score(vectors)
    assert set(alone.argmax(axis=1)) == {2}


def test_a_unit_without_a_vector_has_no_scores():
    vectors, truth = clusters()
    vectors_of_one = np.vstack([vectors[:1], np.full((1, 5), np.nan)])
    for kind in ("linear", "mlp"):
        scores = fit_classifier(vectors, truth, 3, kind=kind).score(vectors_of_one)
        assert np.isfinite(scores[0]).all()
        assert np.isnan(scores[1]).all()
