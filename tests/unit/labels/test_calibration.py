"""Probabilities mean what they say, and sets hold what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.labels.calibration import FEWER, Calibration, average_neighbours, fit_temperature, temper, vote

FLAT = np.full(3, 1 / 3)


def drawn(units=4000, animals=20, *, sharpness=1.0, lapse=0.0, prior=FLAT, seed=0):
    """Scores, and truths drawn with the probabilities that they stand for."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=2.0, size=(units, 3))
    shares = temper(scores, prior, sharpness, lapse)
    truth = (rng.random((units, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    return scores, truth, rng.integers(animals, size=units)


def made(scores, truth, animal, prevalence=FLAT, **parts):
    return Calibration(scores=scores, truth=truth, animal=animal, neighbours=None, prevalence=prevalence, **parts)


@pytest.mark.parametrize(("sharpness", "lapse"), [(0.5, 0.0), (1.0, 0.05), (2.5, 0.15)])
def test_sharpness_and_lapse_are_found_again(sharpness, lapse):
    prevalence = np.array([0.2, 0.3, 0.5])
    scores, truth, animal = drawn(20_000, sharpness=sharpness, lapse=lapse, prior=prevalence)
    found, slips = fit_temperature(scores, truth, animal, prevalence)
    assert found == pytest.approx(sharpness, rel=0.1)
    assert slips == pytest.approx(lapse, abs=0.02)


def test_classes_that_are_never_confused_keep_finite_values():
    scores = 50.0 * np.eye(3)[np.arange(30) % 3]
    sharpness, lapse = fit_temperature(scores, np.arange(30) % 3, np.arange(30) // 10, FLAT)
    assert math.isfinite(sharpness)
    assert 0 < lapse < 0.1


@given(
    scores=st.lists(st.floats(-50, 50), min_size=3, max_size=3),
    prior=st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    sharpness=st.floats(0.05, 20),
    lapse=st.floats(0, 0.99),
)
def test_probabilities_sum_to_one(scores, prior, sharpness, lapse):
    shares = np.array(prior) / sum(prior)
    found = temper(np.array([scores]), shares, sharpness, lapse)
    assert found.sum() == pytest.approx(1)
    assert np.all(found >= 0)


def test_a_class_that_does_not_occur_is_not_probable():
    found = temper(np.zeros((1, 3)), np.array([0.5, 0.5, 0.0]), 1.0, 0.1)
    np.testing.assert_allclose(found, [[0.5, 0.5, 0.0]])


def test_the_training_shares_return_what_was_learnt_and_others_reweigh():
    calibration = made(*drawn(), prevalence=np.array([0.1, 0.1, 0.8]))
    here, flat = (
        calibration.compute_probabilities(np.zeros((1, 3))),
        calibration.compute_probabilities(np.zeros((1, 3)), prior=FLAT),
    )
    np.testing.assert_allclose(here, [[0.1, 0.1, 0.8]])
    np.testing.assert_allclose(flat, [[1 / 3] * 3])


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("animals", [4, 30])
def test_sets_cover_as_many_units_of_new_animals_as_they_promise(coverage, animals):
    threshold = made(*drawn(6000, animals)).find_set_threshold(coverage)
    scores, truth, _ = drawn(6000, seed=1)
    shares = temper(scores, FLAT, 1.0, 0.0)[np.arange(6000), truth]
    assert coverage - 0.02 < np.mean(shares >= threshold) < coverage + 0.06


def test_every_animal_counts_the_same():
    """A large animal on which all is sure does not hide nine small ones on which nothing is."""
    sure, unsure = np.array([9.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0])
    scores = np.vstack([np.tile(sure, (1000, 1)), np.tile(unsure, (9, 1))])
    truth, animal = np.zeros(1009, np.int64), np.r_[np.zeros(1000, np.int64), np.arange(1, 10)]
    assert made(scores, truth, animal).find_set_threshold(0.5) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("coverage", "needed"), [(0.5, 9), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_it_takes_so_many_animals_to_promise_anything_for_new_ones(coverage, needed):
    assert made(*drawn(30)).count_needed_animals(coverage) == needed


def test_one_more_animal_is_counted_once_there_are_enough():
    """With 9 animals and a coverage of 0.9 every true class must be reached, with 8 nine in ten."""
    rng = np.random.default_rng(0)
    scores = np.column_stack([rng.normal(size=900), np.zeros((900, 2))])
    truth, animal = np.zeros(900, np.int64), np.arange(900) % 9
    reached = temper(scores, FLAT, 1.0, 0.0)[:, 0]
    assert made(scores, truth, animal).find_set_threshold(0.9) == pytest.approx(reached.min())
    fewer = animal < 8
    found = made(scores[fewer], truth[fewer], animal[fewer]).find_set_threshold(0.9)
    assert np.mean(reached[fewer] >= found) == pytest.approx(0.9, abs=0.01)


@given(low=st.floats(0.05, 0.95), high=st.floats(0.05, 0.95))
def test_more_coverage_never_asks_for_more_probability(low, high):
    calibration = made(*drawn(200))
    low, high = sorted([low, high])
    assert calibration.find_set_threshold(high) <= calibration.find_set_threshold(low)


def test_coverage_holds_for_other_shares_of_the_classes():
    """What a class looks like stays, how common it is changes."""

    def recorded(prior, seed):
        rng = np.random.default_rng(seed)
        truth = rng.choice(3, 20_000, p=prior)
        places = 1.5 * np.eye(3)
        seen = places[truth] + rng.normal(size=(20_000, 3))
        return -((seen[:, None] - places) ** 2).sum(axis=2) / 2, truth, rng.integers(40, size=20_000)

    prevalence, here = np.array([0.1, 0.2, 0.7]), np.array([0.6, 0.3, 0.1])
    calibration = made(*recorded(prevalence, 0), prevalence=prevalence)
    scores, truth, _ = recorded(here, 1)
    reached = temper(scores, here, 1.0, 0.0)[np.arange(20_000), truth]
    assert 0.78 < np.mean(reached >= calibration.find_set_threshold(0.8, prior=here)) < 0.86


def test_neighbours_are_averaged_without_those_that_have_nothing():
    shares = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, np.nan]])
    near = np.array([[0, 1, 2], [1, -1, -1], [2, 0, 1]])
    np.testing.assert_array_equal(average_neighbours(shares, near), [[0.5, 0.5], [0.0, 1.0], [np.nan, np.nan]])


def test_votes_are_scores_that_a_class_without_a_prior_has_no_part_in():
    shares, near = np.array([[0.8, 0.2, 0.0], [0.4, 0.6, 0.0], [np.nan] * 3]), np.array([[0, 1], [1, -1], [2, 0]])
    scores = vote(shares, near, np.array([0.5, 0.5, 0.0]))
    np.testing.assert_allclose(scores[:2, :2], np.log([[1.2, 0.8], [0.8, 1.2]]))
    np.testing.assert_array_equal(scores[:2, 2], 0.0)
    assert np.isnan(scores[2]).all()


def test_neighbours_that_agree_are_believed():
    """Six units of one region are each right in two of three cases; together they are nearly always."""
    rng = np.random.default_rng(0)
    region = np.repeat(rng.integers(2, size=400), 6)
    scores = np.where(rng.random(2400) < 2 / 3, 1.0, -1.0) * np.where(region == 0, 1.0, -1.0) * np.log(2) / 2
    scores = np.column_stack([scores, -scores])
    near = np.arange(2400).reshape(-1, 6).repeat(6, axis=0)
    flat = np.full(2, 0.5)
    said = vote(temper(scores, flat, 1.0, 0.0), near, flat)
    sharpness, lapse = fit_temperature(said, region, np.arange(2400) // 240, flat)
    assert sharpness > 3
    calibration = Calibration(
        scores=scores,
        truth=region,
        animal=np.arange(2400) // 240,
        neighbours=near,
        prevalence=flat,
        voted_sharpness=sharpness,
        voted_lapse=lapse,
    )
    together = calibration.compute_probabilities(scores, neighbours=near)
    right = together.argmax(axis=1) == region
    assert together.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.04)


def test_those_that_are_sure_are_wrong_far_less_often():
    sure = made(*drawn(20_000)).find_confidence()
    scores, truth, _ = drawn(20_000, seed=1)
    shares = temper(scores, FLAT, 1.0, 0.0)
    wrong, named = shares.argmax(axis=1) != truth, shares.max(axis=1) >= sure
    assert named.mean() > 0.2
    assert wrong[named].mean() == pytest.approx(FEWER[0] * wrong.mean(), rel=0.2)


def test_where_few_errors_cannot_be_had_it_is_half_of_them():
    """One in three of those that look surest is wrong, more than a third of the errors of all."""
    scores = np.repeat([[9.0, 0.0, 0.0], [0.1, 0.0, 0.0]], 300, axis=0)
    truth = np.r_[np.where(np.arange(300) % 3, 0, 1), np.full(300, 2)]
    assert made(scores, truth, np.arange(600) % 10).find_confidence() == pytest.approx(
        temper(scores, FLAT, 1.0, 0.0).max()
    )


def test_where_nothing_is_wrong_all_are_sure_and_where_nothing_is_right_none():
    scores, animal = 3.0 * np.eye(3)[np.arange(30) % 3], np.arange(30) % 10
    right, wrong = np.arange(30) % 3, (np.arange(30) + 1) % 3
    assert made(scores, right, animal).find_confidence() == pytest.approx(temper(scores, FLAT, 1.0, 0.0).max())
    assert made(scores, wrong, animal).find_confidence() == math.inf


def test_units_of_one_probability_are_named_together_or_not_at_all():
    """Among equals, those that happen to come first are no surer than the others."""
    scores = np.repeat([[9.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [5, 5], axis=0)
    truth = np.array([0, 0, 0, 1, 1, 0, 0, 0, 1, 1])
    assert made(scores, truth, np.arange(10)).find_confidence() == math.inf


def test_an_animal_that_the_prior_excludes_does_not_widen_the_sets():
    scores = np.tile([[4.0, 0.0, 0.0]], (40, 1))
    truth, animal = np.repeat([0, 1], 20), np.arange(40) // 5  # four animals have nothing but the second class
    calibration = made(scores, truth, animal)
    prior = np.array([0.5, 0.0, 0.5])
    reached = calibration.compute_probabilities(scores, prior=prior)[0, 0]
    assert calibration.find_set_threshold(0.9, prior=prior) == pytest.approx(reached)
    assert calibration.find_confidence(prior=prior) == pytest.approx(reached)
