"""Our figure beside the published one, on simulated animals under the recipe of a dataset."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.datasets.brainwidebench import REGIONS, average_neighbours, encode_ids, write_submission
from nwb_neurid.datasets.check import check
from nwb_neurid.datasets.dataset import load_dataset
from nwb_neurid.datasets.reproduce import reproduce
from nwb_neurid.errors import CannotFit, CannotWrite, InvalidOption, NeuridWarning, SourceNotFound
from nwb_neurid.simulate import simulate, write_nwb

ANIMALS = 3


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Recordings of three simulated animals."""
    folder = tmp_path_factory.mktemp("recordings")
    return [write_nwb(simulate(10, 21.0, 0, animal=at), folder / f"animal-{at}.nwb") for at in range(ANIMALS)]


@pytest.fixture(scope="module")
def dataset(paths):
    """The recipe of Steinmetz, with what the simulation has for labels, and a quick training."""
    found = load_dataset("steinmetz-2019")
    return replace(
        found,
        units=replace(found.units, where=""),
        label=replace(found.label, name="cell_type", map={"FS": "inhibitory", "LTS": "inhibitory", "*": "excitatory"}),
        splits=replace(found.splits, folds=2),
        learning=replace(found.learning, preset="small", steps=1),
    )


def test_a_training_an_evaluation_and_both_figures(dataset, paths, tmp_path):
    found = reproduce(dataset, paths, tmp_path / "out", device="cpu", windows=1)
    told = json.loads((tmp_path / "out" / "reproduction.json").read_text())
    assert told["published"] == 0.959
    assert told["ours"] == found.ours == found.evaluation.scores["macro_f1"]
    assert told["differences"][0] == "3 of 39 recordings."
    assert (tmp_path / "out" / "model" / "model.json").is_file()
    assert (tmp_path / "out" / "scores" / "scores.json").is_file()
    with pytest.raises(CannotWrite, match="holds an evaluation"):
        reproduce(dataset, paths, tmp_path / "out", device="cpu")


def test_training_through_the_cache_gives_the_same_figure(dataset, paths, tmp_path):
    found = [
        reproduce(dataset, paths, tmp_path / name, device="cpu", windows=1, cache=cache)
        for name, cache in (("without", None), ("filled", tmp_path / "bins"), ("mapped", tmp_path / "bins"))
    ]
    weights = [
        (tmp_path / name / "model" / "weights.safetensors").read_bytes() for name in ("without", "filled", "mapped")
    ]
    assert weights[0] == weights[1] == weights[2]
    assert len({each.ours for each in found}) == 1
    assert len([each for each in (tmp_path / "bins").iterdir() if each.is_dir()]) == ANIMALS


def test_subjects_that_are_tested_do_not_train_the_encoder(dataset, paths, tmp_path):
    populations = [simulate(10, 21.0, 0, animal=at).population() for at in range(ANIMALS)]
    tested = [populations[1].subject_id]
    inductive = replace(
        dataset, splits=replace(dataset.splits, protocol="inductive-zero-shot", test_subjects=tuple(tested))
    )
    found = reproduce(inductive, populations, tmp_path / "out", steps=2, windows=1, device="cpu")
    about = json.loads((tmp_path / "out" / "model" / "model.json").read_text())
    assert about["details"]["subjects"] == sorted({each.subject_id for each in populations} - {*tested})
    assert found.evaluation.scores["splits"][0]["test_subjects"] == tested
    assert "2 training steps, the recipe has 1." in found.differences


def test_folds_over_subjects_train_an_encoder_each(dataset, paths, tmp_path):
    inductive = replace(dataset, splits=replace(dataset.splits, protocol="inductive-zero-shot"))
    with pytest.warns(NeuridWarning, match="is not used: each fold trains an encoder of its own"):
        found = reproduce(
            *(inductive, paths, tmp_path / "out"),
            windows=1,
            device="cpu",
            reading=ReadOptions(where="all"),
            cache=tmp_path / "bins",
        )
    assert len(found.evaluation.scores["splits"]) == 2
    assert not (tmp_path / "out" / "model").exists()
    assert "Units: all, the recipe has no condition." in found.differences


def test_without_recordings(dataset, tmp_path):
    with pytest.raises(SourceNotFound, match="No recordings of steinmetz-2019 were found"):
        reproduce(dataset, [], tmp_path / "out")
    with pytest.raises(SourceNotFound, match="No recordings of steinmetz-2019 were found"):
        check(dataset, [], ReadOptions())


