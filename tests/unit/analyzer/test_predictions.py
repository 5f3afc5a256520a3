"""`neurid_predictions`: names of units, which survive whatever SpikeInterface does to them."""

import re
from dataclasses import replace

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import InvalidOption, NeuridWarning

pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

from nwb_neurid.analyzer import compute_neurid_predictions

# SpikeInterface says so of what is in memory alone.
pytestmark = pytest.mark.filterwarnings("ignore:.*not serializable:UserWarning")

NAME, VECTORS = "neurid_predictions", "neurid_embeddings"
ROWS = ("unit_ids", "label", "class_probabilities", "prediction_set", "abstained", "reasons", "ood_score")
NAMES = ["NA", "None", "FS", "", "FS", "FS"]


def same(some, others):
    for name in (*ROWS, "classes", "prevalence"):
        np.testing.assert_array_equal(getattr(some, name), getattr(others, name))
    for name in ("label_name", "scope", "coverage", "provenance", "notes"):
        assert getattr(some, name) == getattr(others, name)


def saved(folder, label="cell_type"):
    again = nwb_neurid.load_analyzer(folder)  # its extensions hold it weakly
    return again.get_extension(NAME).predictions(label)


def of_model(model, analyzer, label="cell_type", **options):
    population = nwb_neurid.read(analyzer)
    return model.predict(model.embed(population), label, population=population, **options)


def test_the_names_are_those_of_the_model(each_analyzer, predicting):
    extension = each_analyzer.compute(NAME, model=predicting)
    for label in predicting.heads:
        same(extension.predictions(label), of_model(predicting, each_analyzer, label))
    assert not each_analyzer.has_extension(VECTORS)


def test_the_table_is_that_of_model_based_curation(analyzer, predicting):
    table = analyzer.compute(NAME, model=predicting).get_data(label="cell_type")
    assert table.index.tolist() == analyzer.unit_ids.tolist()
    assert table.columns[:2].tolist() == ["prediction", "probability"]
    assert table["prediction"].tolist() == NAMES
    assert table.loc["0", "reason"] == "no spikes in observed time"
    assert table.loc["3", "probability"] == pytest.approx(table.loc["3", "p_NA"])


def test_a_unit_that_is_declined_has_no_name_but_what_is_most_probable(scant, predicting):
    table = scant.compute(NAME, model=predicting, label="cell_type").get_data()
    assert table.loc["9", "prediction"] == ""
    assert table.loc["9", "most_probable"] in {"NA", "None", "FS"}
    assert table.loc["9", "reason"] == "too little evidence: 30 of 50 spikes"
    assert table.loc["9", "probability"] == table.loc["9", ["p_NA", "p_None", "p_FS"]].max()


def test_the_function_gives_the_table(analyzer, predicting):
    table = compute_neurid_predictions(analyzer, model=predicting, label="brain_region")
    assert table["prediction"].tolist() == ["CA1", "CA3", "CA1", "", "CA1", "CA3"]
    assert analyzer.get_extension(NAME).get_data(outputs="numpy").shape == (6, 2)


@pytest.mark.parametrize("format", ["memory", "binary_folder", "zarr"])
def test_labels_that_tables_would_lose_survive(each_analyzer, predicting, format, tmp_path):
    expected = each_analyzer.compute(NAME, model=predicting).predictions("cell_type")
    assert expected.label.tolist() == NAMES
    where = {} if format == "memory" else {"folder": tmp_path / f"other.{format}"}
    copy = each_analyzer.save_as(format=format, **where)
    same(copy.get_extension(NAME).predictions("cell_type"), expected)
    if format != "memory":
        same(saved(copy.folder), expected)
    table = copy.get_extension(NAME).get_data(label="cell_type")
    assert table["prediction"].tolist() == NAMES
    assert table["probability"].dtype == np.float32


def test_what_is_stored_is_arrays_alone(make_analyzer, predicting):
    made = make_analyzer("binary_folder")
    made.compute(NAME, model=predicting)
    with np.load(made.folder / "extensions" / NAME / "results.npz", allow_pickle=False) as arrays:
        assert {"data/class_probabilities_0", "data/class_index_1", "data/about"} <= set(arrays)
        assert all(arrays[name].dtype.kind in "biufU" for name in arrays)


