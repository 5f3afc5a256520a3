"""The linear probe: right where types are apart, chance where they are not, and only on units that it can score."""

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.probe import probe


def clusters(*sizes, distance=8.0, dim=3, seed=0):
    """Vectors around one centre for each class, and the names of their classes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([f"type {index}" for index in range(len(sizes))], sizes)
    centres = np.repeat(np.arange(len(sizes)), sizes)[:, None] * distance
    return (centres + rng.normal(size=(len(labels), dim))).astype(np.float32), labels


def test_types_that_lie_apart_are_told_apart():
    vectors, labels = clusters(40, 20, 10)
    score = probe(vectors, labels, seed=0)
    assert score.macro_f1 == 1
    assert score.units == 70
    assert score.classes == ("type 0", "type 1", "type 2")


def test_vectors_that_say_nothing_score_as_guesses():
    vectors, labels = clusters(100, 100, distance=0.0)
    score = probe(vectors, labels, seed=0)
    assert score.macro_f1 == pytest.approx(score.chance, abs=0.12)


def test_guesses_know_the_frequencies_and_nothing_else():
    vectors, labels = clusters(300, 100)
    assert probe(vectors, labels, seed=0).chance == pytest.approx(0.5, abs=0.03)
    vectors, labels = clusters(100, 100, 100, 100)
    assert probe(vectors, labels, seed=0).chance == pytest.approx(0.25, abs=0.03)


def test_a_rare_type_counts_as_much_as_a_common_one():
    vectors, labels = clusters(95, 5, distance=0.0)
    vectors[labels == "type 1"] += 20
    assert probe(vectors, labels, seed=0).macro_f1 == 1


def test_a_rare_type_is_looked_for_where_it_overlaps_a_common_one():
    vectors, labels = clusters(950, 50, distance=1.5, dim=1)
    assert probe(vectors, labels, seed=0).macro_f1 > 0.52  # 0.49 if every unit is called common


def test_the_scale_of_a_dimension_does_not_matter():
    vectors, labels = clusters(30, 30, distance=1.0)
    scaled = vectors * np.array([1e-3, 1, 1e3], np.float32)
    assert probe(scaled, labels, seed=0).macro_f1 == pytest.approx(probe(vectors, labels, seed=0).macro_f1)


def test_one_seed_is_one_score():
    vectors, labels = clusters(30, 30, distance=0.7)
    assert probe(vectors, labels, seed=1) == probe(vectors, labels, seed=1)
    assert len({probe(vectors, labels, seed=seed).macro_f1 for seed in range(5)}) > 1


def test_units_without_vector_or_label_and_small_classes_are_not_scored():
    vectors, labels = clusters(20, 20, 4, 7, 20)
    labels = np.where(labels == "type 4", "", labels)
    vectors[labels == "type 3"] = np.nan
    vectors[0] = np.nan
    score = probe(vectors, labels, seed=0)
    assert score.classes == ("type 0", "type 1")
    assert score.units == 39


def test_a_class_counts_the_vectors_that_it_has():
    vectors, labels = clusters(20, 20, 6)
    vectors[-2:] = np.nan
    assert probe(vectors, labels, seed=0).classes == ("type 0", "type 1")


def test_two_types_are_needed():
    vectors, labels = clusters(20, 4)
    message = r"A probe needs two classes of at least 5 units with vectors each, got {'type 0': 20, 'type 1': 4}\."
    with pytest.raises(InvalidOption, match=message):
        probe(vectors, labels, seed=0)
    with pytest.raises(InvalidOption, match=r"with vectors each, got {}\."):
        probe(vectors, np.full(24, ""), seed=0)