def test_a_check_finds_units_classes_and_what_is_missing(dataset, paths, tmp_path):
    broken = tmp_path / "broken.nwb"
    broken.write_bytes(b"nothing")
    asked = replace(dataset, splits=replace(dataset.splits, test_subjects=("Hench",), test_sessions=("a",)))
    found, lacking = check(asked, [*paths, broken], ReadOptions())
    assert [each.units for each in found] == [10] * ANIMALS + [0]
    assert {name for name, _ in found[0].classes} <= {"inhibitory", "excitatory"}
    assert [bool(each.problem) for each in found] == [False] * ANIMALS + [True]
    assert lacking == [
        "4 of 39 recordings were found.",
        "Test subjects without a recording: Hench.",
        "1 of 1 test sessions were not found.",
    ]
    unlabelled, _ = check(replace(dataset, label=replace(dataset.label, name="layer")), paths[:1], ReadOptions())
    assert "it has no label layer (it has: " in unlabelled[0].problem


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    """An evaluation of Cosmos regions on simulated animals, and a folder."""
    animals = [simulate(10, 21.0, 0, regions=2, animal=at).population() for at in range(ANIMALS)]
    names = np.unique(animals[0].labels["brain_region"]).tolist()
    bench = load_dataset("brainwidebench")
    wanted = replace(
        bench,
        units=replace(bench.units, where=""),
        label=replace(bench.label, map=dict(zip(names, REGIONS[3:5], strict=True))),
        splits=replace(bench.splits, protocol="transductive", test_sessions=(), folds=2),
        learning=replace(bench.learning, encoder="isi", preset="", steps=1),
    )
    named = [
        replace(each, labels={**each.labels, "cluster_uuid": np.array([f"{at}-{row}" for row in range(len(each))])})
        for at, each in enumerate(animals)
    ]
    folder = tmp_path_factory.mktemp("bench") / "out"
    return reproduce(wanted, named, folder, seed=43), folder


def test_a_submission_holds_every_tested_unit_under_its_id(regions):
    found, folder = regions
    path = folder / "submission" / "nwb-neurid" / "ts3-unit_cosmos" / "seed_43.safetensors"
    with safe_open(path, framework="numpy") as file:
        about, ids, shares = file.metadata(), file.get_tensor("entity_ids"), file.get_tensor("pred_proba")
    assert about["label_names"].split(",") == list(REGIONS)
    assert (about["task"], about["seed"], about["label"]) == ("ts3-unit_cosmos", "43", "nwb-neurid")
    tested = found.evaluation.predictions.tested
    assert [bytes(row).rstrip(b"\0").decode() for row in ids][:2] == ["0-0", "0-1"]
    assert shares.shape == (tested.sum(), 10)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert (shares[:, [0, 1, 2, 5, 6, 7, 8, 9]] == 0).all()


def test_the_scorer_itself_agrees(regions, tmp_path):
    scorer = pytest.importorskip("ibl_bwb_eval.scoring.ts3", reason="ibl-bwb-eval is not installed")
    import torch
    from ibl_bwb_eval.entity_ids import encode_entity_ids
    from ibl_bwb_eval.multi_unit import multi_unit_prediction
    from safetensors.torch import save_file

    found, folder = regions
    cohort, predictions = found.evaluation.cohort, found.evaluation.predictions
    names = np.concatenate([each.labels["cluster_uuid"] for each in cohort.populations])[predictions.tested]
    truth = cohort.truth[predictions.tested]
    place = tmp_path / "ts3-unit_cosmos"
    place.mkdir()
    targets = torch.tensor([REGIONS.index(name) for name in truth])
    order = np.random.default_rng(0).permutation(len(names))
    save_file(
        {"entity_ids": encode_entity_ids(names[order]), "targets": targets[order]},
        place / "ground_truth.safetensors",
        metadata={"label_names": ",".join(REGIONS), "task": "ts3-unit_cosmos"},
    )
    scores = scorer.score_dir(folder / "submission", tmp_path)
    said = np.array(predictions.classes)[predictions.probabilities[predictions.tested].argmax(axis=1)]
    assert set(scores) >= {("nwb-neurid", 43)}
    recall = [float((said == name)[truth == name].mean()) for name in np.unique(truth)]
    own = scores["nwb-neurid", 43]
    assert [own[f"{name}/recall"] for name in np.unique(truth)] == pytest.approx(recall)
    rng = np.random.default_rng(0)
    shares, depth = rng.dirichlet(np.ones(10), 60).astype(np.float32), rng.uniform(0, 800, 60)
    probe = rng.choice(["a", "b"], 60)
    np.testing.assert_allclose(
        average_neighbours(shares, depth, probe), multi_unit_prediction(shares, depth, probe), rtol=1e-6
    )


def test_what_no_submission_can_be_made_of(regions, tmp_path):
    found, folder = regions
    with pytest.raises(CannotWrite, match="exists"):
        write_submission(found.evaluation, folder / "submission", label="nwb-neurid", seed=43)
    classes = np.array(["left", "right"])
    other = replace(found.evaluation, predictions=replace(found.evaluation.predictions, classes=classes))
    with pytest.raises(CannotFit, match=r"scores the Cosmos regions CB, .*this evaluation has left, right"):
        write_submission(other, tmp_path, label="a", seed=43)
    for names, what in (
        (["a", "a"], "one occurs twice"),
        (["ä", "b"], "'ä' is not"),
        (["", "b"], "'' is not"),
    ):
        with pytest.raises(InvalidOption, match=what):
            encode_ids(np.array(names))
