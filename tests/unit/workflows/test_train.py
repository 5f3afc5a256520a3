import csv
import json
import os
from dataclasses import replace

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.errors import CannotTrain, CannotWrite, InvalidOption, NeuridError, NeuridWarning
from nwb_neurid.model.fitting import fit
from nwb_neurid.model.making import new_model

SMALL = {"encoder": "nuclr", "preset": "small", "steps": 3, "windows": 2, "device": "cpu"}


@pytest.fixture
def population(make_population):
    return make_population(units=6, duration_s=40.0, session_id="one", subject_id="mouse", source="one.nwb")


def test_a_folder_holds_model_and_curve(population, tmp_path):
    model = nwb_neurid.train([population], tmp_path / "model", **SMALL)
    folder = tmp_path / "model"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "loss.csv",
        "loss.png",
        "model.json",
        "weights.safetensors",
    ]
    with (folder / "loss.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["loss"]) > 0
    details = json.loads((folder / "model.json").read_text())["details"]
    assert (details["subjects"], details["sessions"], details["units"], details["steps"]) == (["mouse"], ["one"], 6, 3)
    assert "- Subjects: mouse" in (folder / "README.md").read_text()
    loaded = nwb_neurid.load_model(folder, device="cpu")
    assert loaded.details == model.details
    assert loaded.training == "3 steps, seed 0, on 6 units of 1 population, 0.011 hours of recordings"
    np.testing.assert_array_equal(loaded.embed(population).vectors, model.embed(population).vectors)


def test_the_vectors_are_others_than_untrained_ones(population, tmp_path):
    trained = nwb_neurid.train([population], tmp_path / "model", **SMALL)
    untrained = new_model("nuclr", preset="small", untrained=True, device="cpu")
    assert trained.weights_sha256 != untrained.weights_sha256
    assert not np.allclose(trained.embed(population).vectors, untrained.embed(population).vectors)


def interrupted_after(steps):
    def watch(step):
        if step.number == steps:
            raise KeyboardInterrupt

    return watch


def test_an_interrupted_training_leaves_a_model_and_goes_on(population, tmp_path):
    whole = nwb_neurid.train([population], tmp_path / "whole", **SMALL)
    folder = tmp_path / "model"
    nwb_neurid.train([population], folder, **SMALL, watch=interrupted_after(2))
    assert (folder / "checkpoint.safetensors").is_file()
    half = nwb_neurid.load_model(folder, device="cpu")
    assert half.training.startswith("interrupted after 2 of 3 steps")
    with pytest.raises(CannotWrite, match=r"exists. Choose another folder, continue the training in it \(--resume\)"):
        nwb_neurid.train([population], folder, **SMALL)
    rest = nwb_neurid.train([population], folder, **SMALL, resume=True)
    assert rest.weights_sha256 == whole.weights_sha256
    assert (folder / "loss.csv").read_text() == (tmp_path / "whole" / "loss.csv").read_text()
    assert not (folder / "checkpoint.safetensors").exists()
    again = nwb_neurid.train([population], folder, **SMALL, resume=True)
    assert again.weights_sha256 == whole.weights_sha256


def test_nothing_is_overwritten_unasked(population, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("years of work")
    with pytest.raises(CannotWrite, match=r"model exists. Choose another folder, or overwrite it"):
        nwb_neurid.train([population], tmp_path / "model", **SMALL)
    with pytest.raises(CannotWrite, match=r"is not a model folder, so it is not overwritten"):
        nwb_neurid.train([population], tmp_path / "model", **SMALL, overwrite=True)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["thesis.txt"]


def test_overwriting_trains_anew(population, tmp_path):
    folder = tmp_path / "model"
    nwb_neurid.train([population], folder, **SMALL, watch=interrupted_after(1))
    anew = nwb_neurid.train([population], folder, **SMALL, overwrite=True)
    assert anew.details["steps"] == 3


def test_resuming_needs_something_to_resume(population, tmp_path):
    with pytest.raises(InvalidOption, match=r"holds no checkpoint.safetensors to resume from. Leave out --resume"):
        nwb_neurid.train([population], tmp_path / "model", **SMALL, resume=True)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"steps": 5}, "with steps 3, not 5"),
        ({"steps": 5, "seed": 2}, "with steps 3, not 5 and seed 0, not 2"),
        ({"encoder": "neurpir"}, "of encoder nuclr, not neurpir"),
        ({"preset": "base"}, "of another preset or configuration of nuclr"),
    ],
)
def test_a_finished_training_goes_on_with_nothing_else(population, tmp_path, other, told):
    made = nwb_neurid.train([population], tmp_path / "model", **SMALL)
    again = nwb_neurid.train([population], tmp_path / "model", **SMALL, resume=True)
    assert again.weights_sha256 == made.weights_sha256
    words = rf"holds a finished training {told}\. It cannot be continued: train from scratch in another"
    with pytest.raises(InvalidOption, match=words):
        nwb_neurid.train([population], tmp_path / "model", **SMALL | other, resume=True)


