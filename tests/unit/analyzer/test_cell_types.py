"""Without a model, `neurid_predictions` gives the cell types that `embed` gives for the same analyzer."""

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import InvalidOption

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

import nwb_neurid.analyzer  # noqa: E402 - it needs SpikeInterface

# SpikeInterface says so of what is in memory alone, and its libraries what they will.
pytestmark = pytest.mark.filterwarnings("ignore")

NAME = "neurid_predictions"
LABELS = ["putative_cell_type", "cell_type"]


@pytest.fixture(scope="module")
def recorded():
    return core.generate_ground_truth_recording(durations=[30.0], num_channels=4, num_units=6, seed=0)


@pytest.fixture
def make(recorded, tmp_path):
    """Makes an analyzer with templates in a format of SpikeInterface."""
    voltage, sorting = recorded

    def made(format="memory", templates=True):
        where = {} if format == "memory" else {"folder": tmp_path / ("a.zarr" if format == "zarr" else "a")}
        analyzer = core.create_sorting_analyzer(sorting, voltage, format=format, sparse=False, **where)
        if templates:
            analyzer.compute({"random_spikes": {}, "templates": {"operators": ["average"]}}, progress_bar=False)
        return analyzer

    return made


def same(found, wanted):
    assert found.label.tolist() == wanted.label.tolist()
    assert found.reasons.tolist() == wanted.reasons.tolist()
    assert found.notes == wanted.notes
    np.testing.assert_array_equal(found.class_probabilities, wanted.class_probabilities)


@pytest.mark.parametrize("format", ["memory", "binary_folder", "zarr"])
def test_they_are_those_of_embed(make, format):
    analyzer = make(format)
    wanted = nwb_neurid.embed(analyzer)
    extension = analyzer.compute(NAME, progress_bar=False)
    assert [part.label_name for part in extension.all_predictions()] == LABELS
    loaded = analyzer if format == "memory" else nwb_neurid.load_analyzer(analyzer.folder)
    again = loaded.get_extension(NAME)
    for label in LABELS:
        same(again.predictions(label), wanted.predictions[label])
    assert extension.beside().keys() == wanted.beside.keys() == {"neurid_cellexplorer", "neurid_cell_types"}
    for name, each in again.beside().items():
        np.testing.assert_array_equal(each.vectors, wanted.beside[name].vectors)
    assert again.params["criteria"] == "auto"
    table = extension.get_data(label="putative_cell_type")
    assert (
        table["prediction"].tolist()
        == np.where(
            wanted.predictions["putative_cell_type"].abstained, "", wanted.predictions["putative_cell_type"].label
        ).tolist()
    )


def test_without_templates_the_criterion_says_why(make):
    analyzer = make(templates=False)
    (found,) = analyzer.compute(NAME, progress_bar=False).all_predictions()
    assert found.label_name == "putative_cell_type"
    assert set(found.reasons.tolist()) == {"no mean waveform with a known sampling rate"}


def test_one_label_or_one_criterion_is_chosen(make):
    analyzer = make()
    assert len(analyzer.compute(NAME, label="cell_type", progress_bar=False).get_data()) == 6
    (found,) = analyzer.compute(NAME, criteria="bombcell", cell_types=False, progress_bar=False).all_predictions()
    assert "bombcell" in found.scope
    with pytest.raises(InvalidOption, match=r"no predictions of 'layer'\. Labels with predictions: cell_type, "):
        analyzer.compute(NAME, label="layer", progress_bar=False)
    with pytest.raises(InvalidOption, match="no label heads"):
        analyzer.compute(NAME, criteria="none", cell_types=False, progress_bar=False)
    with pytest.raises(InvalidOption, match="There is no criterion 'width'"):
        analyzer.compute(NAME, criteria="width", progress_bar=False)


def test_units_that_are_selected_keep_theirs(make):
    analyzer = make()
    wanted = analyzer.compute(NAME, progress_bar=False).predictions("cell_type")
    part = analyzer.select_units(analyzer.unit_ids[[4, 1]])
    assert part.get_extension(NAME).predictions("cell_type").label.tolist() == wanted.label[[4, 1]].tolist()
    assert part.get_extension(NAME).beside()["neurid_cell_types"].vectors.shape[0] == 2


def test_they_are_written_into_nwb(make, tmp_path):
    analyzer = make()
    analyzer.compute("neurid_embeddings", progress_bar=False)
    extension = analyzer.compute(NAME, progress_bar=False)
    path = nwb_neurid.analyzer.write_neurid_results(analyzer, tmp_path / "results.nwb", new=True)
    written = {name: predictions for name, _, predictions in nwb_neurid.read_results(path)}
    assert written.keys() == {"neurid_company", "neurid_cellexplorer", "neurid_cell_types"}
    assert written["neurid_company"] == []
    same(written["neurid_cell_types"][0], extension.predictions("cell_type"))
    assert written["neurid_cellexplorer"][0].label.tolist() == extension.predictions(LABELS[0]).label.tolist()
