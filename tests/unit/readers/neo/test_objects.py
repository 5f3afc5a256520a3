import re
import warnings

import numpy as np
import pytest

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.neo import PLUGIN

neo = pytest.importorskip("neo", reason="neo is not installed")
pq = pytest.importorskip("quantities", reason="quantities is not installed")


def train(times, start=0.0, stop=10.0, unit="s", name=None, rate_hz=None, **annotations):
    sampling = {} if rate_hz is None else {"sampling_rate": rate_hz * pq.Hz}
    return neo.SpikeTrain(times, units=unit, t_start=start, t_stop=stop, name=name, **sampling, **annotations)


def block(*segments, **of):
    made = neo.Block(**of)
    for trains in segments:
        made.segments.append(neo.Segment())
        made.segments[-1].spiketrains.extend(trains)
    return made


def read(source):
    return PLUGIN.read(source, ReadOptions())


def trains(population):
    return [population.spikes.train_s(unit).tolist() for unit in range(len(population))]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda own: block(own),
        lambda own: block(own).segments[0],
        lambda own: own,
        tuple,
        lambda own: block(own).segments[0].spiketrains,
    ],
    ids=["block", "segment", "list", "tuple", "SpikeTrainList"],
)
def test_one_train_is_one_unit(wrapped):
    source = wrapped([train([1, 3]), train([]), train([2])])
    assert PLUGIN.recognises(source)
    population = read(source)
    assert trains(population) == [[1, 3], [], [2]]
    assert population.unit_ids.tolist() == [0, 1, 2]
    assert population.observed_s.tolist() == [[0, 10]]
    assert population.unit_observed is None


def test_a_train_alone_is_a_population():
    assert PLUGIN.recognises(train([1, 3]))
    assert trains(read(train([1, 3]))) == [[1, 3]]


def test_spikes_in_one_array_are_trains():
    source = neo.core.spiketrainlist.SpikeTrainList.from_spike_time_array(
        np.array([1.0, 2.0, 3.0]), np.array([4, 7, 4]), all_channel_ids=[4, 7], units="s", t_start=0, t_stop=10
    )
    assert trains(read(source)) == [[1, 3], [2]]


@pytest.mark.parametrize(("unit", "second"), [("s", 1), ("ms", 1e3), ("us", 1e6), ("ns", 1e9), ("min", 1 / 60)])
def test_every_unit_of_time_is_converted(unit, second):
    population = read([train(np.array([1.5, 3]) * second, second, 10 * second, unit)])
    np.testing.assert_allclose(trains(population)[0], [1.5, 3], rtol=0, atol=1e-9)
    np.testing.assert_allclose(population.observed_s, [[1, 10]], rtol=0, atol=1e-9)


def test_a_spike_at_the_very_end_counts():
    population = read([train([1, 10]), train([2])])
    assert trains(population) == [[1, 10], [2]]
    assert population.unit_observed is None
    np.testing.assert_allclose(population.observed_s, [[0, 10]], atol=1e-5)


def test_units_are_observed_in_their_own_time():
    population = read([train([1], 0, 10), train([5], 4, 6)])
    assert population.observed_s.tolist() == [[0, 4], [4, 6], [6, 10]]
    assert population.unit_observed.tolist() == [[True, True, True], [False, True, False]]


def test_text_annotations_are_labels():
    population = read(
        block(
            [train([1], cell_type="PV", quality="good", depth=3), train([2], brain_area="CA1", cell_type="unknown")],
            [train([1], cell_type="SST", brain_area="VISp"), train([2])],
        )
    )
    assert {name: values.tolist() for name, values in population.labels.items()} == {
        "cell_type": ["PV", ""],
        "quality": ["good", ""],
        "brain_area": ["VISp", "CA1"],
        "brain_region": ["VISp", "CA1"],
    }


def test_noise_and_what_is_unsorted_keep_their_row_with_the_reason():
    source = [
        train([1], unit_classification="unclassified"),
        train([2], unit_classification="sorted"),
        train([3], quality="Noise"),
        train([4], quality="good"),
    ]
    with pytest.warns(
        NeuridWarning, match="left out 2 of 4 units: unit_classification is 'unclassified'; quality is 'Noise'"
    ):
        population = read(source)
    assert population.excluded == {0: "unit_classification is 'unclassified'", 2: "quality is 'Noise'"}
    assert not PLUGIN.read(source, ReadOptions(where="all")).excluded


@pytest.mark.parametrize(
    ("origin", "excluded"),
    [
        ("a.plx", {0: "unsorted (unit 0 of its channel)"}),
        ("a.nev", {0: "unsorted (unit 0 of its channel)", 2: "noise (unit 255)"}),
        ("a.smr", {0: "unsorted (unit 0 of its channel)"}),
        ("a.nix", {}),
        (None, {}),
    ],
)
def test_units_of_channels_are_known_by_the_file_that_they_come_from(origin, excluded):
    source = [train([1], name="ch1#0"), train([2], name="ch1#1"), train([3], name="ch1#255"), train([4], name="ch10")]
    for own in source:
        own.file_origin = origin
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        assert read(source).excluded == excluded


def test_recordings_that_nobody_sorted_are_kept():
    source = [train([1], name="ch1#0"), train([2], name="ch2#0")]
    for own in source:
        own.file_origin = "a.plx"
    with pytest.warns(
        NeuridWarning, match="every unit is rejected .unsorted .unit 0 of its channel.., so these columns"
    ):
        assert not read(source).excluded


