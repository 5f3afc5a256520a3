import json
import os

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.spikeinterface import PLUGIN

SPIKE = [("sample_index", "int64"), ("unit_index", "int64"), ("segment_index", "int64")]


def test_a_saved_sorting_is_read(numpy_folder, read, trains):
    folder = numpy_folder(properties={"group": [0, 0, 1], "brain_area": ["CA1", "", "VISp"], "snr": [1.0, 2.0, 3.0]})
    assert PLUGIN.recognises(folder)
    assert PLUGIN.recognises(str(folder))
    population = read(folder)
    assert population.unit_ids.tolist() == ["a", "b", "c"]
    assert trains(population) == [[0.1, 0.3], [], [0.2]]
    assert population.group.tolist() == ["0", "0", "1"]
    assert {name: values.tolist() for name, values in population.labels.items()} == {
        "brain_area": ["CA1", "", "VISp"],
        "brain_region": ["CA1", "", "VISp"],
    }
    assert population.positions_um is None
    assert population.activity.resolution_s == 0.001
    assert population.source == str(folder)


def test_its_observed_time_is_that_of_the_spikes(numpy_folder):
    with pytest.warns(NeuridWarning, match=r"does not state how long it was recorded.*\(0.1 to 0.3"):
        population = PLUGIN.read(numpy_folder(), ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[0.1, 0.3]], atol=1e-5)


def test_a_saved_analyzer_is_read(analyzer_folder, trains):
    folder = analyzer_folder(locations=[[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]], unit_ids=[7, 8, 9])
    assert PLUGIN.recognises(folder)
    population = PLUGIN.read(folder, ReadOptions())
    assert population.unit_ids.tolist() == [7, 8, 9]
    assert trains(population) == [[0.1, 0.3], [], [0.2]]
    assert population.observed_s.tolist() == [[0, 1]]
    np.testing.assert_array_equal(population.positions_um, [[1, 2, 0], [np.nan] * 3, [5, 6, 0]])


def test_segments_of_an_analyzer_are_laid_out_silent_ones_too(analyzer_folder, spike_vector, trains):
    spikes = spike_vector((100, 0, 0), (50, 0, 2), (70, 2, 2))
    population = PLUGIN.read(analyzer_folder(num_samples=(200, 500, 100), spikes=spikes), ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[0, 0.2], [1.2, 1.7], [2.7, 2.8]])
    np.testing.assert_allclose(np.concatenate(trains(population)), [0.1, 2.75, 2.77])
    assert len(population.intervals_s(0)) == 0


def test_segments_of_a_sorting_are_those_with_spikes(numpy_folder, spike_vector, read):
    population = read(numpy_folder(spikes=spike_vector((100, 0, 0), (200, 0, 0), (100, 0, 5), (300, 2, 5))))
    assert len(population.runs_s()) == 2
    np.testing.assert_allclose(population.intervals_s(0), [0.1])


def test_spikes_behind_the_recording_are_told_of(analyzer_folder):
    with pytest.warns(NeuridWarning, match="1 of 3 spikes lie outside observed time"):
        PLUGIN.read(analyzer_folder(num_samples=(250,)), ReadOptions())


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_pickled_properties_are_left_out_unopened(numpy_folder, read, tmp_path):
    folder = numpy_folder(properties={"quality": ["good", "mua", ""]})
    values = np.array([Payload(tmp_path / "ran"), "PV", "SST"], object)
    np.save(folder / "properties" / "cell_type.npy", values, allow_pickle=True)
    with pytest.warns(
        NeuridWarning,
        match=r"left out:\n  - .*cell_type.npy must hold numbers or text",
    ):
        population = read(folder)
    assert list(population.labels) == ["quality"]
    assert not (tmp_path / "ran").exists()


def test_what_a_folder_names_is_not_called(analyzer_folder, tmp_path):
    folder = analyzer_folder()
    named = {"class": "os.mkdir", "module": "os", "version": "1", "kwargs": {"path": str(tmp_path / "ran")}}
    text = json.dumps({**named, "annotations": {}, "properties": {}})
    for path in [
        folder / "recording.json",
        folder / "sorting" / "si_folder.json",
        folder / "sorting" / "provenance.json",
    ]:
        path.write_text(text)
    assert len(PLUGIN.read(folder, ReadOptions())) == 3
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("info", "error", "words"),
    [
        ({"sampling_frequency": None}, InvalidSource, "must state its sampling rate, a number from 1 to 1e+09 Hz"),
        ({"sampling_frequency": float("nan")}, InvalidSource, "it states nan"),
        ({"sampling_frequency": 0}, InvalidSource, "it states 0"),
        ({"unit_ids": [], "spikes": np.zeros(0, SPIKE)}, UnreadableSource, "has no units"),
        ({"unit_ids": []}, InvalidSource, "unit_index must be the row of one of 0 units for each of 3 spikes"),
        ({"unit_ids": None}, InvalidSource, "numpysorting_info.json: unit_ids must be names or whole numbers"),
        ({"unit_ids": [1, "b", 3]}, InvalidSource, "must be names or whole numbers"),
        ({"unit_ids": [1, 2, 2**70]}, InvalidSource, "must be names or whole numbers"),
        ({"unit_ids": [[1], [2]]}, InvalidSource, "must be names or whole numbers"),
        ({"unit_ids": ["a", "b"]}, InvalidSource, "unit_index must be the row of one of 2 units for each of 3 spikes"),
        (
            {"spikes": np.zeros(3)},
            InvalidSource,
            "must be a one-dimensional structured array with the fields sample_ind",
        ),
    ],
)
def test_what_is_no_sorting_is_refused(numpy_folder, refused, info, error, words):
    refused(numpy_folder(**info), error, words)


