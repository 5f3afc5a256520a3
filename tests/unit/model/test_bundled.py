"""The models that ship: small, loadable by name, and honest about what they were trained on."""

import re
from pathlib import Path

import numpy as np
import pytest

from nwb_neurid import load_model
from nwb_neurid.errors import InvalidModel, InvalidOption
from nwb_neurid.model.bundled import FOLDER, choose_bundled, find_model_folder, list_bundled, read_spec
from nwb_neurid.simulate import simulate

BY_ACTIVITY = {"spikes": "default-spikes", "dff": "default-calcium"}


def test_the_models_that_ship_are_those_with_a_description():
    assert list_bundled() == sorted(BY_ACTIVITY.values())


@pytest.mark.parametrize(("activity", "name"), BY_ACTIVITY.items())
def test_a_model_that_ships_is_small_and_says_what_it_learnt_from(activity, name):
    assert sum(path.stat().st_size for path in (FOLDER / name).iterdir()) <= 8_000_000
    model = load_model(name)
    assert choose_bundled(activity) == name
    assert read_spec(name) == model.spec
    assert activity in model.spec.accepts
    assert "SIMULATED" in model.training
    assert not model.heads, "labels of a simulation never ship"
    scores = model.details["macro F1 on simulated animals left out"]
    for label in ("cell_type", "brain_region"):
        assert scores["trained"][label] > scores["trained"][f"{label}, chance"]
    card = (FOLDER / name / "README.md").read_text()
    assert "SIMULATED" in card
    assert re.search(r"untrained", card)


@pytest.mark.parametrize("activity", list(BY_ACTIVITY))
def test_it_embeds_what_it_ships_for(activity):
    simulation = simulate(8, 40.0, 0)
    population = simulation.population() if activity == "spikes" else simulation.imaged_population()
    embeddings = load_model(choose_bundled(activity)).embed(population)
    assert np.isfinite(embeddings.vectors[embeddings.reasons == ""]).all()
    assert (embeddings.reasons == "").sum() >= 6


def test_what_no_model_ships_for_is_said():
    with pytest.raises(
        InvalidOption, match=r"No model ships for fluorescence, only for dff and spikes\. Name an encoder"
    ):
        choose_bundled("fluorescence")


@pytest.mark.parametrize("as_typed", [str, Path])
def test_a_model_is_found_by_its_name_however_it_is_typed(tmp_path, monkeypatch, as_typed):
    monkeypatch.chdir(tmp_path)
    for name in list_bundled():
        assert find_model_folder(as_typed(name)) == FOLDER / name
        assert load_model(as_typed(name)).name == load_model(FOLDER / name).name
    assert find_model_folder(as_typed("my-model")) == Path("my-model")
    assert find_model_folder(as_typed(tmp_path)) == tmp_path


def test_a_folder_of_that_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default-spikes").mkdir()
    with pytest.raises(InvalidModel):
        load_model("default-spikes")
