"""Predictions as properties of units, curations, and columns of phy."""

import json

import numpy as np
import pandas as pd
import pytest

import nwb_neurid
from nwb_neurid.errors import CannotWrite, NoResults

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

from nwb_neurid.analyzer import export_neurid_to_phy, neurid_curation, set_neurid_properties  # noqa: E402

# SpikeInterface says so of what is in memory alone.
pytestmark = pytest.mark.filterwarnings("ignore:.*not serializable:UserWarning")

NAME = "neurid_predictions"
NAMES = ["NA", "None", "FS", "", "FS", "FS"]
PROPERTIES = [
    "neurid_cell_type",
    "neurid_cell_type_probability",
    "neurid_brain_region",
    "neurid_brain_region_probability",
]


def with_classes(analyzer, *names):
    """Puts other names in place of the classes of the first label."""
    extension = analyzer.get_extension(NAME)
    about = json.loads(str(extension.data["about"][0]))
    about[0]["classes"] = list(names)
    extension.data["about"] = np.array([json.dumps(about)])


def test_names_become_properties(each_analyzer, predicting):
    each_analyzer.compute(NAME, model=predicting)
    assert set_neurid_properties(each_analyzer) == PROPERTIES
    analyzer = each_analyzer
    if each_analyzer.format != "memory":
        analyzer = nwb_neurid.load_analyzer(each_analyzer.folder)
    assert analyzer.get_sorting_property("neurid_cell_type").tolist() == NAMES
    probability = analyzer.get_sorting_property("neurid_cell_type_probability")
    np.testing.assert_array_equal(probability, each_analyzer.get_extension(NAME).predictions("cell_type").probability)


def test_longer_names_are_not_cut_when_properties_are_written_again(saved_analyzer, predicting):
    saved_analyzer.compute(NAME, model=predicting)
    set_neurid_properties(saved_analyzer)
    with_classes(saved_analyzer, "fast spiking", "narrow", "wide as a whole column of cortex")
    set_neurid_properties(saved_analyzer)
    again = nwb_neurid.load_analyzer(saved_analyzer.folder)
    expected = ["narrow", "wide as a whole column of cortex", *["fast spiking"] * 3]
    assert [name for name in again.get_sorting_property("neurid_cell_type").tolist() if name] == expected


def test_a_name_that_a_property_cannot_hold_is_refused(analyzer, predicting):
    analyzer.compute(NAME, model=predicting)
    with_classes(analyzer, "x" * 65, "b", "c")
    with pytest.raises(CannotWrite, match=r"has 65 characters, a property of SpikeInterface can hold 64\."):
        set_neurid_properties(analyzer)


def test_properties_may_stay_out_of_the_folder(saved_analyzer, predicting):
    saved_analyzer.compute(NAME, model=predicting)
    set_neurid_properties(saved_analyzer, save=False)
    assert saved_analyzer.get_sorting_property("neurid_cell_type").tolist() == NAMES
    again = nwb_neurid.load_analyzer(saved_analyzer.folder)
    assert not set(PROPERTIES) & set(again.sorting.get_property_keys())


def test_properties_do_not_come_back_as_known_identities(analyzer, predicting):
    before = analyzer.compute("neurid_embeddings", encoder="isi").get_data()
    analyzer.compute(NAME, model=predicting)
    set_neurid_properties(analyzer)
    assert not {"cell_type", "brain_region"} & nwb_neurid.read(analyzer).labels.keys()
    np.testing.assert_array_equal(analyzer.compute("neurid_embeddings", encoder="isi").get_data(), before)


def test_a_curation_is_what_spikeinterface_takes(analyzer, predicting):
    curation = pytest.importorskip("spikeinterface.curation")
    model = pytest.importorskip("spikeinterface.curation.curation_model")
    analyzer.compute(NAME, model=predicting)
    made = json.loads(json.dumps(neurid_curation(analyzer)))
    assert made["format_version"] == "2"
    model.Curation(**made)
    curated = curation.apply_curation(analyzer, made)
    assert curated.get_sorting_property("neurid_cell_type").tolist() == NAMES
    assert [label["unit_id"] for label in made["manual_labels"]] == ["3", "1", "cell 2", "9", "4"]


def test_a_curation_of_numbered_units_has_numbers(make_analyzer, sorting, predicting):
    analyzer = make_analyzer(units=sorting.rename_units(np.array([5, 3, 9, 1, 0, 7])))
    analyzer.compute(NAME, model=predicting)
    made = json.loads(json.dumps(neurid_curation(analyzer)))
    assert made["unit_ids"] == [5, 3, 9, 1, 0, 7]
    assert [label["unit_id"] for label in made["manual_labels"]] == [5, 3, 9, 0, 7]


@pytest.mark.parametrize("function", [set_neurid_properties, neurid_curation])
def test_without_predictions_one_line_says_what_to_do(analyzer, function):
    with pytest.raises(NoResults, match=r'has no predictions: analyzer\.compute\("neurid_predictions"'):
        function(analyzer)


OPTIONS = {"compute_pc_features": False, "compute_amplitudes": False, "copy_binary": False, "verbose": False}


def shown_by_phy(folder):
    """Of each cluster, how many spikes it has, its name in the sorting, its class and probability."""

    def column(name):
        return pd.read_csv(folder / f"cluster_{name}.tsv", sep="\t", keep_default_na=False, dtype=str)

    spikes = np.bincount(np.load(folder / "spike_clusters.npy").ravel())
    table = column("si_unit_ids").merge(column("neurid_cell_type")).merge(column("neurid_cell_type_probability"))
    return table.assign(spikes=spikes)


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.filterwarnings("ignore")  # of SpikeInterface and its libraries, while they make a recording
def test_phy_shows_the_name_of_the_right_cluster(with_templates, sorting, silent, tmp_path):
    units = sorting.select_units([unit for unit in sorting.unit_ids if silent or unit != "0"])
    analyzer = with_templates(units)
    export_neurid_to_phy(analyzer, tmp_path / "phy", **OPTIONS)
    shown = shown_by_phy(tmp_path / "phy")
    assert shown["si_unit_id"].tolist() == ["3", "1", "cell 2", "9", "4"]
    assert shown["neurid_cell_type"].tolist() == ["NA", "None", "FS", "FS", "FS"]
    counts = sorting.count_num_spikes_per_unit()
    assert shown["spikes"].tolist() == [counts[unit] for unit in shown["si_unit_id"]]
    expected = analyzer.get_extension(NAME).get_data().loc[shown["si_unit_id"], "probability"]
    np.testing.assert_allclose(shown["neurid_cell_type_probability"].astype(float), expected)


@pytest.mark.filterwarnings("ignore")  # as above
def test_the_exporter_of_spikeinterface_takes_the_properties(with_templates, sorting, tmp_path):
    from spikeinterface.exporters import export_to_phy

    analyzer = with_templates(sorting.select_units(["9", "1"]))
    names = set_neurid_properties(analyzer)
    export_to_phy(analyzer, tmp_path / "phy", additional_properties=names, **OPTIONS)
    assert shown_by_phy(tmp_path / "phy")["neurid_cell_type"].tolist() == ["FS", "None"]
