import json
from dataclasses import replace

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import CannotEncode, CannotFit, InvalidOption, Leak, NeuridWarning
from nwb_neurid.evaluation.models import join_vectors
from nwb_neurid.evaluation.protocols import PROTOCOLS
from nwb_neurid.population import Traces

LABEL = {"label": "cell_type", "protocol": "inductive-zero-shot"}
STEPS = {"steps": 2, "baseline": ""}


@pytest.fixture(scope="module")
def untrained():
    return nwb_neurid.new_model("nuclr", preset="small", untrained=True, device="cpu")


@pytest.fixture(scope="module")
def found(animals):
    return nwb_neurid.evaluate(
        "isi",
        animals,
        **LABEL,
        baseline="",
        label_fractions=[0.25, 1.0],
        animals=[2, "all"],
        test_subjects=["mouse0", "mouse1"],
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_types_of_unlike_rate_are_told_apart(animals, protocol):
    scores = nwb_neurid.evaluate("isi", animals, label="cell_type", protocol=protocol, folds=2, baseline="").scores
    assert scores["macro_f1"] > 0.9
    assert scores["units"] == 32
    assert scores["baselines"]["rate and duration"]["macro_f1"] > 0.9
    assert scores["baselines"]["majority"]["macro_f1"] == pytest.approx(1 / 3, abs=0.01)
    assert 0.3 < scores["baselines"]["chance"]["macro_f1"] < 0.7
    assert ("neighbours in activity" in scores["baselines"]) == (protocol == "transductive")


def test_labels_that_mean_nothing_score_chance(make_animal):
    rng = np.random.default_rng(0)
    population = [
        make_animal(number, types=("fast",), labels={"cell_type": rng.permutation(["a", "b"] * 4)})
        for number in range(4)
    ]
    assert nwb_neurid.evaluate("isi", population, **LABEL, folds=2, baseline="").scores["macro_f1"] < 0.75


def test_a_recording_that_is_named_twice_is_refused(animals):
    with pytest.raises(InvalidOption, match="was given twice"):
        nwb_neurid.evaluate("isi", animals, **LABEL, train=[animals[0]])


def test_the_record_says_how_it_was_done(found):
    scores = found.scores
    (split,) = scores["splits"]
    assert split["test_subjects"] == ["mouse0", "mouse1"]
    assert split["train_subjects"] == ["mouse2", "mouse3"]
    assert set(scores["by_subject"]) == {"mouse0", "mouse1"}
    assert scores["intervals_95"] == {}
    assert (scores["name"], scores["protocol"], scores["models"][0]["encoder"]) == ("isi", LABEL["protocol"], "isi")
    json.dumps(scores, allow_nan=False)


def test_curves_end_at_the_score_of_all(found):
    labels, animals = found.scores["label_fractions"]["isi"], found.scores["animals"]["isi"]
    assert [point["fraction"] for point in labels] == [0.25, 1.0]
    assert labels[0]["train_units"] < labels[1]["train_units"] == 16
    assert [point["animals"] for point in animals] == [2]
    assert labels[-1]["macro_f1"] == animals[-1]["macro_f1"] == found.scores["macro_f1"]


def test_one_seed_gives_one_result(animals):
    both = [nwb_neurid.evaluate("isi", animals, **LABEL, folds=2, baseline="").scores for _ in range(2)]
    assert both[0] == both[1]


def test_a_model_that_saw_a_test_subject_is_refused(animals, untrained):
    trained = replace(untrained, training="2 steps", details={"subjects": ["mouse0", "mouse9"]})
    with pytest.raises(Leak, match="trained on subjects that it would be tested on: mouse0"):
        nwb_neurid.evaluate(trained, animals, **LABEL)
    with pytest.raises(Leak, match="It is not recorded which subjects"):
        nwb_neurid.evaluate(replace(untrained, training="imported"), animals, **LABEL)


def test_a_subject_that_was_renamed_is_still_known(animals, untrained):
    trained = replace(untrained, training="2 steps", details={"subjects": ["mouse0"]})
    with pytest.raises(Leak, match="mouse0"):
        nwb_neurid.evaluate(trained, animals, **LABEL, subjects={"mouse0.nwb": "another"})


def test_a_trained_model_stands_beside_its_untrained_encoder(make_animal, untrained):
    animals = [make_animal(number, units=12, duration_s=42.0) for number in range(2)]
    trained = replace(untrained, training="2 steps", details={"subjects": ["mouse9"]})
    scores = nwb_neurid.evaluate([trained, "isi"], animals, **LABEL, baseline="").scores
    assert scores["name"] == "nuclr + isi"
    assert {"nuclr", "isi", "untrained nuclr"} <= scores["baselines"].keys()


def test_an_encoder_is_trained_on_what_may_be_known(make_animal, untrained):
    animals = [make_animal(number, units=12, duration_s=42.0) for number in range(3)]
    scores = nwb_neurid.evaluate(untrained, animals, **LABEL, **STEPS, test_subjects=["mouse0"], animals=[1, 2]).scores
    assert scores["name"] == "nuclr"
    assert scores["steps"] == 2
    assert "untrained nuclr" in scores["baselines"]
    assert [point["animals"] for point in scores["animals"]["nuclr"]] == [1, 2]


def test_several_encoders_of_a_name_are_told_apart(animals):
    scores = nwb_neurid.evaluate(["isi", "isi"], animals[:2], **LABEL, baseline="").scores
    assert scores["name"] == "isi + isi 2"


def test_a_recording_without_a_subject_is_asked_for_one(animals):
    with pytest.raises(InvalidOption, match=r"1 of 4 recordings do not state .*subject \(mouse0\.nwb\).*--subjects"):
        nwb_neurid.evaluate("isi", [replace(animals[0], subject_id=""), *animals[1:]], **LABEL)


def test_classes_are_renamed_and_doubts_are_told(make_animal):
    types = {"cell_type": np.array(["PV", "SST", "Pvalb", "SST"] * 2)}
    animals = [make_animal(number, labels=types) for number in range(2)]
    with pytest.warns(NeuridWarning, match="'PV', 'Pvalb' may be one class spelt differently"):
        nwb_neurid.evaluate("isi", animals, **LABEL, baseline="")
    scores = nwb_neurid.evaluate("isi", animals, **LABEL, baseline="", map={"Pvalb": "PV"}).scores
    assert list(scores["per_class"]) == ["PV", "SST"]
    assert all(own.keys() == {"precision", "recall", "f1", "units"} for own in scores["per_class"].values())
    assert [own["units"] for own in scores["per_class"].values()] == [8, 8]


@pytest.mark.parametrize(("types", "words"), [(("fast",), "needs two classes"), (("",), "No unit has a known")])
def test_labels_that_cannot_be_told_apart_are_refused(make_animal, types, words):
    labels = {"cell_type": np.array(types * 8)}
    with pytest.raises(CannotFit, match=words):
        nwb_neurid.evaluate("isi", [make_animal(number, labels=labels) for number in range(2)], **LABEL)


def test_a_class_with_one_unit_is_left_out(animals, make_animal):
    odd = make_animal(9, labels={"cell_type": np.array(["odd", *["fast", "slow"] * 3, "fast"])})
    with pytest.warns(NeuridWarning, match="'odd' has one unit and is left out"):
        scores = nwb_neurid.evaluate("isi", [*animals, odd], **LABEL, folds=2, baseline="").scores
    assert scores["units"] == 39


def test_units_without_a_vector_are_not_scored(animals, make_animal):
    silent = make_animal(8, excluded={0: "noise"})
    with pytest.warns(NeuridWarning, match="1 of 40 units with a known cell_type are not scored"):
        scores = nwb_neurid.evaluate("isi", [*animals, silent], **LABEL, folds=2).scores
    assert scores["units"] == 39


def test_what_no_encoder_can_take_is_refused(make_animal):
    values = np.random.default_rng(0).normal(size=(8, 100)).astype(np.float32)
    traces = Traces(values=values, rate_hz=12.5, start_s=0.0, kind="dff")
    with pytest.raises(CannotEncode, match="Encoder 'isi' cannot encode these recordings:"):
        nwb_neurid.evaluate("isi", [make_animal(number, activity=traces) for number in range(2)], **LABEL)


def test_a_recording_of_another_activity_is_left_out(animals, make_animal):
    values = np.random.default_rng(0).normal(size=(8, 100)).astype(np.float32)
    imaged = make_animal(8, activity=Traces(values=values, rate_hz=12.5, start_s=0.0, kind="dff"))
    with pytest.warns(NeuridWarning, match="Left out: .*it takes spikes|8 of 40 units with a known"):
        scores = nwb_neurid.evaluate("isi", [imaged, *animals], **LABEL, folds=2).scores
    alone = nwb_neurid.evaluate("isi", animals, **LABEL, folds=2).scores
    assert scores["units"] == alone["units"] == 32
    assert "rate and duration" in scores["baselines"]


def test_neighbours_vote_on_regions_only(animals):
    with pytest.raises(InvalidOption, match="--smooth averages over neighbours"):
        nwb_neurid.evaluate("isi", animals, **LABEL, smooth=True, folds=2)


def test_votes_of_neighbours_stand_beside_the_score(make_animal):
    sites = np.zeros((8, 3), np.float32)
    sites[:, 1] = np.repeat([0, 500], 4)
    parts = {"labels": {"brain_region": np.repeat(["CA1", "VISp"], 4)}, "group": np.full(8, "probe")}
    animals = [make_animal(number, positions_um=sites, **parts) for number in range(3)]
    found = nwb_neurid.evaluate(
        "isi", animals, label="brain_region", protocol="inductive-zero-shot", smooth=True, baseline=""
    )
    assert found.scores["smoothed"]["units"] == 24
    assert [row["system"] for row in found.to_rows()][:2] == ["isi", "isi, neighbours vote"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_fractions": [0.0]}, "--label-fractions must lie above 0 and be at most 1, got 0"),
        ({"animals": ["²"]}, "--animals must be numbers from 1 on, or all, got '²'"),
        ({"animals": ["few"]}, "--animals must be numbers from 1 on, or all, got 'few'"),
        ({"steps": 5}, "--steps trains an encoder, but isi needs no training"),
        ({"windows": 2}, "--windows is the number of pairs of windows per training step: add --steps"),
        ({"head": "forest"}, "There is no head 'forest'"),
        ({"coverage": 1.5}, "coverage must lie above 0 and below 1"),
    ],
)
def test_bad_options_are_refused(animals, options, words):
    with pytest.raises(InvalidOption, match=words):
        nwb_neurid.evaluate("isi", animals, **LABEL, **options)


