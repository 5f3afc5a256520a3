import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score

from nwb_neurid.evaluation import metrics

CLASSES = np.array(["a", "b", "c"])


def confusion_of(truth, said, parts=None):
    parts = np.zeros(len(truth)) if parts is None else parts
    return metrics.count_confusions(np.asarray(truth), np.asarray(said), CLASSES, np.asarray(parts))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40))
def test_scores_are_those_of_scikit_learn(pairs):
    truth, said = map(list, zip(*pairs, strict=True))
    (confusion,) = confusion_of(truth, said)
    assert metrics.compute_macro_f1(confusion) == pytest.approx(f1_score(truth, said, average="macro", zero_division=0))
    recall = recall_score(truth, said, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert metrics.compute_balanced_accuracy(confusion) == pytest.approx(recall)


def test_each_subject_has_its_confusion():
    first, second = confusion_of(["a", "b", "a"], ["a", "a", "a"], ["two", "two", "one"])
    assert first.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert second.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_there_is_no_interval_under_six_subjects():
    few = confusion_of(["a", "b"] * 5, ["a", "b"] * 5, np.repeat(range(5), 2))
    assert metrics.bootstrap_intervals(few, 0) == {}


def test_the_interval_spans_how_subjects_differ():
    truth = np.tile(["a", "b"], 40)
    subject = np.repeat(range(8), 10)
    said = np.where(subject < 4, truth, "a")  # half of the subjects are named right
    limits = metrics.bootstrap_intervals(confusion_of(truth, said, subject), 0)["balanced_accuracy"]
    assert 0.55 < limits[0] < 0.65 < 0.85 < limits[1] < 0.95
    same = metrics.bootstrap_intervals(confusion_of(truth, truth, subject), 0)
    assert same == {"macro_f1": [1.0, 1.0], "balanced_accuracy": [1.0, 1.0]}


def test_an_honest_forecaster_has_no_calibration_error():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.5, 1, 20_000)
    right = rng.uniform(size=20_000) < probability
    assert metrics.compute_calibration_error(*metrics.measure_reliability(probability, right)) < 0.02
    sure = metrics.measure_reliability(np.ones(4), np.array([True, False, False, False]))
    assert metrics.compute_calibration_error(*sure) == pytest.approx(0.75)


def test_the_surest_are_named_first():
    share, risk = metrics.compute_risk_curve(np.array([0.9, 0.6, 0.6, 0.3]), np.array([True, True, False, False]))
    assert share.tolist() == [0.25, 0.75, 1.0]
    assert risk.tolist() == [0.0, pytest.approx(1 / 3), 0.5]
    assert metrics.average_risk(share, risk) == pytest.approx(0.5 / 3 + 0.125)
