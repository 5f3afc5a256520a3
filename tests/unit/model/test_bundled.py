"""The models that ship: small, loadable by name, and honest about what they were trained on."""

import re

import numpy as np
import pytest

from nwb_neurid import load_model
from nwb_neurid.errors import InvalidModel, InvalidOption
from nwb_neurid.model.bundled import BY_ACTIVITY, ENCODERS, FOLDER, located, shipped_for
from nwb_neurid.simulate import simulate


@pytest.mark.parametrize(("activity", "name"), BY_ACTIVITY.items())
def test_a_model_that_ships_is_small_and_says_what_it_learnt_from(activity, name):
    assert sum(path.stat().st_size for path in (FOLDER / name).iterdir()) <= 8_000_000
    model = load_model(name)
    assert model.name == ENCODERS[activity]
    assert model.spec.accepts == {activity}
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
    embeddings = load_model(shipped_for(activity)).embed(population)
    assert np.isfinite(embeddings.vectors[embeddings.reasons == ""]).all()
    assert (embeddings.reasons == "").sum() >= 6


def test_what_no_model_ships_for_is_said():
    with pytest.raises(
        InvalidOption, match=r"No model ships for fluorescence, only for spikes and dff\. Name an encoder"
    ):
        shipped_for("fluorescence")


def test_a_folder_of_that_name_goes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located("default-spikes") == FOLDER / "default-spikes"
    (tmp_path / "default-spikes").mkdir()
    with pytest.raises(InvalidModel):
        load_model("default-spikes")
    assert located(tmp_path) == tmp_path
