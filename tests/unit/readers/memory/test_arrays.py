"""Arrays in memory: spike trains and traces, and one clear line for whatever is neither."""

import warnings
from array import array
from collections import OrderedDict

import numpy as np
import pytest

from nwb_neurid import NeuridError, NeuridWarning, read
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.readers import reader_for
from nwb_neurid.readers.memory import PLUGIN


@pytest.fixture
def trains():
    """Spike times of three units, in seconds."""
    rng = np.random.default_rng(0)
    return [np.sort(rng.uniform(0, 60, count)) for count in (300, 200, 100)]


def quietly(source, **options):
    """What is read; that nothing states its duration is no news here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* does not state how long it was recorded", NeuridWarning)
        return PLUGIN.read(source, ReadOptions(**options))


def assert_trains(population, trains, **tolerance):
    assert len(population) == len(trains)
    for unit, train in enumerate(trains):
        np.testing.assert_allclose(population.spikes.train_s(unit), train, **{"rtol": 0, "atol": 0, **tolerance})


FORMS = {
    "list": list,
    "tuple": tuple,
    "array of arrays": lambda trains: np.array(trains, object),
    "lists": lambda trains: [train.tolist() for train in trains],
    "columns": lambda trains: [train[:, None] for train in trains],
    "buffers": lambda trains: [array("d", train) for train in trains],
    "timedeltas": lambda trains: [(train * 1e9).astype("m8[ns]") for train in trains],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_list_of_arrays_is_a_recording(trains, form):
    source = form(trains)
    assert reader_for(source) is PLUGIN
    population = quietly(source)
    assert_trains(population, trains, atol=1e-9)
    assert population.unit_ids.tolist() == [0, 1, 2]
    assert population.labels == {}


def test_quantities_are_converted(trains):
    pq = pytest.importorskip("quantities", reason="quantities is not installed")
    assert_trains(quietly([train * 1e3 * pq.ms for train in trains]), trains, atol=1e-9)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([7, 3, 5], [7, 3, 5]),
        (["a", "b", "c"], ["a", "b", "c"]),
        ([1, "b", 2.5], ["1", "b", "2.5"]),
        ([True, 2, 3], ["True", "2", "3"]),
    ],
)
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_a_dict_names_the_units(trains, ids, expected, kind):
    population = quietly(kind(zip(ids, trains, strict=True)))
    assert population.unit_ids.tolist() == expected
    assert_trains(population, trains)


def test_observed_time_is_that_of_the_spikes_or_as_is_said(trains):
    with pytest.warns(NeuridWarning, match="^list of 3 units does not state how long it was recorded"):
        found = read(trains)
    times = np.concatenate(trains)
    np.testing.assert_allclose(found.observed_s, [[times.min(), times.max()]], atol=1e-5)
    assert read(trains, start_s=0.0, stop_s=60.0).observed_s.tolist() == [[0, 60]]
    assert read(trains, start_s=-5.0, stop_s=100.0).observed_s.tolist() == [[-5, 100]]
    cut = read(trains, start_s=10.0, stop_s=20.0)
    assert_trains(cut, [train[(train >= 10) & (train < 20)] for train in trains])
    assert read(trains, stop_s=70.0).observed_s[0, 1] == 70
    assert read(trains, start_s=0.0, stop_s=60.0, duration_s=30.0).observed_s.tolist() == [[0, 30]]


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.float64])
def test_whole_numbers_count_samples_where_the_rate_is_given(trains, dtype):
    samples = [np.round(train * 30_000).astype(dtype) for train in trains]
    population = quietly(samples, rate_hz=30_000.0)
    assert_trains(population, [own / 30_000 for own in samples])
    assert population.spikes.resolution_s == 1 / 30_000


def test_whole_numbers_without_a_rate_are_told_once(trains):
    with pytest.warns(NeuridWarning) as warned:
        PLUGIN.read([np.round(train * 30_000).astype(int) for train in trains], ReadOptions())
    told = [str(one.message) for one in warned if "does not state" not in str(one.message)]
    assert told == [
        "list of 3 units: spike times are whole numbers: if they count samples, divide them to get seconds, or give "
        "whole numbers of samples and rate_hz."
    ]


def test_times_that_cannot_be_seconds_are_told(trains):
    milliseconds = [train[np.diff(train, prepend=-1) > 0.002] * 1000 for train in trains]
    with pytest.warns(
        NeuridWarning, match="^list of 3 units: spike times are probably not in seconds: .* If they are milliseconds"
    ):
        quietly(milliseconds)


def test_times_that_are_none_are_refused(trains):
    with pytest.raises(NeuridError, match="list of 2 units: spike times must be finite seconds, 1 of 301 are not"):
        quietly([trains[0], np.array([np.nan])])


def test_units_are_selected_by_their_ids(trains):
    population = quietly({"a": trains[0], "b": trains[1], "c": trains[2]}, where="id in ['a', 'c']")
    assert population.excluded == {1: "not selected by --where id in ['a', 'c']"}


@pytest.fixture
def dff():
    """Traces of four ROIs."""
    return np.random.default_rng(0).normal(0, 1, (4, 300))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_an_array_of_traces_is_a_recording(dff, dtype):
    values = (100 * dff).astype(dtype)
    assert reader_for(values) is PLUGIN
    population = read(values, rate_hz=10.0)
    np.testing.assert_array_equal(population.traces.values, values.astype(np.float32))
    assert (population.traces.kind, population.traces.rate_hz) == ("dff", 10)
    assert population.observed_s.tolist() == [[0, 30]]


@pytest.mark.parametrize("activity", ["dff", "fluorescence", "deconvolved"])
def test_what_traces_are_is_said(dff, activity):
    assert read(dff + 500, rate_hz=10.0, activity=activity).traces.kind == activity


def test_traces_that_look_like_fluorescence_are_told(dff):
    with pytest.warns(
        NeuridWarning, match="looks like raw fluorescence. If it is raw fluorescence, pass activity='fluorescence'"
    ):
        read(dff + 500, rate_hz=10.0)


def test_traces_that_may_be_transposed_are_told(dff):
    with pytest.warns(NeuridWarning, match=r"has the shape \(units, samples\); this one has 300 units of 4 samples"):
        read(dff.T, rate_hz=10.0)


def test_traces_that_say_nothing_are_left_out(dff):
    dff[1], dff[2], dff[3, :5] = 2.0, np.nan, np.inf
    assert read(dff, rate_hz=10.0).excluded == {1: "its trace is constant", 2: "its trace is NaN"}
    with pytest.raises(NeuridError, match="The array of 4 traces has no trace that varies"):
        read(np.zeros((4, 9)), rate_hz=10.0)


EXPECTED = (
    "Expected a list of arrays of spike times in seconds (or a dict of them by unit), or an array of traces of shape "
)

WRONG = {
    "numbers": ([0.1, 0.2], {}, f"Spike times of unit 0 are float64 of shape (). {EXPECTED}"),
    "texts": (["a.nwb", "b.nwb"], {}, f"Spike times of unit 0 are str. {EXPECTED}"),
    "text by unit": ({"a": "b"}, {}, "Spike times of unit a are str. "),
    "None": ([None], {}, "Spike times of unit 0 are NoneType. "),
    "matrices": ([np.ones((2, 2))], {}, "Spike times of unit 0 are float64 of shape (2, 2). "),
    "complex": ([np.ones(3, complex)], {}, "Spike times of unit 0 are ndarray. "),
    "truth": ([[True, False]], {}, "Spike times of unit 0 are bool of shape (2,). "),
    "dicts": ([{"times": [1.0]}], {}, "Spike times of unit 0 are dict. "),
    "ragged": ([[[1.0], [2.0, 3.0]]], {}, "Spike times of unit 0 are not an array. "),
    "nothing": ([], {}, "list of 0 units has no units."),
    "no units": ({}, {}, "dict of 0 units has no units."),
    "silent": ([[], []], {}, "list of 2 units has 2 units but no spikes."),
    "one train": (np.arange(5.0), {}, "An array of float64 and shape (5,) is not a recording. "),
    "a cube": (np.zeros((2, 3, 4)), {"rate_hz": 10.0}, "An array of float64 and shape (2, 3, 4) is not a recording. "),
    "letters": (np.array([["a"]]), {"rate_hz": 10.0}, "An array of <U1 and shape (1, 1) is not a recording. "),
    "no rate": (np.zeros((2, 3)), {}, "An array of traces needs rate_hz, its samples (frames) per second."),
    "no samples": (np.zeros((2, 0)), {"rate_hz": 10.0}, "The array of 2 traces holds no samples."),
    "rate": (np.zeros((2, 3)), {"rate_hz": 0.0}, "rate_hz must be a positive number of samples per second, got 0."),
    "rate of seconds": (
        [[0.5, 1.5]],
        {"rate_hz": 30.0},
        "rate_hz is for traces, and for spike times as whole",
    ),
    "activity": ([[0.5, 1.5]], {"activity": "dff"}, "The list of 1 units holds spike times, not dff."),
    "spikes": (
        np.zeros((2, 3)),
        {"rate_hz": 1.0, "activity": "spikes"},
        "Traces are dff, fluorescence or deconvolved",
    ),
    "option": (
        [[0.5, 1.5]],
        {"all_rois": True},
        "The reader 'memory', which reads the list, has no option",
    ),
    "condition": (
        [[0.5, 1.5]],
        {"where": "snr > 2"},
        "list of 1 units has no column snr with one value per row.",
    ),
    "large": ([np.full((1000, 1000), "x")], {}, "Spike times of unit 0 are ndarray. "),
    "an object": (object(), {}, "No reader recognises the object. Installed readers: "),
    "a number": (3.5, {}, "No reader recognises the float. Installed readers: "),
    "nothing at all": (None, {}, "No reader recognises the NoneType. Installed readers: "),
    "bytes": (b"a.nwb", {}, "No reader recognises the bytes. Installed readers: "),
}


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(("source", "options", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_types_get_one_short_line(source, options, words):
    with pytest.raises(NeuridError) as refused:
        read(source, **options)
    text = str(refused.value)
    assert words in text
    assert "\n" not in text
    assert len(text) < 400


def test_most_spikes_outside_observed_time_are_told():
    from nwb_neurid import Population, Spikes

    milliseconds = Spikes.of([np.arange(0.0, 60_000, 10)])
    with pytest.warns(NeuridWarning, match="5994 of 6000 spikes lie outside observed_s and are left out"):
        Population(unit_ids=np.arange(1), activity=milliseconds, observed_s=np.array([[0.0, 60.0]]))
