"""A dataset of vectors in place of the recordings gives the same heads and scores; what it cannot give is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nwb_neurid import evaluate, fit_labels, new_model, write_report
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import CannotWrite, InvalidOption, NeuridWarning, WrongWeights
from nwb_neurid.labels.duplicates import find_neurons
from nwb_neurid.labels.folder import pack_heads
from nwb_neurid.simulate import simulate
from nwb_neurid.workflows import report_dataset
from nwb_neurid.writers.dataset import MANIFEST, choose_part
from nwb_neurid.writers.nwb.entry import Results

pytest.importorskip("pyarrow", reason="datasets need nwb-neurid[parquet]")

GROUPS = {"FS": "inhibitory", "LTS": "inhibitory", "*": "excitatory"}


@pytest.fixture(scope="module")
def animals():
    found = [simulate(units=14, duration_s=30.0, animal=number).population() for number in range(4)]
    return [replace(each, source=f"{number}.nwb") for number, each in enumerate(found)]


@pytest.fixture(scope="module")
def dataset(animals, tmp_path_factory):
    """The vectors of four animals."""
    return write(animals, new_model("isi"), tmp_path_factory.mktemp("dataset") / "vectors")


def write(populations, model, folder):
    folder.mkdir(exist_ok=True)
    (folder / MANIFEST).touch()
    for each in populations:
        embeddings = model.embed(each)
        key = each.source + embeddings.provenance.encoder + "0" * 12
        part = choose_part(folder, each.source, key, lambda one: find_neurons([one]))
        part.write(each, [Results("isi", embeddings, [])])
    return folder


@pytest.mark.filterwarnings("ignore::nwb_neurid.NeuridWarning")
@pytest.mark.parametrize("count", [4, 1])  # with one animal, duplicates of a neuron are kept together
def test_a_head_is_the_one_that_recordings_give(animals, dataset, tmp_path, count):
    folder = dataset if count == 4 else write(animals[:1], new_model("isi"), tmp_path / "vectors")
    ours, theirs = (
        pack_heads(fit_labels("isi", given, label="cell_type", map=GROUPS).heads)
        for given in ([folder], animals[:count])
    )
    assert ours == theirs


@pytest.mark.filterwarnings("ignore::nwb_neurid.NeuridWarning")
def test_scores_are_those_of_the_recordings(animals, dataset):
    asked = {"label": "cell_type", "protocol": "transductive-zero-shot", "folds": 2, "map": GROUPS}
    ours, theirs = (evaluate("isi", given, **asked) for given in ([dataset], animals))
    assert ours.scores == theirs.scores
    assert ours.to_dataframe().equals(theirs.to_dataframe())


def test_what_needs_activity_is_left_out_with_a_warning(dataset):
    with pytest.warns(NeuridWarning, match="A dataset of vectors keeps no activity"):
        found = evaluate("isi", [dataset], label="cell_type", protocol="transductive", folds=2, map=GROUPS)
    assert set(found.scores["baselines"]) == {"rate and duration", "majority", "chance"}


@pytest.mark.parametrize(
    ("model", "given", "error", "said"),
    [
        ("company-spikes", {}, WrongWeights, r"holds vectors of isi 1, and company 1 with weights \w+ was given"),
        ("isi", {"reading": ReadOptions(stop_s=1.0)}, InvalidOption, "were chosen when the recordings were embedded"),
        ("isi", {"pool_groups": True}, InvalidOption, "were chosen when the recordings were embedded"),
    ],
)
def test_what_a_dataset_cannot_stand_for_is_refused(dataset, model, given, error, said):
    with pytest.raises(error, match=said):
        fit_labels(model, [dataset], label="cell_type", **given)


def test_datasets_are_not_mixed_and_not_counted_twice(animals, dataset, tmp_path):
    with pytest.raises(InvalidOption, match="is a dataset of vectors, and the other sources are not"):
        fit_labels("isi", [dataset, animals[0]], label="cell_type")
    copy = write(animals[:1], new_model("isi"), tmp_path / "copy")
    with pytest.raises(InvalidOption, match=r"0\.nwb is in two of the datasets and would be counted twice"):
        fit_labels("isi", [dataset, copy], label="cell_type")
    asked = {"label": "cell_type", "protocol": "transductive"}
    with pytest.raises(InvalidOption, match="Datasets of vectors and recordings cannot be mixed"):
        evaluate("isi", [dataset], train=[animals[0]], **asked)
    with pytest.raises(InvalidOption, match="Evaluating several models needs the recordings"):
        evaluate(["isi", "isi"], [dataset], **asked)


def facts_of(page: Path):
    text = page.read_text("utf-8")
    return json.loads(re.search(r'id="facts">(.*?)</script>', text, re.DOTALL)[1])


def test_the_report_shows_the_units_of_all_recordings(dataset):
    page = write_report(dataset)
    assert page == dataset.with_name("vectors.report.html")
    facts = facts_of(page)
    assert len(facts["ids"]) == 56
    assert facts["ids"][0] == "0.nwb:0"
    texts = {each["name"]: each["levels"] for each in facts["texts"]}
    assert texts["recording"] == ["0.nwb", "1.nwb", "2.nwb", "3.nwb"]
    assert len(texts["subject"]) == 4
    assert "RS" in texts["cell_type"]
    assert [each["name"] for each in facts["numbers"]] == ["firing rate (Hz)"]
    assert "Observed time was" not in facts["methods"]
    with pytest.raises(CannotWrite, match="exists"):
        write_report(dataset)
    with pytest.raises(InvalidOption, match="leave out --name"):
        write_report(dataset, overwrite=True, name="other")


@pytest.mark.filterwarnings("ignore::nwb_neurid.NeuridWarning")
def test_labels_given_in_the_report_teach_a_head(animals, dataset, tmp_path):
    origins = facts_of(write_report(dataset, tmp_path / "page.html"))["origins"]
    types = [str(name) for each in animals for name in each.labels["cell_type"].tolist()]
    lines = [
        f"{origins['sources'][origins['source'][row]]},{origins['ids'][row]},{'fast' if name == 'FS' else 'slow'}"
        for row, name in enumerate(types)
    ]
    assert (origins["rows"][13:15], origins["source"][13:15]) == ([13, 0], [0, 1])
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["source,unit_id,speed", *lines]) + "\n")
    asked = {"label": "speed", "reading": ReadOptions(labels=table)}
    found = evaluate("isi", [dataset], protocol="transductive-zero-shot", folds=2, **asked)
    assert found.cohort.truth.tolist() == ["fast" if name == "FS" else "slow" for name in types]
    head = fit_labels("isi", [dataset], **asked).heads["speed"]
    assert sorted(head.classes.tolist()) == ["fast", "slow"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unit_id,speed\n0,fast\n", "must have a column source that says which of 4 recordings a row is about"),
        ("source,unit_id,speed\nx.nwb,0,fast\n", r"is about other recordings: x\.nwb\. There are: 0\.nwb"),
        ("source,unit_id,speed\n1.nwb,99,fast\n", r"lists units that 1\.nwb does not have, by unit_id: 99"),
    ],
)
def test_tables_of_labels_that_do_not_fit_a_dataset_are_refused(dataset, tmp_path, text, said):
    table = tmp_path / "labels.csv"
    table.write_text(text)
    with pytest.raises(InvalidOption, match=said):
        fit_labels("isi", [dataset], label="speed", reading=ReadOptions(labels=table))


def test_of_very_many_units_some_are_shown(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(report_dataset, "MOST_UNITS", 20)
    with pytest.warns(NeuridWarning, match="has 56 units; 20 drawn at random are shown"):
        facts = facts_of(write_report(dataset, tmp_path / "page.html"))
    assert len(facts["ids"]) == 20


def test_vectors_of_several_models_are_not_shown_together(animals, tmp_path):
    folder = write(animals[:2], new_model("isi"), tmp_path / "vectors")
    write(animals[2:3], new_model("nuclr", preset="small", untrained=True, device="cpu"), folder)
    with pytest.warns(NeuridWarning, match="holds vectors of 2 models, .* shows those of isi: 2 of 3 recordings"):
        assert len(facts_of(write_report(folder))["ids"]) == 28
    with pytest.warns(NeuridWarning, match="1 of 3 recordings in .* have vectors of other models than isi"):
        fit_labels("isi", [folder], label="cell_type", map=GROUPS)
