import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.spikeinterface import PLUGIN

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

# Before 0.105 it warned of vectors of times, which its preprocessing did not hand on.
pytestmark = pytest.mark.filterwarnings("ignore:Setting times with Recording.set_times:UserWarning")

RATE_HZ = 1000.0


def sorting(*segments):
    return core.NumpySorting.from_unit_dict(
        [{unit: np.array(train, int) for unit, train in segment.items()} for segment in segments], RATE_HZ
    )


def recording(*durations_s):
    return core.generate_recording(num_channels=2, durations=list(durations_s), sampling_frequency=RATE_HZ, seed=0)


def registered(spikes, voltage):
    spikes.register_recording(voltage)
    return spikes


@pytest.fixture
def one():
    return sorting({"a": [100, 300], "b": [], "c": [200]})


def test_units_of_a_sorting_are_read(one, read, trains):
    one.set_property("quality", ["good", "mua", ""])
    one.set_property("brain_area", ["CA1", "unknown", "VISp"])
    one.set_property("snr", [1.0, 2.0, 3.0])
    one.set_property("group", [0, 0, 1])
    assert PLUGIN.recognises(one)
    population = read(one)
    assert population.unit_ids.tolist() == ["a", "b", "c"]
    assert trains(population) == [[0.1, 0.3], [], [0.2]]
    assert {name: values.tolist() for name, values in population.labels.items()} == {
        "quality": ["good", "mua", ""],
        "brain_area": ["CA1", "", "VISp"],
        "brain_region": ["CA1", "", "VISp"],
    }
    assert population.group.tolist() == ["0", "0", "1"]
    assert population.positions_um is None
    assert population.activity.resolution_s == 1 / RATE_HZ
    assert population.source == "NumpySorting"


def test_properties_that_are_python_objects_are_read_too(one, read):
    one.set_property("cell_type", np.array(["PV", None, float("nan")], object))
    assert read(one).labels["cell_type"].tolist() == ["PV", "", ""]


def test_units_keep_the_type_of_their_ids(read):
    assert read(sorting({7: [1], 3: [2]})).unit_ids.tolist() == [7, 3]


def test_a_selection_of_units_is_a_sorting(one, read, trains):
    population = read(one.select_units(["c", "a"]))
    assert population.unit_ids.tolist() == ["c", "a"]
    assert trains(population) == [[0.2], [0.1, 0.3]]


def test_without_a_recording_observed_time_is_that_of_the_spikes(one):
    with pytest.warns(NeuridWarning, match=r"NumpySorting does not state how long .*\(0.1 to 0.3"):
        PLUGIN.read(one, ReadOptions())


def test_the_recording_tells_how_long(one):
    population = PLUGIN.read(registered(one, recording(1.0)), ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[0, 1]], rtol=1e-12)


def test_the_start_of_the_recording_is_kept(one, trains):
    voltage = recording(1.0)
    voltage.shift_times(100.0)
    population = PLUGIN.read(registered(one, voltage), ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[100, 101]], rtol=1e-12)
    np.testing.assert_allclose(trains(population)[0], [100.1, 100.3], rtol=1e-12)


@pytest.mark.skipif(not hasattr(core.BaseSorting, "shift_times"), reason="new in SpikeInterface 0.105")
def test_a_shift_of_the_sorting_is_kept(one, read, trains):
    one.shift_times(5.0)
    np.testing.assert_allclose(trains(read(one))[0], [5.1, 5.3])


def test_a_vector_of_times_is_kept(one, trains):
    voltage = recording(1.0)
    times = 10 + np.arange(1000) * 1.0001e-3
    voltage.set_times(times)
    population = PLUGIN.read(registered(one, voltage), ReadOptions())
    assert trains(population) == [times[[100, 300]].tolist(), [], times[[200]].tolist()]
    np.testing.assert_allclose(population.observed_s, [[10, times[-1] + 1e-3]])


