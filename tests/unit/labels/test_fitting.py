"""Heads are fitted within the training data, without parting animals, and say what is wrong with the labels."""

import warnings

import numpy as np
import pytest

from nwb_neurid.errors import CannotFit, InvalidOption, NeuridWarning
from nwb_neurid.labels.classifier import STRENGTHS
from nwb_neurid.labels.fitting import fit_head
from nwb_neurid.labels.folder import describe_heads
from nwb_neurid.labels.prediction import predict
from nwb_neurid.labels.spelling import group_spellings, group_variants
from nwb_neurid.labels.training_data import collect_examples, draw_folds


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_classes_that_lie_apart_are_told_apart_in_new_animals(animals, kind):
    head, new = animals(distance=6.0).fit(kind=kind), animals(4, distance=6.0, seed=1)
    assert np.mean(head.classes[head.compute_probabilities(new.vectors).argmax(axis=1)] == new.labels) > 0.97
    assert head.classes.tolist() == ["CH", "FS", "RS"]
    assert head.prevalence == pytest.approx([0.2, 0.3, 0.5], abs=0.07)
    assert head.details["macro_f1"] > 0.95


def test_probabilities_of_new_animals_are_calibrated(animals):
    head, new = animals(20, 60, distance=1.5).fit(), animals(40, 60, distance=1.5, seed=1)
    shares = head.compute_probabilities(new.vectors)
    for at, name in enumerate(head.classes):
        tenths = np.minimum((shares[:, at] * 10).astype(int), 9)
        off = [abs(np.sum(shares[tenths == ten, at] - (new.labels[tenths == ten] == name))) for ten in range(10)]
        assert sum(off) / len(new.labels) < 0.04


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_one_seed_is_one_head_bit_for_bit(animals, kind):
    first, second = (animals(4, 20).fit(kind=kind, seed=3) for _ in range(2))
    vectors = animals(seed=5).vectors
    np.testing.assert_array_equal(first.compute_probabilities(vectors), second.compute_probabilities(vectors))
    np.testing.assert_array_equal(first.calibration.scores, second.calibration.scores)
    assert first.details == second.details


def examples(data, **options):
    parts = {"groups": None, "neighbours": None} | options
    return collect_examples(data.vectors, data.labels, data.subjects, *parts.values(), "cell_type")[0]


def test_folds_part_no_animal(animals):
    data = animals(7, 12)
    folds = draw_folds(examples(data), 5, 0)
    assert sorted(np.concatenate(folds)) == list(range(len(data.labels)))
    for fold in folds:
        inside, outside = data.subjects[fold], np.delete(data.subjects, fold)
        assert not set(inside) & set(outside)


def test_folds_within_one_animal_part_no_neuron(animals):
    data = animals(1, 60)
    neuron = np.arange(60) // 3
    folds = draw_folds(examples(data, groups=neuron), 5, 0)
    assert len(folds) == 5
    for fold in folds:
        assert not set(neuron[fold]) & set(np.delete(neuron, fold))


def test_no_label_of_an_animal_reaches_its_own_calibration(animals, monkeypatch):
    """With labels of one animal shuffled, the scores that its units get stay as they were."""
    monkeypatch.setitem(STRENGTHS, "linear", (0.3,))
    data, shuffled = animals(5, 30), animals(5, 30)
    own = data.subjects == "mouse 2"
    shuffled.labels[own] = np.random.default_rng(0).permutation(shuffled.labels[own])
    heads = [each.fit() for each in (data, shuffled)]
    np.testing.assert_allclose(heads[0].calibration.scores[own], heads[1].calibration.scores[own], atol=1e-6)
    assert not np.allclose(heads[0].calibration.scores[~own], heads[1].calibration.scores[~own], atol=1e-3)


