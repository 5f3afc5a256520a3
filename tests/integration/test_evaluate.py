import csv
import json

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.simulate import simulate, write_nwb


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """Two simulated animals as NWB files."""
    folder = tmp_path_factory.mktemp("animals")
    return [write_nwb(simulate(10, 20.0, seed), folder / f"animal-{seed}.nwb") for seed in (0, 1)]


@pytest.fixture
def types(tmp_path):
    """A table that makes two classes of five types."""
    (tmp_path / "types.csv").write_text("old,new\nFS,inhibitory\nLTS,inhibitory\n*,excitatory\n")
    return "types.csv"


def test_scores_are_written_printed_and_compared(run, animals, types, tmp_path):
    options = ["--label", "cell_type", "--map", types, "--protocol", "inductive-zero-shot"]
    done = run("evaluate", *animals, "--encoder", "isi", *options, "--output", "isi")
    assert "cell_type of 20 units of 2 subjects, inductive-zero-shot, 2 folds" in done.stdout
    assert "Fewer than six subjects, so there is no interval. Macro F1 of each: simulated-0 " in done.stdout
    scores = json.loads((tmp_path / "isi" / "scores.json").read_text())
    assert scores.keys() >= {"macro_f1", "balanced_accuracy", "baselines", "per_class", "confusion"}
    with (tmp_path / "isi" / "predictions.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 20
    assert (
        "holds an evaluation. Replace it"
        in run("evaluate", *animals, "--encoder", "isi", *options, "--output", "isi", code=2).stderr
    )
    compared = run("compare", "isi", "isi")
    assert "On 20 units of 2 subjects that all evaluations tested" in compared.stdout
    assert "paired bootstrap over neurons, as there are 2 subjects" in compared.stdout


def test_a_leak_is_refused_by_name_and_nothing_is_written(run, animals, tmp_path):
    seen = [nwb_neurid.read(animal) for animal in animals[:1]]
    options = {"encoder": "nuclr", "preset": "small", "steps": 1, "windows": 1, "device": "cpu"}
    nwb_neurid.train(seen, tmp_path / "model", **options)
    done = run(
        *("evaluate", *animals, "--model", "model", "--label", "cell_type"),
        *("--protocol", "inductive-zero-shot", "--output", "scores"),
        code=2,
    )
    assert "nuclr was trained on subjects that it would be tested on: simulated-0." in done.stderr
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--protocol", "inductive"], "There is no protocol 'inductive'"),
        (["--protocol", "transductive", "--encoder", "nuclr"], "random weights (--untrained)"),
        (["--protocol", "transductive"], "Choose what to evaluate"),
        (["--protocol", "transductive", "--encoder", "isi", "--label-fractions", "few"], "--label-fractions must be"),
    ],
)
def test_bad_options_are_one_line(run, animals, words, message):
    done = run("evaluate", *animals, "--label", "cell_type", "--output", "scores", *words, code=2)
    assert message in done.stderr


def test_regions_of_recorded_units_are_scored(shared_data):
    """A session of Steinmetz et al. 2019, of which 0.4 s after each stimulus are there."""
    recording = nwb_neurid.read(shared_data / "steinmetz" / "sub-Forssmann_ses-2017-11-05.nwb")
    rows = np.flatnonzero(np.isin(recording.labels["brain_region"], ["CA3", "VPL"]))[:180:3]
    options = {"label": "brain_region", "protocol": "transductive", "folds": 2, "baseline": ""}
    with pytest.warns(NeuridWarning, match="All units are of one subject"):
        scores = nwb_neurid.evaluate("isi", [recording.select(rows)], **options).scores
    assert scores["units"] > 40
    assert "neighbours in activity" in scores["baselines"]