def test_a_training_that_is_refused_leaves_no_folder(population, tmp_path):
    with pytest.raises(CannotTrain):
        nwb_neurid.train([population.slice(0.0, 12.0)], tmp_path / "model", **SMALL)
    assert not any(tmp_path.iterdir())


def test_an_encoder_that_does_not_learn_is_refused(population):
    with pytest.raises(InvalidOption, match=r"Encoder 'isi' needs no training: embed with it directly"):
        fit(new_model("isi"), [population], TrainingOptions(steps=1))


def test_the_model_itself_stays_as_it_is(population):
    untrained = new_model("nuclr", preset="small", untrained=True, device="cpu")
    before = untrained.weights_sha256
    trained, log = fit(untrained, [population], TrainingOptions(steps=2, windows=2))
    assert untrained.weights_sha256 == before == new_model("nuclr", preset="small", untrained=True).weights_sha256
    assert trained.weights_sha256 != before
    assert log.finished


def test_excluded_units_take_no_part_and_groups_are_apart(make_population):
    group = np.array(["left"] * 4 + ["right"] * 4)
    population = make_population(units=8, duration_s=40.0, group=group, excluded={0: "noise"})
    trained, _ = fit(
        new_model("nuclr", preset="small", untrained=True, device="cpu"), [population], TrainingOptions(steps=1)
    )
    assert (trained.details["units"], trained.details["populations"]) == (7, 2)


def test_what_cannot_be_trained_on_is_named(make_population, tmp_path):
    short = make_population(duration_s=3.0, source="short.nwb")
    with pytest.raises(CannotTrain, match=r"short.nwb: it needs 10 s of observed time, the recording has 3 s"):
        nwb_neurid.train([short], tmp_path / "model", **SMALL)


def test_a_recording_that_is_named_twice_is_refused(population, tmp_path):
    with pytest.raises(InvalidOption, match="was given twice"):
        nwb_neurid.train([population, population], tmp_path / "model", **SMALL)


def test_a_recording_left_out_is_a_warning(population, make_population, tmp_path):
    short = make_population(duration_s=3.0, source="short.nwb")
    with pytest.warns(NeuridWarning, match=r"Left out of the training: short.nwb: it needs 10 s"):
        nwb_neurid.train([population, short], tmp_path / "model", **SMALL)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"steps": 0}, "The number of training steps must be 1 or more, got 0"),
        ({"steps": 1, "seed": -1}, "The seed of a training must be 0 or more, got -1"),
        ({"steps": 1, "windows": 0}, "A step must have 1 window or more, got 0"),
        ({"steps": 1, "learning_rate": 0.0}, "The learning rate must be positive and finite, got 0.0"),
        ({"steps": 1, "precision": "int8"}, "The precision must be one of auto, float32, bfloat16, got 'int8'"),
    ],
)
def test_options_are_checked(option, message):
    with pytest.raises(InvalidOption, match=message):
        TrainingOptions(**option)


def test_two_trainings_into_one_folder(population, tmp_path):
    """The second is refused, and the first goes on; also where the second was started while the first was at work."""
    seen = []

    def meanwhile(step):
        for how in ({}, {"resume": True}, {"overwrite": True}):
            try:
                nwb_neurid.train([population], tmp_path / "model", **SMALL, **how)
            except NeuridError as error:
                seen.append(str(error))

    nwb_neurid.train([population], tmp_path / "model", **SMALL, checkpoint_s=0.0, watch=meanwhile)
    said = f"{tmp_path / 'model'} is being trained by another nwb-neurid command (process {os.getpid()} on "
    assert sum(text.startswith(said) for text in seen) >= 5
    assert nwb_neurid.load_model(tmp_path / "model", device="cpu").details["steps"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")
def test_a_model_of_private_recordings_is_private(population, tmp_path):
    source = tmp_path / "one.nwb"
    source.touch(0o600)
    private = replace(population, source=str(source))
    nwb_neurid.train([private], tmp_path / "model", **SMALL, checkpoint_s=0.0)
    made = [tmp_path / "model", *(tmp_path / "model").rglob("*")]
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []
    source.chmod(0o644)
    nwb_neurid.train([private], tmp_path / "open", **SMALL)
    assert (tmp_path / "open").stat().st_mode & 0o005