def test_units_without_vector_or_label_take_no_part(animals):
    data, less = animals(6, 20), animals(6, 20)
    less.vectors[::7] = np.nan
    less.labels[3::7] = ""
    kept = (less.labels != "") & np.isfinite(less.vectors).all(axis=1)
    data.vectors, data.labels, data.subjects = data.vectors[kept], data.labels[kept], data.subjects[kept]
    full, part = data.fit(), less.fit()
    np.testing.assert_allclose(full.classifier.layers[0][0], part.classifier.layers[0][0], atol=1e-9)
    assert full.details["units"] == part.details["units"] == kept.sum()


def test_neighbours_of_unknown_class_keep_their_vote(animals):
    data = animals(5, 10)
    data.labels[1] = ""
    near = np.column_stack([np.arange(50), np.where(np.arange(50) % 10 == 9, -1, np.arange(50) + 1)])
    calibration = data.fit(neighbours=near).calibration
    assert calibration.truth[1] == -1
    np.testing.assert_array_equal(calibration.neighbours, near)


def message_of(error, data, **options):
    with pytest.raises(error) as caught:
        data.fit(**options)
    return str(caught.value)


def test_labels_that_are_all_unknown_are_an_error(animals):
    data = animals(2, 10)
    data.labels[:] = ""
    assert message_of(CannotFit, data) == "No unit has a known cell_type: of 20 units with a vector, all are unknown."


def test_one_class_is_an_error(animals):
    data = animals(2, 10)
    data.labels[:] = "RS"
    wanted = "cell_type needs two classes of at least two units each, got: RS 20."
    assert message_of(CannotFit, data) == wanted
    data.labels[0] = "FS"
    assert "got: FS 1, RS 19." in message_of(CannotFit, data)


def test_a_unit_of_no_subject_is_an_error(animals):
    data = animals(2, 10)
    data.subjects[:3] = ""
    assert message_of(InvalidOption, data) == (
        "3 units have a label but no subject, and folds must keep animals together. State the subjects (--subjects "
        "table.csv, with the columns source and subject)."
    )


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"kind": "forest"}, "There is no head 'forest'. Choose one of: linear, mlp."),
        ({"coverage": 1.0}, "coverage must lie above 0 and below 1, such as 0.9, got 1.0."),
    ],
)
def test_options_that_cannot_be_are_an_error(animals, options, wanted):
    assert message_of(InvalidOption, animals(2, 10), **options) == wanted


def warned(data):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", NeuridWarning)
        head = data.fit()
    messages = [str(one.message) for one in caught]
    assert head.details["notes"] == messages
    return head, messages


def test_a_class_of_one_unit_is_left_out_with_a_warning(animals):
    data = animals(4, 15)
    data.labels = data.labels.astype("U3")
    data.labels[0] = "LTS"
    head, messages = warned(data)
    assert messages == ["cell_type 'LTS' has one unit and is left out: a class needs at least two units."]
    assert "LTS" not in head.classes


def test_spelling_variants_are_named(animals):
    data = animals(4, 30)
    data.labels = np.where(data.labels == "CH", "Pvalb", np.where(data.labels == "FS", "pv", "RS"))
    wanted = "cell_type 'Pvalb', 'pv' may be one class spelt differently. If so, join them (--map)."
    assert warned(data)[1] == [wanted]


def test_subjects_and_classes_that_coincide_are_named(animals):
    data = animals(5, 30)
    data.labels[data.subjects == "mouse 1"] = "RS"
    data.labels[data.subjects != "mouse 3"] = np.char.replace(data.labels[data.subjects != "mouse 3"], "FS", "RS")
    _, messages = warned(data)
    assert messages == [
        "cell_type 'FS' comes from one subject only: it is not known whether other subjects' units can be recognised.",
        "1 of 5 subjects have units of one cell_type only (mouse 1): differences between classes and between subjects "
        "cannot be separated there.",
    ]


def test_one_subject_is_reported(animals):
    data = animals(1, 60)
    _, messages = warned(data)
    assert messages == [
        "All units are of one subject (mouse 0): it is unknown how well the label head does on other subjects."
    ]


