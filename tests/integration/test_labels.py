"""Labels from the command line: fit a head on some animals, predict on another, read the table."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

import nwb_neurid
from nwb_neurid.cli import embed, fit_labels
from nwb_neurid.simulate import write_animals


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """Five simulated animals."""
    return write_animals(tmp_path_factory.mktemp("animals"), 30, 60.0, 3, animals=5, regions=2, jobs=1)


@pytest.fixture(scope="module")
def made(run_once, animals):
    """What `fit-labels` printed, how to run more, and the folder that holds the model."""
    words = ("--label", "cell_type", "--output", "model", "--scope", "a test")
    return run_once("fit-labels", "isi", *animals[:4], *words), run_once, run_once.args[-1]


def test_a_head_is_fitted_and_names_units(made, animals, tmp_path):
    done, run, _ = made
    first, second, note, last = done.stdout.splitlines()
    assert first.startswith("model: cell_type of ")
    assert " units of 4 animals: CH " in first
    assert second.startswith("On held-out animals: macro F1 0.")
    assert note == "Nominal coverage, not guaranteed for new animals: calibrated on 4 animals (a guarantee needs 9)."
    assert last.endswith(" embed SOURCE --model model")

    output = tmp_path / "out.nwb"
    said = run("embed", animals[4], "--model", "model", "--output", output, "--units-columns").stdout
    assert "  cell_type: " in said
    assert re.search(r"cell_type: \d+ of 30 units labelled \(\d+ .*\), \d+ abstained: ", said)
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
    _, run, _ = made
    output = tmp_path / "out.csv"
    options = ("--format", "csv", "--output", output, "--coverage", "0.6", "--prior", "uniform", "--label", "cell_type")
    said = run("embed", animals[4], "--model", "model", *options).stdout
    assert "Probabilities use the class shares that were given" in said
    table = pd.read_csv(output)
    assert {"cell_type_predicted_label", "cell_type_p_RS", "cell_type_ood_score"} <= {*table}
    reasons = table["cell_type_reason"].dropna()
    assert reasons[reasons.str.contains("plausible")].str.contains("at a coverage of 0.6").all()
    shares = ("--prior", "CH=1,FS=1,IB=1,LTS=1,RS=3", "--overwrite")
    run("embed", animals[4], "--model", "model", "--format", "csv", "--output", output, *shares)
    assert not table.equals(pd.read_csv(output))


def test_regions_are_smoothed_and_types_are_not(made, animals, tmp_path):
    _, run, _ = made
    run("fit-labels", "model", *animals[:4], "--label", "brain_region", "--output", "both")
    output = ("--output", tmp_path / "out.nwb", "--overwrite")
    said = run("embed", animals[4], "--model", "both", "--smooth", "--label", "brain_region", *output).stdout
    assert "Probabilities are means over up to five nearest units within 60 µm on the same probe." in said
    types = run("embed", animals[4], "--model", "both", "--smooth", *output, code=2).stderr
    assert "--smooth averages over neighbours, which share a region but not a cell_type." in types


def refused(capsys, command, *words, **options):
    """What a command says that ends with code 2."""
    with pytest.raises(typer.Exit) as caught:
        command(*words, **options)
    assert caught.value.exit_code == 2
    said = capsys.readouterr().err
    assert said.startswith("nwb-neurid: ")
    return said


@pytest.mark.parametrize(
    ("model", "options", "wanted"),
    [
        (
            "isi",
            {},
            "isi is an encoder, and a label head cannot be added to it. Choose a folder for a copy with the "
            "head (--output).",
        ),
        ("model", {}, "has a head for cell_type already. Replace it (--overwrite), or choose --output."),
        ("isi", {"output": "model"}, "model exists. Choose another folder, or overwrite it (--overwrite)."),
        ("nowhere", {}, "nowhere is not a model folder: it has no model.json."),
        (
            "isi",
            {"output": "new", "label": "depth"},
            "No recording has the label depth. Labels of the recordings: cell_t",
        ),
        ("isi", {"output": "new", "head": "tree"}, "There is no head 'tree'. Choose one of: linear, mlp."),
        ("isi", {"output": "new", "coverage": 2.0}, "coverage must lie above 0 and below 1, such as 0.9, got 2.0."),
        ("isi", {"output": "new", "map_": "no.csv"}, "no.csv cannot be read: No such file or directory."),
        ("isi", {"output": "new", "subjects": Path("no.csv")}, "no.csv cannot be read: No such file or directory."),
    ],
)
def test_what_cannot_be_fitted_is_one_line(made, animals, capsys, monkeypatch, tmp_path, model, options, wanted):
    monkeypatch.chdir(made[2])
    sources = [str(path) for path in animals[:2]]
    asked = {"label": "cell_type"} | options
    if "output" in options:
        asked["output"] = made[2] / "model" if options["output"] == "model" else tmp_path / "new"
    assert wanted in refused(capsys, fit_labels.fit_labels, model, sources, **asked)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"label": "layer"}, "The model has no label head 'layer'. It has: cell_type."),
        ({"coverage": 1.0}, "coverage must lie above 0 and below 1, such as 0.9, got 1.0."),
        ({"prior": "CH"}, "A prior must be a share for each class of cell_type, or one of uniform, got 'CH'."),
        (
            {"prior": "CH=1,CH=2"},
            "--prior gives the class CH more than once: CH=1,CH=2. Give one share for each class.",
        ),
        ({"prior": "CH=a"}, "--prior must be CLASS=SHARE,CLASS=SHARE,... or uniform, got 'CH=a'."),
        ({"prior": "CH=1"}, "A prior needs a share for each class of cell_type (CH, FS, IB, LTS, RS), got CH."),
        ({"model": None, "smooth": True}, "The model has no label heads and predicts no labels. Fit one:"),
    ],
)
def test_what_cannot_be_predicted_is_one_line(made, animals, capsys, tmp_path, options, wanted):
    asked = {"model": str(made[2] / "model"), "output": tmp_path / "out.nwb"} | options
    assert wanted in refused(capsys, embed.embed, [str(animals[4])], **asked)
    assert not (tmp_path / "out.nwb").exists()


def test_a_head_does_not_survive_other_weights(made, animals, capsys, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(made[2] / "model", other)
    path = other / "heads" / "cell_type.json"
    about = json.loads(path.read_text("utf-8"))
    about["encoder"]["encoder_version"] = "0"
    path.write_text(json.dumps(about), "utf-8")
    said = refused(capsys, embed.embed, [str(animals[4])], model=str(other))
    assert "was fitted to vectors of another encoder: encoder_version '1', expected '0'." in said