def test_a_trained_model_is_not_trained_anew(animals, untrained):
    with pytest.raises(InvalidOption, match=r"--steps trains an encoder from .*, but this nuclr is already trained"):
        nwb_neurid.evaluate(replace(untrained, training="2 steps"), animals, **LABEL, steps=5)


def test_something_has_to_be_evaluated(animals):
    with pytest.raises(InvalidOption, match="Choose what to evaluate: --model FOLDER or --encoder NAME"):
        nwb_neurid.evaluate([], animals, **LABEL)


def test_a_fold_that_knows_one_class_is_named(make_animal):
    apart = [make_animal(number, types=(name,)) for number, name in enumerate(["fast", "fast", "slow"])]
    wanted = r"needs two classes .* the fold that trains on mouse0, mouse1 and tests mouse2; every fold needs"
    with pytest.warns(NeuridWarning), pytest.raises(CannotFit, match=wanted):
        nwb_neurid.evaluate("isi", apart, **LABEL)


def test_an_encoder_without_windows_does_not_take_them_from_another(animals):
    plain = nwb_neurid.new_model("isi").embed(animals[0])
    windows = np.full(len(plain), 20, np.int32)
    other = replace(plain, n_windows=windows, provenance=replace(plain.provenance, window_s=1.0))
    (both,) = join_vectors([(plain,), (other,)])
    assert both.n_windows.tolist() == windows.tolist()


def test_few_animals_promise_nothing_and_say_so(animals, found):
    (note,) = found.scores["notes"]
    assert note == "Nominal coverage, not guaranteed for new animals: calibrated on 2 animals (a guarantee needs 9)."
    within = nwb_neurid.evaluate("isi", animals, label="cell_type", protocol="transductive", folds=2, baseline="")
    assert within.scores["notes"][0].endswith("calibrated on other neurons of the animals that are tested.")
