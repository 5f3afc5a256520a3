"""The models that ship: small, loadable by name, and honest about what they were trained on."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nwb_neurid import load_model, read
from nwb_neurid.dff import convert_to_dff
from nwb_neurid.errors import CannotEncode, InvalidModel, InvalidOption
from nwb_neurid.model.bundled import (
    FOLDER,
    choose_bundled,
    find_model_folder,
    list_bundled,
    list_labels,
    list_with_heads,
    read_spec,
)
from nwb_neurid.simulate import simulate
from nwb_neurid.testing import mock_population

BY_ACTIVITY = {"spikes": "company-spikes", "dff": "company-calcium"}
OTHERS = {"default-spikes": "spikes", "default-calcium": "dff"}
CELL_TYPES = "cell-types"
WORMS = "worm-classes"


def test_the_models_that_ship_are_those_with_a_description():
    assert list_bundled() == sorted([*BY_ACTIVITY.values(), *OTHERS, CELL_TYPES, WORMS])


def test_a_model_with_heads_is_applied_beside_the_default():
    assert list_labels(CELL_TYPES) == ["cell_type"]
    assert list_with_heads("spikes") == [CELL_TYPES]
    assert list_with_heads("dff") == []
    assert not any(map(list_labels, (*BY_ACTIVITY.values(), *OTHERS)))


def test_a_model_whose_encoder_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr("nwb_neurid.model.bundled.registry.encoders", lambda: {"company": None})
    assert list_bundled() == ["company-calcium", "company-spikes", WORMS]


def test_the_model_of_cell_types_states_what_it_learnt_from_and_how_good_it_is():
    assert sum(path.stat().st_size for path in (FOLDER / CELL_TYPES).rglob("*") if path.is_file()) <= 1_000_000
    model = load_model(CELL_TYPES)
    assert "343 cells of 42 animals" in model.training
    (head,) = model.heads.values()
    assert head.classes.tolist() == ["AAC", "PV", "SST", "VIP", "pyramidal"]
    assert head.details["balanced_accuracy"] >= 0.68
    assert head.details["macro_f1"] >= 0.62
    measured = head.details["on held-out animals, as histograms with waveform"]
    assert measured["coverage_of_sets"] >= head.coverage
    elsewhere = head.details["on held-out projects, as histograms with waveform"]
    assert elsewhere["balanced_accuracy"] < 0.4, "and the card says so"
    assert elsewhere["share_wrong_among_predicted"] < 0.1
    assert "biased sample" in head.scope
    assert head.parts == ("hippocampus", "cortex")
    assert head.explain_guessing() == ""
    assert (head.rare, head.stretches) == (("VIP",), 4)
    trains = head.details["on held-out animals, as spike trains with waveform"]
    assert trains["wrong_among_predicted"] <= 1
    assert measured["share_wrong_at_most"] <= 0.2
    assert sum(head.priors["neocortex"].shares.values()) == pytest.approx(1, abs=0.03)
    assert head.required.of == "waveforms_uv"
    card = (FOLDER / CELL_TYPES / "README.md").read_text("utf-8")
    for part in (
        "Recall of class: AAC",
        "On held-out projects",
        "types and laboratories cannot be told apart",
        "BSD-3",
    ):
        assert part in card


def test_the_model_of_cell_types_abstains_by_spike_times_alone():
    population = simulate(8, 60.0, 0).population()
    model = load_model(CELL_TYPES)
    embeddings = model.embed(population)
    assert "their vectors rest on spike times alone" in embeddings.provenance.notes[0]
    found = model.predict(embeddings, "cell_type", population=population)
    assert found.abstained.all()


@pytest.mark.parametrize(("activity", "name"), BY_ACTIVITY.items())
def test_the_default_of_each_activity(activity, name):
    assert choose_bundled(activity) == name


@pytest.mark.parametrize(("activity", "name"), [*BY_ACTIVITY.items(), *((kind, name) for name, kind in OTHERS.items())])
def test_a_model_that_ships_is_small_and_says_what_it_learnt_from(activity, name):
    assert sum(path.stat().st_size for path in (FOLDER / name).iterdir()) <= 8_000_000
    model = load_model(name)
    assert read_spec(name) == model.spec
    assert activity in model.spec.accepts
    assert "SIMULATED" in model.training
    assert not model.heads, "labels of a simulation never ship"
    scores = model.details["macro F1 on held-out simulated animals"]
    for label in ("cell_type", "brain_region"):
        assert scores["trained"][label] > scores["trained"][f"{label} at chance"]
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
    message = (
        r"No model ships for voltage, only for deconvolved and dff and fluorescence and spikes\. Choose an encoder"
    )
    with pytest.raises(InvalidOption, match=message):
        choose_bundled("voltage")


@pytest.mark.parametrize("kind", ["dff", "fluorescence", "deconvolved"])
@pytest.mark.parametrize(("rate_hz", "duration_s"), [(0.5, 10.0), (1.7, 10.0), (4.3, 10.0), (30.0, 10.0), (0.5, 90.0)])
def test_imaging_of_every_kind_from_10_s_and_half_a_frame_a_second_is_embedded(kind, rate_hz, duration_s):
    population = mock_population(kind, rate_hz=rate_hz, duration_s=duration_s)
    if kind == "fluorescence":
        raw = replace(population.activity, values=200 * (1 + population.activity.values))
        population = replace(population, activity=raw)
    assert choose_bundled(kind) == BY_ACTIVITY["dff"]
    said = {"dff": "", "fluorescence": "dF/F was computed from fluorescence", "deconvolved": "convolved with a decay"}
    for name in (BY_ACTIVITY["dff"], "default-calcium"):
        embeddings = load_model(name).embed(population)
        assert (embeddings.reasons == "").sum() >= len(population) - 1  # the last of them is silent
        notes = " ".join(embeddings.provenance.notes)
        assert said[kind] in notes
    assert ("resampled from" in notes) == (rate_hz != 4.3)
    assert ("is too short for a window of 29.9 s" in notes) == (duration_s < 29.9)
    assert embeddings.provenance.window_s == pytest.approx(min(duration_s, 29.9), rel=0.2)


@pytest.mark.parametrize("name", ["company-calcium", "default-calcium"])
def test_imaging_that_is_shorter_or_slower_is_refused_with_the_reason(name):
    model = load_model(name)
    for options, reason in (
        ({"duration_s": 9.0}, "it needs 10 s of observed time, the recording has 9 s"),
        ({"rate_hz": 0.4}, "it takes frame rates of 0.5 to 1000 Hz, the recording has 0.4 Hz"),
    ):
        with pytest.raises(CannotEncode, match=reason):
            model.embed(mock_population("dff", **options))


@pytest.mark.parametrize("name", ["company-calcium", "default-calcium"])
def test_one_recording_gives_one_set_of_vectors_whether_converted_before_or_within(name):
    population = mock_population("fluorescence", rate_hz=5.0, duration_s=60.0)
    population = replace(population, activity=replace(population.activity, values=200 + population.activity.values))
    model = load_model(name)
    within, before = model.embed(population), model.embed(convert_to_dff(population))
    np.testing.assert_array_equal(within.vectors, before.vectors)
    assert within.provenance.notes == before.provenance.notes


@pytest.mark.parametrize("name", ["company-calcium", "default-calcium"])
@pytest.mark.parametrize("kind", ["fluorescence", "deconvolved"])
def test_what_happens_in_a_gap_of_imaging_changes_nothing(kind, name):
    model = load_model(name)
    found = [
        model.embed(mock_population(kind, rate_hz=5.0, duration_s=80.0, gap=(40.0, 20.0), in_gap=seed)).vectors
        for seed in (0, 1)
    ]
    np.testing.assert_array_equal(*found)


def test_the_model_of_worms_is_applied_on_request_and_states_how_good_it_is():
    assert list_labels(WORMS) == ["cell_type"]
    assert WORMS not in list_with_heads("dff") + list_with_heads("fluorescence")
    assert choose_bundled("dff") == BY_ACTIVITY["dff"]
    assert sum(path.stat().st_size for path in (FOLDER / WORMS).rglob("*") if path.is_file()) <= 1_000_000
    model = load_model(WORMS)
    (head,) = model.heads.values()
    assert len(head.classes) == 27
    measured = model.details["on held-out worms"]
    assert measured["true class ranked first"] >= 0.4
    assert measured["coverage of 90% sets"] >= head.coverage
    assert "C. elegans" in head.scope


def test_sets_hold_the_classes_of_recorded_worms(shared_data):
    worm = read(shared_data / "worms" / "sub-2022-07-26-31_ses-ophys.nwb")
    model = load_model(WORMS)
    predictions = model.predict(model.embed(worm))
    truth = worm.labels["cell_type"]
    rows = np.isin(truth, predictions.classes)
    at = np.searchsorted(predictions.classes, truth[rows])
    assert predictions.prediction_set[rows, at].mean() >= 0.9
    assert predictions.prediction_set[rows].sum(axis=1).mean() < 14


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