def test_spikes_behind_a_vector_of_times_are_told_of():
    voltage = recording(1.0)
    voltage.set_times(10 + np.arange(1000) / RATE_HZ)
    late = sorting({"a": [100, 1000, 1200]})
    late.register_recording(voltage, check_spike_frames=False)
    with pytest.warns(NeuridWarning, match="2 of 3 spikes lie outside observed time"):
        population = PLUGIN.read(late, ReadOptions())
    assert population.spikes.times_s.tolist() == [10.1]


def test_segments_are_laid_one_after_another(trains):
    spikes = sorting({"a": [100, 200], "b": []}, {"a": [100], "b": [300]})
    population = PLUGIN.read(registered(spikes, recording(1.0, 0.5)), ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[0, 1], [2, 2.5]])
    np.testing.assert_allclose(trains(population)[0], [0.1, 0.2, 2.1])
    np.testing.assert_allclose(trains(population)[1], [2.3])
    np.testing.assert_allclose(population.intervals_s(0), [0.1])


def test_segments_of_one_clock_stay_on_it(trains):
    voltage = recording(1.0, 0.5)
    voltage.shift_times(60.0, segment_index=1)
    population = PLUGIN.read(registered(sorting({"a": [100]}, {"a": [100]}), voltage), ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[0, 1], [60, 60.5]])
    np.testing.assert_allclose(trains(population)[0], [0.1, 60.1])


def test_an_analyzer_knows_its_recording_and_locations(one):
    analyzer = core.create_sorting_analyzer(one, recording(1.0), sparse=False)
    assert PLUGIN.recognises(analyzer)
    assert PLUGIN.read(analyzer, ReadOptions()).positions_um is None
    analyzer.extensions["unit_locations"] = Located()
    population = PLUGIN.read(analyzer, ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[0, 1]])
    assert population.positions_um.tolist() == [[1, 2, 0], [3, 4, 0], [5, 6, 0]]
    assert population.source == "SortingAnalyzer"


class Located:
    def __init__(self):
        self.data = {"unit_locations": np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])}


def test_an_analyzer_takes_the_times_of_its_recording(one, trains):
    voltage = recording(1.0)
    times = 10 + np.arange(1000) * 1.0001e-3
    voltage.set_times(times)
    population = PLUGIN.read(core.create_sorting_analyzer(one, voltage, sparse=False), ReadOptions())
    assert trains(population)[0] == times[[100, 300]].tolist()


def test_an_analyzer_without_its_recording_still_knows_how_long_it_was(one):
    analyzer = core.create_sorting_analyzer(one, recording(1.0), sparse=False)
    analyzer._recording = None
    population = PLUGIN.read(analyzer, ReadOptions())
    np.testing.assert_allclose(population.observed_s, [[0, 1]])


def test_reading_changes_nothing(one):
    one.set_property("group", [0, 0, 1])
    before = one.to_spike_vector().copy()
    PLUGIN.read(registered(one, recording(1.0)), ReadOptions())
    np.testing.assert_array_equal(one.to_spike_vector(), before)
    assert set(one.get_property_keys()) == {"group"}


@pytest.mark.parametrize(
    ("made", "error", "words"),
    [
        (lambda: sorting({"a": [], "b": []}), UnreadableSource, "NumpySorting has 2 units but no spikes"),
        (lambda: sorting({"a": [1]}).select_units([]), UnreadableSource, "UnitsSelectionSorting has no units"),
        (
            lambda: core.NumpySorting.from_unit_dict([{"a": np.array([1])}], 0.0),
            InvalidSource,
            "NumpySorting must state its sampling rate, a number from 1 to 1e+09 Hz, it states 0",
        ),
    ],
)
def test_what_is_no_recording_is_refused(made, refused, error, words):
    refused(made(), error, words)


def test_another_rate_is_refused(one, refused):
    refused(
        one, InvalidOption, "states a sampling rate of 1000 Hz, but rate_hz is 30000. Leave rate_hz out", rate_hz=3e4
    )