def test_subjects_of_one_class_each_can_still_be_fitted(animals):
    data = animals(3, 20)
    data.labels = np.repeat(["CH", "FS", "RS"], 20)
    with pytest.warns(NeuridWarning):
        head = fit_head(data.vectors, data.labels, data.subjects, label_name="cell_type")
    assert np.isfinite(head.calibration.scores).all()
    assert predict(head, data.embeddings()).abstained.all()  # no class was ever told right in another subject


def test_a_rare_spelling_is_named_though_it_is_no_class(animals):
    data = animals(4, 30)
    data.labels = data.labels.astype("U3")
    data.labels[0] = "rs"
    assert "cell_type 'RS', 'rs' may be one class spelt differently. If so, join them (--map)." in warned(data)[1]


@pytest.mark.parametrize("pair", [("PV+", "PV-"), ("PV", "PV-")])
def test_what_has_a_marker_and_what_has_not_are_no_variants(pair):
    assert group_variants(pair) == []
    assert group_variants(["PV+", "pv"]) == [["PV+", "pv"]]


def test_a_head_that_is_no_better_than_guessing_says_so(animals, trained):
    assert trained.explain_guessing() == ""
    data = animals(animals=8)
    data.labels = np.random.default_rng(5).permutation(data.labels)
    head = data.fit()
    own, limit = head.calibration.balanced_accuracy, head.calibration.guessing_limit
    assert own == pytest.approx(head.details["balanced_accuracy"], abs=1e-4)
    assert 1 / 3 < limit < 0.5
    wanted = (
        f"The head for cell_type is no better than guessing: balanced accuracy {own:.3f} on held-out animals, where "
        f"guessing reaches up to {limit:.3f}."
    )
    assert head.explain_guessing() == wanted
    assert wanted in predict(head, data.embeddings()).notes
    assert f"- {wanted}" in list(describe_heads({"cell_type": head}))


def test_labels_of_one_animal_can_be_learnt_for_this_animal(animals):
    """Its held-out units are what the score is about, and the units are what there is to count."""
    data = animals(animals=1, units=60)
    with pytest.warns(NeuridWarning, match="it is unknown how well the label head does on other subjects"):
        head = data.fit()
    assert head.calibration.guessing_limit < 0.6 < head.calibration.balanced_accuracy
    assert head.explain_guessing() == ""


def test_classes_of_one_animal_each_do_not_pass_for_knowledge_of_others(animals):
    """Animals differ in rate for many reasons: units of one animal are one observation of its class."""
    data = animals(animals=3, units=40)
    data.labels = np.repeat(["CH", "FS", "RS"], 40)
    with pytest.warns(NeuridWarning):
        assert data.fit().explain_guessing()


def test_rows_that_are_all_one_neuron_are_an_error(animals):
    data = animals(1, 20)
    with pytest.warns(NeuridWarning, match="All units are of one subject"):
        message = message_of(CannotFit, data, groups=np.zeros(20, int))
    assert message.startswith("All 20 units with a label may be one neuron recorded several times")


def test_an_animal_under_two_spellings_is_reported(animals):
    data = animals(4, 30)
    data.subjects = np.where(data.subjects == "mouse 1", "Mouse-0", data.subjects)
    wanted = (
        "Subjects 'Mouse-0', 'mouse 0' may be one animal spelt differently, which would then be both trained on and "
        "tested. If so, give them one name (--subjects)."
    )
    assert warned(data)[1] == [wanted]
    assert group_spellings(["11-2", "1-12", "112"]) == []


@pytest.mark.parametrize("name", ["a\nb", "\u202ered", "x" * 201])
def test_a_class_must_have_a_name_that_can_be_written(name):
    labels = np.tile(["PV", name], 20)
    vectors = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(CannotFit, match=r"cell_type has a class '.*: names of classes must have 1 to 200 characters"):
        fit_head(vectors, labels, np.repeat(["a", "b", "c", "d"], 10), label_name="cell_type")