@pytest.mark.parametrize(
    ("where", "rows"),
    [("name == 'b'", {1}), ("depth > 2", {0, 1}), ("depth > 2 and layer == 'L5'", {1}), ("id == 'c'", {2})],
)
def test_units_are_selected_by_annotations_and_names(where, rows):
    source = [
        train([1], name="a", depth=3),
        train([2], name="b", depth=4.5, layer="L5"),
        train([3], name="c", layer="L6"),
    ]
    population = PLUGIN.read(source, ReadOptions(where=where))
    assert population.excluded == dict.fromkeys(sorted({0, 1, 2} - rows), f"not selected by --where {where}")


def test_the_block_names_the_session():
    population = read(block([train([1])], name="day 3"))
    assert (population.session_id, population.source) == ("day 3", "neo.Block day 3")


def test_the_resolution_is_that_of_the_sampling():
    assert read([train([1], rate_hz=1000)]).activity.resolution_s == 0.001
    assert read([train([1])]).activity.resolution_s == 0


@pytest.mark.parametrize(
    ("first", "second", "ids"),
    [
        ({"unit_id": 7, "name": "x"}, {"unit_id": 3, "name": "x"}, [7, 3]),
        ({"id": "#7", "name": "x"}, {"id": "#3", "name": "x"}, ["#7", "#3"]),
        ({"cluster_id": np.int64(7)}, {"cluster_id": np.int64(3)}, [7, 3]),
        ({"unit_id": 7, "name": "x"}, {"name": "y"}, ["x", "y"]),
        ({"unit_id": 7, "name": "x"}, {"unit_id": 7, "name": "y"}, ["x", "y"]),
        ({"unit_id": 0, "name": "x"}, {"unit_id": 1, "name": "y"}, ["x", "y"]),
        ({"unit_id": 0, "name": "x"}, {"unit_id": 1, "name": "x"}, [0, 1]),
        ({"unit_id": 0}, {"unit_id": 1, "name": "y"}, [0, 1]),
        ({"id": "7", "name": "x"}, {"id": "3", "name": "y"}, ["x", "y"]),
        ({"cluster_id": 5, "id": "0", "name": "x"}, {"cluster_id": 4, "id": "1", "name": "y"}, [5, 4]),
        ({"unit_id": True, "name": "x"}, {"unit_id": False, "name": "x"}, [0, 1]),
        ({"unit_id": "", "name": "x"}, {"unit_id": "3", "name": ""}, [0, 1]),
        ({"unit_id": 7}, {"unit_id": "a"}, ["7", "a"]),
    ],
)
def test_units_are_told_apart_by_annotation_then_name_then_place(first, second, ids):
    population = read([train([1], **first), train([2], **second)])
    assert population.unit_ids.tolist() == ids
    assert trains(population) == [[1], [2]]


def test_units_of_several_segments_are_matched_by_name():
    population = read(
        block([train([1], name="a"), train([2], name="b")], [train([3], name="c"), train([4], name="a")], [])
    )
    assert population.unit_ids.tolist() == ["a", "b", "c"]
    assert trains(population) == [[1, 15], [2], [14]]
    assert population.observed_s.tolist() == [[0, 10], [11, 21]]
    assert population.unit_observed.tolist() == [[True, True], [True, False], [False, True]]


def test_units_of_several_segments_are_matched_by_place():
    population = read(block([train([1]), train([2])], [train([3]), train([4])]))
    assert trains(population) == [[1, 14], [2, 15]]
    assert len(population.intervals_s(0)) == 0


def test_segments_of_one_clock_stay_on_it():
    population = read(block([train([1], 0, 10)], [train([31], 30, 40)]))
    assert trains(population) == [[1, 31]]
    assert population.observed_s.tolist() == [[0, 10], [30, 40]]


def test_segments_that_touch_are_one_run():
    population = read(block([train([9, 10], 0, 10)], [train([11], 10, 20)]))
    assert population.intervals_s(0).tolist() == [1, 1]


def test_lazy_trains_are_loaded():
    source = neo.io.ExampleIO("made.fake").read(lazy=True)[0]
    assert PLUGIN.recognises(source.segments[0].spiketrains[0])
    population = read(source)
    assert population.unit_ids.tolist() == ["unit0", "unit1", "unit2"]
    assert population.labels["quality"].tolist() == ["Good!!"] * 3


def test_spikes_are_sorted_with_a_warning():
    with pytest.warns(NeuridWarning, match="list of neo.SpikeTrain: spike times were not in ascending order in 1 "):
        assert trains(read([train([3, 1, 2])])) == [[1, 2, 3]]


def test_spikes_outside_are_told_of():
    odd = train([1, 2])
    odd.t_stop = 1.5 * pq.s
    with pytest.warns(NeuridWarning, match="1 of 2 spikes lie outside observed time"):
        assert trains(read([odd])) == [[1]]


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (block(), UnreadableSource, "neo.Block holds no spike trains. Choose a source with sorted units."),
        (block([], name="day 3"), UnreadableSource, "neo.Block day 3 holds no spike trains"),
        ([train([]), train([])], UnreadableSource, "list of neo.SpikeTrain has 2 units but no spikes"),
        (train([1, np.nan]), InvalidSource, "neo.SpikeTrain: spike times must be finite seconds, 1 of 2 are not"),
        (train([1], stop=np.inf), InvalidSource, "start and stop times must be finite seconds"),
        (
            block([train([1])], [train([1]), train([2])]),
            InvalidSource,
            "neo.Block: its segments have 1 to 2 trains, so it is unclear which trains belong to",
        ),
    ],
)
def test_what_is_no_recording_is_refused(source, error, words):
    with pytest.raises(error, match=re.escape(words)):
        read(source)
