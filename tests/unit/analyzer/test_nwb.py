"""Results of an analyzer in an NWB file of the same units."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile
from pynwb.testing.mock.file import mock_NWBFile

import nwb_neurid
from nwb_neurid.errors import CannotWrite, NoResults, ResultsExist, SourceNotFound

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

from nwb_neurid.analyzer import write_neurid_results  # noqa: E402

# SpikeInterface says so of what is in memory alone.
pytestmark = pytest.mark.filterwarnings("ignore:.*not serializable:UserWarning")

EMBEDDINGS, PREDICTIONS = "neurid_embeddings", "neurid_predictions"


@pytest.fixture
def nwb_file(tmp_path):
    """Writes a file with units of these names, or ids, that fire once a second."""

    def write(names, ids=None):
        nwbfile: NWBFile = mock_NWBFile(session_start_time=datetime(2024, 1, 1, tzinfo=UTC))
        if names is not None:
            nwbfile.add_unit_column("unit_name", "As in the sorting")
        for row, each in enumerate(ids if names is None else names):
            named = {"id": each} if names is None else {"unit_name": each}
            nwbfile.add_unit(spike_times=np.arange(10) + row / 100, **named)
        with NWBHDF5IO(tmp_path / "units.nwb", "w") as io:
            io.write(nwbfile)
        return tmp_path / "units.nwb"

    return write


def written(path):
    ((_, embeddings, predictions),) = nwb_neurid.read_results(path)
    return embeddings, predictions


def test_results_go_to_the_rows_of_their_units(analyzer, predicting, nwb_file):
    analyzer.compute(EMBEDDINGS, encoder="isi")
    analyzer.compute(PREDICTIONS, model=predicting)
    path = nwb_file(["cell 2", "0", "1", "added by hand", "9", "4", "3"])
    assert write_neurid_results(analyzer, path) == path
    embeddings, predictions = written(path)
    own = analyzer.get_extension(EMBEDDINGS).embeddings()
    order = [2, 3, 1, 4, 5, 0]
    kept = [0, 1, 2, 4, 5, 6]
    np.testing.assert_array_equal(embeddings.vectors[kept], own.vectors[order])
    assert embeddings.reasons[3] == "not in the sorting analyzer"
    assert np.isnan(embeddings.vectors[3]).all()
    assert [part.label_name for part in predictions] == ["brain_region", "cell_type"]
    assert predictions[1].label.tolist() == ["FS", "", "None", "", "FS", "FS", "NA"]
    assert predictions[1].reasons[[1, 3]].tolist() == ["no spikes in observed time", "not in the sorting analyzer"]


def test_units_that_were_read_from_a_file_find_their_rows_again(make_analyzer, nwb_file):
    extractors = pytest.importorskip("spikeinterface.extractors")
    path = nwb_file(None, ids=[7, 3, 11])
    sorting = extractors.read_nwb_sorting(path, sampling_frequency=30_000.0, t_start=0.0)
    analyzer = make_analyzer(units=sorting.select_units([11, 7]))
    analyzer.compute(EMBEDDINGS, encoder="isi")
    write_neurid_results(analyzer, path, name="curated")
    embeddings, predictions = written(path)
    assert embeddings.unit_ids.tolist() == [7, 3, 11]
    assert embeddings.reasons.tolist() == ["", "not in the sorting analyzer", ""]
    assert predictions == []
    np.testing.assert_array_equal(embeddings.vectors[[2, 0]], analyzer.get_extension(EMBEDDINGS).get_data())


def test_what_stands_there_is_replaced_if_that_is_asked_for(analyzer, nwb_file):
    analyzer.compute(EMBEDDINGS, encoder="isi")
    path = nwb_file(list(analyzer.unit_ids))
    write_neurid_results(analyzer, path)
    with pytest.raises(ResultsExist):
        write_neurid_results(analyzer, path)
    write_neurid_results(analyzer, path, overwrite=True)


def test_a_file_of_other_units_is_refused(analyzer, nwb_file):
    analyzer.compute(EMBEDDINGS, encoder="isi")
    words = "does not have all units of the analyzer; missing: 1, 4, 9 (3 of 6 units). Pass the NWB file"
    with pytest.raises(CannotWrite, match=re.escape(words)):
        write_neurid_results(analyzer, nwb_file(["cell 2", "0", "3"]))


def test_units_of_one_name_are_refused(analyzer, nwb_file):
    analyzer.compute(EMBEDDINGS, encoder="isi")
    with pytest.raises(CannotWrite, match="has several units of the same name"):
        write_neurid_results(analyzer, nwb_file([*analyzer.unit_ids, "3"]))


def test_without_embeddings_or_a_file_one_line_says_so(analyzer, nwb_file, tmp_path):
    with pytest.raises(NoResults, match=r'has no embeddings: analyzer\.compute\("neurid_embeddings"\)'):
        write_neurid_results(analyzer, nwb_file(["a"]))
    analyzer.compute(EMBEDDINGS, encoder="isi")
    with pytest.raises(SourceNotFound, match=r"none\.nwb does not exist"):
        write_neurid_results(analyzer, tmp_path / "none.nwb")


def test_predictions_may_have_been_computed_first(analyzer, predicting, tmp_path):
    analyzer.compute(PREDICTIONS, model=predicting)
    about = analyzer.get_extension(PREDICTIONS).data["about"]
    analyzer.get_extension(PREDICTIONS).data["about"] = np.char.replace(about, '"numpy": "', '"numpy": "older than ')
    analyzer.compute(EMBEDDINGS, model=predicting)
    _, predictions = written(write_neurid_results(analyzer, tmp_path / "new.nwb", new=True))
    assert predictions[1].label.tolist() == ["NA", "None", "FS", "", "FS", "FS"]


@pytest.mark.parametrize("other", [{}, {"encoder": "isi", "pool_groups": True}])
def test_predictions_of_other_vectors_are_refused(analyzer, predicting, other, tmp_path):
    analyzer.compute(EMBEDDINGS, **other)
    analyzer.compute(PREDICTIONS, model=predicting)
    with pytest.raises(
        CannotWrite, match=r"come from encoder 'isi' and from other vectors than its neurid_embeddings, "
    ):
        write_neurid_results(analyzer, tmp_path / "new.nwb", new=True)
    assert not (tmp_path / "new.nwb").exists()


def test_a_file_can_be_made_of_the_units(analyzer, predicting, tmp_path):
    analyzer.compute(EMBEDDINGS, encoder="isi")
    analyzer.compute(PREDICTIONS, model=predicting)
    path = write_neurid_results(analyzer, tmp_path / "new.nwb", new=True)
    embeddings, predictions = written(path)
    np.testing.assert_array_equal(embeddings.vectors, analyzer.get_extension(EMBEDDINGS).get_data())
    assert predictions[1].label.tolist() == ["NA", "None", "FS", "", "FS", "FS"]
    with NWBHDF5IO(path, "r") as io:
        assert io.read().units["name_in_source"][:].tolist() == analyzer.unit_ids.tolist()
    with pytest.raises(CannotWrite, match=r"new\.nwb"):
        write_neurid_results(analyzer, path, new=True)
    write_neurid_results(analyzer, path, overwrite=True)


@pytest.mark.filterwarnings("ignore")  # of NeuroConv and its libraries
def test_a_file_of_neuroconv_takes_the_results(with_templates, predicting, tmp_path):
    tools = pytest.importorskip("neuroconv.tools.spikeinterface", reason="neuroconv is not installed")
    analyzer = with_templates()
    analyzer.compute(EMBEDDINGS, encoder="isi")
    path = tmp_path / "neuroconv.nwb"
    metadata = {"NWBFile": {"session_start_time": datetime(2024, 1, 1, tzinfo=UTC)}}
    tools.write_sorting_analyzer_to_nwbfile(analyzer, nwbfile_path=path, metadata=metadata)
    write_neurid_results(analyzer, path)
    embeddings, predictions = written(path)
    np.testing.assert_array_equal(embeddings.vectors, analyzer.get_extension(EMBEDDINGS).get_data())
    assert predictions[0].label.tolist() == ["NA", "None", "FS", "", "FS", "FS"]