def test_selected_units_keep_their_names(each_analyzer, predicting):
    before = each_analyzer.compute(NAME, model=predicting).predictions("cell_type")
    chosen = each_analyzer.select_units(["4", "3"]).get_extension(NAME)
    assert chosen.run_info["run_completed"]
    np.testing.assert_array_equal(chosen.data["class_index_0"], [list(before.classes).index(n) for n in ("FS", "NA")])


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_merged_units_are_named_anew(each_analyzer, predicting, mode):
    each_analyzer.compute(VECTORS, encoder="isi")
    each_analyzer.compute(NAME, model=predicting)
    merged = each_analyzer.merge_units([["3", "4"]], merging_mode=mode)
    same(merged.get_extension(NAME).predictions("cell_type"), of_model(predicting, merged))


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_split_units_are_named_anew(analyzer, predicting, mode):
    analyzer.compute(NAME, model=predicting)
    spikes = analyzer.sorting.count_num_spikes_per_unit()["1"]
    split = analyzer.split_units({"1": [np.arange(0, spikes, 2), np.arange(1, spikes, 2)]}, splitting_mode=mode)
    assert len(split.unit_ids) == 7
    same(split.get_extension(NAME).predictions("cell_type"), of_model(predicting, split))


def test_without_its_model_a_merged_unit_says_so(saved_analyzer, predicting):
    saved_analyzer.compute(NAME, model=predicting)
    again = nwb_neurid.load_analyzer(saved_analyzer.folder)
    with pytest.warns(NeuridWarning, match="neurid_predictions: units that were merged or split have no results"):
        merged = again.merge_units([["3", "4"]], new_unit_ids=["7"])
    table = merged.get_extension(NAME).get_data(label="cell_type")
    assert table.loc["7", "reason"] == "merged or split after it was embedded, without the model"
    assert table.loc["1", "prediction"] == "None"


def test_vectors_that_are_there_are_used(analyzer, predicting, monkeypatch):
    analyzer.compute(VECTORS, encoder="isi")
    monkeypatch.setattr(nwb_neurid.Model, "embed", lambda *_, **__: pytest.fail("embedded again"))
    assert analyzer.compute(NAME, model=predicting).get_data(label="cell_type")["prediction"].tolist() == NAMES


def test_vectors_of_another_model_are_not(analyzer, predicting):
    other = nwb_neurid.new_model("nuclr", preset="small", untrained=True, device="cpu")
    analyzer.compute(VECTORS, model=other)
    assert analyzer.compute(NAME, model=predicting).get_data(label="cell_type")["prediction"].tolist() == NAMES
    assert analyzer.get_extension(VECTORS).embeddings().provenance.encoder == "nuclr"


def test_computing_the_vectors_again_leaves_the_names(analyzer, predicting):
    analyzer.compute(VECTORS, encoder="isi")
    before = analyzer.compute(NAME, model=predicting)
    analyzer.compute(VECTORS, encoder="isi")
    assert analyzer.get_extension(NAME) is before


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (
            {"modl": "x"},
            "neurid_predictions has no parameter 'modl'. Its parameters: model, label, coverage, prior, smooth, ",
        ),
        ({"label": "layer"}, "The model has no label head 'layer'. It has: cell_type, brain_region."),
        ({"coverage": 2.0}, "coverage must lie above 0 and below 1, such as 0.9, got 2.0."),
        ({"prior": "even"}, "A prior must be a share for each class of cell_type, or one of uniform, got 'even'."),
        ({"model": nwb_neurid.new_model("isi")}, "The model has no label heads and predicts no labels."),
    ],
)
def test_a_mistake_destroys_nothing(each_analyzer, predicting, parameters, words):
    each_analyzer.compute(VECTORS, encoder="isi")
    before = each_analyzer.compute(NAME, model=predicting).predictions("cell_type")
    with pytest.raises(InvalidOption, match=re.escape(words)):
        each_analyzer.compute(NAME, **{"model": predicting} | parameters)
    same(each_analyzer.get_extension(NAME).predictions("cell_type"), before)
    assert each_analyzer.has_extension(VECTORS)
    if each_analyzer.format != "memory":
        same(saved(each_analyzer.folder), before)


def test_smoothing_needs_locations(analyzer, predicting):
    with pytest.raises(InvalidOption, match="was fitted to units without positions"):
        analyzer.compute(NAME, model=predicting, label="brain_region", smooth=True)


def test_a_label_must_be_named_where_there_are_several(analyzer, predicting):
    extension = analyzer.compute(NAME, model=predicting)
    words = "label must be one of the predicted labels (cell_type, brain_region), got ''."
    with pytest.raises(InvalidOption, match=re.escape(words)):
        extension.get_data()
    with pytest.raises(InvalidOption, match='outputs must be "numpy" or "dataframe", got \'list\''):
        extension.get_data(outputs="list", label="cell_type")


def test_a_folder_of_a_model_predicts_too(make_analyzer, predicting, tmp_path):
    folder = replace(predicting, heads={"cell_type": predicting.heads["cell_type"]}).save(tmp_path / "model")
    made = make_analyzer("zarr")
    assert made.compute(NAME, model=folder).get_data()["prediction"].tolist() == NAMES
    merged = nwb_neurid.load_analyzer(made.folder).merge_units([["3", "4"]])
    assert merged.get_extension(NAME).params["model"] == str(folder)
    same(merged.get_extension(NAME).predictions(), of_model(predicting, merged))