@pytest.mark.parametrize("properties", [{"quality": ["good"]}, {"group": [1]}, {"a": ["x"] * 4, "b": np.zeros((3, 2))}])
def test_properties_of_another_length_are_left_out(numpy_folder, read, properties):
    folder = numpy_folder(properties=properties)
    with pytest.warns(NeuridWarning, match="must have one value for each of 3 units, it has ") as warned:
        population = read(folder)
    assert len(warned) == 1
    assert (population.group, population.labels) == (None, {})


def test_units_are_selected_by_their_properties(numpy_folder, read):
    folder = numpy_folder(properties={"quality": ["good", "noise", "mua"], "snr": [1.0, 2.0, 3.0]})
    with pytest.warns(NeuridWarning, match="left out 1 of 3 units: quality is 'noise'"):
        assert read(folder).excluded == {1: "quality is 'noise'"}
    assert read(folder, where="snr > 1.5").excluded.keys() == {0}
    assert not read(folder, where="all").excluded


def test_mixed_segments_are_refused(numpy_folder, spike_vector, refused):
    spikes = spike_vector((100, 0, 1), (100, 0, 0), (100, 0, 1))
    refused(numpy_folder(spikes=spikes), InvalidSource, "spikes.npy: segment_index must ascend")


@pytest.mark.parametrize("segments", [(0, 0, 2), (-1, 0, 1)])
def test_segments_that_are_not_there_are_refused(analyzer_folder, spike_vector, refused, segments):
    spikes = spike_vector(*((100, 0, segment) for segment in segments))
    words = "its 3 spikes must be ordered by segment, but do not fit 2 segments"
    refused(analyzer_folder(num_samples=(500, 500), spikes=spikes), InvalidSource, words)


@pytest.mark.parametrize("num_samples", [(), None, "abc", (1.5,), (-1,), (2**80,), (True,)])
def test_what_is_no_number_of_samples_is_refused(analyzer_folder, refused, num_samples):
    refused(analyzer_folder(num_samples=num_samples), InvalidSource, "num_samples must be whole numbers of samples")


@pytest.mark.parametrize("locations", [[[1.0], [2.0], [3.0]], [[1.0, 2.0]], [["a", "b"]] * 3, [1.0, 2.0, 3.0]])
def test_what_are_no_locations_is_left_out(analyzer_folder, read, locations):
    with pytest.warns(NeuridWarning, match=r"unit_locations must be numbers of shape \(3, 2\) or"):
        assert read(analyzer_folder(locations=locations)).positions_um is None


@pytest.mark.parametrize(
    "templates", [np.zeros((2, 5, 4)), np.zeros((3, 5)), np.full((3, 5, 4), "a"), np.zeros((3, 0, 4)), [1.0, 2.0, 3.0]]
)
def test_what_are_no_templates_is_left_out(analyzer_folder, read, templates):
    with pytest.warns(NeuridWarning, match=r"templates must be numbers of shape \(3, samples, channels\), they are "):
        assert read(analyzer_folder(templates=templates)).waveforms_uv is None


@pytest.mark.parametrize("name", ["settings.json", "extensions/templates/average.npy"])
def test_damaged_extensions_are_left_out(analyzer_folder, read, name):
    folder = analyzer_folder(templates=np.ones((3, 5, 4)))
    (folder / name).write_bytes(b"[")
    with pytest.warns(NeuridWarning, match=f"some data cannot be used and are left out:\n  - .*{name}"):
        assert read(folder).waveforms_uv is None


def test_a_template_that_is_not_a_number_somewhere_is_largest_elsewhere(analyzer_folder, read):
    templates = np.zeros((3, 2, 3), np.float32)
    templates[:2, 1] = [5, -2, 3]
    templates[0, 0, 0] = np.nan
    population = read(analyzer_folder(templates=templates))
    np.testing.assert_array_equal(population.waveforms_uv, [[0, 3], [0, 5], [np.nan, np.nan]])
    assert population.waveform_rate_hz == 1000.0


def test_another_rate_is_refused(numpy_folder, read, refused):
    folder = numpy_folder()
    refused(folder, InvalidOption, "states a sampling rate of 1000 Hz, but rate_hz is 30000", rate_hz=30000.0)
    assert len(read(folder, rate_hz=1000.0)) == 3


def with_character(code):
    values = np.array(["good", "mua", ""])
    values.view(np.uint32)[0] = code
    return values


@pytest.mark.parametrize("values", [with_character(0x110000), with_character(0xD800), np.empty(3, "V0")])
def test_damaged_properties_are_left_out(numpy_folder, read, values):
    folder = numpy_folder(properties={"quality": ["good", "mua", ""]})
    np.save(folder / "properties" / "cell_type.npy", values)
    with pytest.warns(NeuridWarning, match=r"left out:\n  - .*cell_type\.npy is damaged"):
        population = read(folder)
    assert list(population.labels) == ["quality"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00", "{" * 100_000])
def test_damaged_json_is_refused(numpy_folder, refused, text):
    folder = numpy_folder()
    (folder / "numpysorting_info.json").write_text(text)
    refused(folder, (UnreadableSource, InvalidSource), "numpysorting_info.json")


def test_a_missing_file_is_told(numpy_folder, refused):
    folder = numpy_folder()
    (folder / "spikes.npy").unlink()
    refused(folder, UnreadableSource, "spikes.npy is missing. Save or fetch it again.")


def test_an_array_that_promises_more_than_it_holds_costs_no_memory(numpy_folder, refused):
    folder = numpy_folder()
    path = folder / "spikes.npy"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"(3,), }" + b" " * 12, b"(3000000000000,), }"))
    assert path.read_bytes() != before
    refused(folder, UnreadableSource, "bytes, its header states 72000000000192")
