import json
import os
import shutil
import sys

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.spikeinterface import PLUGIN

zarr = pytest.importorskip("zarr", reason="zarr is not installed")
core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

pytestmark = pytest.mark.skipif(
    int(zarr.__version__.split(".")[0]) > 2, reason="SpikeInterface writes with zarr 2 only"
)

RATE_HZ = 1000.0


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A sorting and an analyzer with two segments, as SpikeInterface saves them."""
    folder = tmp_path_factory.mktemp("zarr")
    spikes = [{"a": [100, 300], "b": [], "c": [200]}, {"a": [50], "b": [], "c": []}]
    sorting = core.NumpySorting.from_unit_dict(
        [{unit: np.array(train, int) for unit, train in segment.items()} for segment in spikes], RATE_HZ
    )
    sorting.set_property("quality", ["good", "mua", ""])
    sorting.set_property("group", [0, 0, 1])
    recording = core.generate_recording(num_channels=2, durations=[1.0, 0.5], sampling_frequency=RATE_HZ, seed=0)
    analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    analyzer.save_as(format="zarr", folder=folder / "analyzer.zarr")
    sorting.save(folder=folder / "sorting", format="zarr")
    located = zarr.open_group(str(folder / "analyzer.zarr"), mode="a")["extensions"].create_group("unit_locations")
    located.create_dataset("unit_locations", data=np.arange(9.0).reshape(3, 3))
    return folder


@pytest.fixture
def sorting_folder(saved, tmp_path):
    return shutil.copytree(saved / "sorting.zarr", tmp_path / "sorting.zarr")


@pytest.fixture
def analyzer_folder(saved, tmp_path):
    return shutil.copytree(saved / "analyzer.zarr", tmp_path / "analyzer.zarr")


def test_a_saved_sorting_is_read(sorting_folder, read, trains):
    assert PLUGIN.recognises(sorting_folder)
    population = read(sorting_folder)
    assert population.unit_ids.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(trains(population)[0][:2], [0.1, 0.3])
    assert len(population.runs_s()) == 2
    assert population.group.tolist() == ["0", "0", "1"]
    assert population.labels["quality"].tolist() == ["good", "mua", ""]


def test_its_observed_time_is_that_of_the_spikes(sorting_folder):
    with pytest.warns(NeuridWarning, match="does not state how long it was recorded"):
        PLUGIN.read(sorting_folder, ReadOptions())


def test_a_saved_analyzer_is_read(analyzer_folder, trains):
    assert PLUGIN.recognises(str(analyzer_folder))
    population = PLUGIN.read(analyzer_folder, ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[0, 1], [2, 2.5]])
    np.testing.assert_allclose(trains(population)[0], [0.1, 0.3, 2.05])
    assert population.positions_um.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert population.source == str(analyzer_folder)


def test_it_equals_the_object(analyzer_folder):
    from_folder = PLUGIN.read(analyzer_folder, ReadOptions())
    from_object = PLUGIN.read(core.load(analyzer_folder), ReadOptions())
    np.testing.assert_allclose(from_folder.spikes.times_s, from_object.spikes.times_s, atol=1e-9)
    np.testing.assert_allclose(from_folder.observed_s, from_object.observed_s, atol=1e-9)
    assert from_folder.unit_ids.tolist() == from_object.unit_ids.tolist()


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_pickles_are_not_opened(sorting_folder, refused, tmp_path):
    import numcodecs

    values = np.array([Payload(tmp_path / "ran"), "b", "c"], object)
    group = zarr.open_group(str(sorting_folder), mode="a")
    del group["unit_ids"]
    group.create_dataset("unit_ids", data=values, object_codec=numcodecs.Pickle())
    refused(sorting_folder, UnreadableSource, "unit_ids cannot be read: its codec pickle is unknown or could run code")
    assert not (tmp_path / "ran").exists()


def changed(path, **values):
    stated = json.loads(path.read_text())
    path.write_text(json.dumps({**stated, **values}))


def test_an_array_that_claims_more_than_it_holds_is_refused(sorting_folder, refused):
    changed(sorting_folder / "unit_ids" / ".zarray", shape=[10**12], chunks=[10**12])
    refused(sorting_folder, UnreadableSource, "bytes, but its shape needs 4000000000000")


@pytest.mark.parametrize("name", ["unit_ids", "spikes/sample_index", "spikes/unit_index", "spikes/segment_slices"])
def test_damaged_arrays_are_refused(sorting_folder, refused, name):
    for chunk in (sorting_folder / name).glob("[0-9]*"):
        chunk.write_bytes(chunk.read_bytes()[:7])
    refused(sorting_folder, UnreadableSource, f"{name.split('/')[-1]} is damaged: ")


@pytest.mark.parametrize("text", ["", "[]", '{"filters": "pickle"}'])
def test_damaged_descriptions_are_refused(sorting_folder, refused, text):
    (sorting_folder / "spikes" / "unit_index" / ".zarray").write_text(text)
    refused(sorting_folder, (UnreadableSource, InvalidSource), "unit_index")


def test_a_missing_rate_is_refused(sorting_folder, refused):
    (sorting_folder / ".zattrs").write_text("{}")
    refused(sorting_folder, InvalidSource, "must state its sampling rate")


def test_another_rate_is_refused(sorting_folder, refused):
    refused(sorting_folder, InvalidOption, "states a sampling rate of 1000 Hz, but rate_hz is 30000", rate_hz=30000.0)


@pytest.mark.parametrize("attributes", [{}, {"recording_attributes": 3}, {"recording_attributes": {"num_samples": []}}])
def test_a_missing_duration_is_refused(analyzer_folder, refused, attributes):
    (analyzer_folder / "recording_info" / ".zattrs").write_text(json.dumps(attributes))
    refused(analyzer_folder, InvalidSource, "num_samples must be whole numbers of samples")


@pytest.mark.parametrize("slices", [[[0, 2], [3, 4]], [0, 4], [[0.0, 4.0]]])
def test_segments_that_do_not_follow_one_another_are_refused(sorting_folder, refused, slices):
    group = zarr.open_group(str(sorting_folder), mode="a")["spikes"]
    del group["segment_slices"]
    group.create_dataset("segment_slices", data=np.array(slices))
    refused(sorting_folder, InvalidSource, "segment_slices must be pairs of start and stop, one after the other")


def test_columns_of_two_lengths_are_refused(sorting_folder, refused):
    group = zarr.open_group(str(sorting_folder), mode="a")["spikes"]
    del group["unit_index"]
    group.create_dataset("unit_index", data=np.zeros(3, int))
    refused(sorting_folder, InvalidSource, "unit_index must be the row of one of 3 units for each of 4 spikes")


def test_without_numcodecs_it_is_told_what_to_install(sorting_folder, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "numcodecs", None)
    refused(sorting_folder, UnreadableSource, "pip install numcodecs")
