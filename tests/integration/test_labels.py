"""Labels from the command line: fit a head on some animals, predict on another, read the table."""

import json

import numpy as np
import pandas as pd
import pytest

import nwb_neurid
from nwb_neurid.simulate import write_animals


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """Five simulated animals."""
    return write_animals(tmp_path_factory.mktemp("animals"), 30, 60.0, 3, animals=5, regions=2, jobs=1)


@pytest.fixture(scope="module")
def made(run_once, animals):
    """What `fit-labels` printed, and the folder that it made."""
    done = run_once("fit-labels", "isi", *animals[:4], "--label", "cell_type", "--output", "model", "--scope", "a test")
    return done, run_once


def test_a_head_is_fitted_and_names_units(made, animals, tmp_path):
    done, run = made
    first, second, note, last = done.stdout.splitlines()
    assert first.startswith("model: cell_type of ")
    assert " units of 4 animals: CH " in first
    assert second.startswith("On animals left out: macro F1 0.")
    assert note == "Nominal coverage, not guaranteed for new animals: calibrated on 4, needed are 9."
    assert last == "Use it: nwb-neurid embed SOURCE --model model"

    output = tmp_path / "out.nwb"
    said = run("embed", animals[4], "--model", "model", "--output", output, "--units-columns").stdout
    assert "  cell_type: " in said
    assert " units named, " in said
    assert "    Nominal coverage, not guaranteed for new animals" in said
    ((_, _, (found,)),) = nwb_neurid.read_results(output)
    truth = nwb_neurid.read(animals[4]).labels["cell_type"]
    named = ~found.abstained
    assert np.mean(found.label[named] == truth[named]) > 0.8
    assert found.scope == "a test"
    assert found.notes[0].startswith("Nominal coverage")
    shown = run("show", output).stdout
    assert "cell_type among a test" in shown
    assert "Nominal coverage, not guaranteed for new animals" in shown
    columns = nwb_neurid.read(output)
    assert columns.labels.keys() == {"cell_type", "brain_region"}, "predictions are no labels"


def test_coverage_prior_and_format_can_be_asked_for(made, animals, tmp_path):
    _, run = made
    output = tmp_path / "out.csv"
    options = ("--format", "csv", "--output", output, "--coverage", "0.6", "--prior", "uniform", "--label", "cell_type")
    said = run("embed", animals[4], "--model", "model", *options).stdout
    assert "Probabilities for shares of the classes that were given" in said
    table = pd.read_csv(output)
    assert {"cell_type_predicted_label", "cell_type_p_RS", "cell_type_ood_score"} <= {*table}
    reasons = table["cell_type_reason"].dropna()
    assert reasons[reasons.str.contains("plausible")].str.contains("at a coverage of 0.6").all()
    shares = ("--prior", "CH=1,FS=1,IB=1,LTS=1,RS=3", "--overwrite")
    run("embed", animals[4], "--model", "model", "--format", "csv", "--output", output, *shares)


def test_regions_are_smoothed_and_types_are_not(made, animals, tmp_path):
    _, run = made
    run("fit-labels", "model", *animals[:4], "--label", "brain_region", "--output", "both")
    output = ("--output", tmp_path / "out.nwb", "--overwrite")
    said = run("embed", animals[4], "--model", "both", "--smooth", "--label", "brain_region", *output).stdout
    assert "Probabilities are means over up to five nearest units within 60 µm on the same probe." in said
    refused = run("embed", animals[4], "--model", "both", "--smooth", *output, code=2).stderr
    assert "--smooth lets neighbours vote, which share a region but not a cell_type." in refused.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["isi", "--label", "cell_type"], "isi is an encoder and no model folder: name a folder for the model"),
        (["model", "--label", "cell_type"], "model has a head for cell_type already. Replace it (--overwrite)"),
        (["isi", "--label", "cell_type", "-o", "model"], "model exists. Choose another folder, or overwrite it"),
        (["nowhere", "--label", "cell_type"], "nowhere is not a model folder: it has no model.json."),
        (["isi", "--label", "depth", "-o", "new"], "No recording has the label depth. They have: cell_type, brain_"),
        (["isi", "--label", "cell_type", "-o", "new", "--head", "tree"], "There is no head 'tree'."),
        (["isi", "--label", "cell_type", "-o", "new", "--coverage", "2"], "coverage must lie between 0 and 1"),
        (["isi", "--label", "cell_type", "-o", "new", "--map", "no.csv"], "no.csv cannot be read"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(made, animals, words, wanted):
    _, run = made
    model, *options = words
    done = run("fit-labels", model, *animals[:2], *options, code=2)
    assert done.stderr.startswith("nwb-neurid: ")
    assert wanted in done.stderr


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--model", "model", "--label", "layer"], "The model has no label head 'layer'. It has: cell_type."),
        (["--model", "model", "--coverage", "1"], "coverage must lie between 0 and 1, got 1.0."),
        (["--model", "model", "--prior", "CH"], "--prior wants CLASS=SHARE,... or uniform, got 'CH'."),
        (["--model", "model", "--prior", "CH=a"], "--prior wants CLASS=SHARE,... or uniform, got 'CH=a'."),
        (["--model", "model", "--prior", "CH=1"], "A prior needs a share for each class of cell_type"),
        (["--coverage", "0.8"], "The model has no label heads, and none is named."),
    ],
)
def test_what_cannot_be_predicted_is_one_line(made, animals, tmp_path, options, wanted):
    _, run = made
    done = run("embed", animals[4], *options, "--output", tmp_path / "out.nwb", code=2)
    assert done.stderr.startswith("nwb-neurid: ")
    assert wanted in done.stderr
    assert not (tmp_path / "out.nwb").exists()


def test_a_head_does_not_survive_other_weights(made, animals, tmp_path):
    _, run = made
    run("fit-labels", "isi", *animals[:2], "--label", "cell_type", "--output", tmp_path / "other")
    path = tmp_path / "other" / "heads" / "cell_type.json"
    about = json.loads(path.read_text("utf-8"))
    about["encoder"]["encoder_version"] = "0"
    path.write_text(json.dumps(about), "utf-8")
    done = run("embed", animals[4], "--model", tmp_path / "other", code=2)
    assert "was fitted to vectors of another encoder: encoder_version '1', expected '0'." in done.stderr
