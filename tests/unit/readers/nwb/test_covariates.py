"""Behaviour and stimulus of NWB files, as PyNWB writes them and as files hold them."""

import warnings

import numpy as np
import pytest

from nwb_neurid.errors import NeuridWarning

TIMES_S = np.array([0.5, 1.0, 4.0, 4.25])


@pytest.fixture
def covariates(write, read):
    """What the reader finds in a file with one unit that is filled with PyNWB."""

    def covariates(fill):
        def fill_all(nwbfile):
            nwbfile.add_unit(spike_times=[0.5, 9.5], obs_intervals=[[0.0, 10.0]])
            fill(nwbfile)

        return read(write(fill_all), covariates=True).covariates

    return covariates


@pytest.fixture
def raw(hdf5, sound, read):
    """What the reader finds in a file of four units that has these contents too."""
    return lambda contents: read(hdf5(sound | contents), covariates=True).covariates


def sampled(path, data, **contents):
    """A TimeSeries at 10 Hz from 2 s, as bare HDF5; `contents` are added, or take the place of what it has."""
    series = {
        "@neurodata_type": "TimeSeries",
        "/data": data,
        "/starting_time": 2.0,
        "/starting_time@rate": 10.0,
    }
    return {f"{path}{name}": value for name, value in (series | contents).items()}


def behaviour(nwbfile, *items):
    module = nwbfile.create_processing_module("behavior", "what the animal did")
    for item in items:
        module.add(item)


def test_they_are_read_when_asked_for(write, read):
    def fill(nwbfile):
        from pynwb import TimeSeries

        nwbfile.add_unit(spike_times=[0.5, 9.5], obs_intervals=[[0.0, 10.0]])
        nwbfile.add_acquisition(TimeSeries(name="speed", data=[1.0], unit="m/s", rate=1.0))

    path = write(fill)
    assert read(path).covariates == {}
    assert list(read(path, covariates=True).covariates) == ["speed"]


def test_a_series_with_a_rate(covariates):
    def fill(nwbfile):
        from pynwb import TimeSeries

        data = np.array([100, 200, 300], np.int16)
        series = TimeSeries(
            name="speed", data=data, unit="m/s", rate=10.0, starting_time=2.0, conversion=0.01, offset=0.5
        )
        nwbfile.add_acquisition(series)

    found = covariates(fill)
    speed = found["speed"]
    np.testing.assert_allclose(speed.values, [[1.5], [2.5], [3.5]])
    np.testing.assert_allclose(speed.times_s, [2.0, 2.1, 2.2])
    assert (speed.kind, speed.unit, speed.channels) == ("continuous", "m/s", ())


def test_a_series_with_timestamps_keeps_what_is_unknown(covariates):
    def fill(nwbfile):
        from pynwb import TimeSeries
        from pynwb.behavior import PupilTracking

        data = np.array([1.0, np.nan, 3.0, 4.0])
        pupil = TimeSeries(name="area", data=data, unit="mm2", timestamps=np.array([1.0, 1.1, 1.2, 1.3]))
        behaviour(nwbfile, PupilTracking(time_series=pupil))

    area = covariates(fill)["behavior/PupilTracking/area"]
    np.testing.assert_array_equal(area.values[:, 0], np.array([1, np.nan, 3, 4], np.float32))
    np.testing.assert_array_equal(area.times_s, [1.0, 1.1, 1.2, 1.3])


def test_positions_have_axes(covariates):
    def fill(nwbfile):
        from pynwb.behavior import CompassDirection, EyeTracking, Position, SpatialSeries

        def spatial(name, columns):
            data = np.arange(4 * columns, dtype=float).reshape(4, columns)
            return SpatialSeries(name=name, data=data, reference_frame="box", rate=10.0)

        behaviour(
            nwbfile,
            Position(spatial_series=spatial("maze", 2)),
            CompassDirection(spatial_series=spatial("head", 1)),
            EyeTracking(spatial_series=spatial("gaze", 3)),
        )

    found = covariates(fill)
    channels = {name: (series.values.shape, series.channels) for name, series in found.items()}
    assert channels == {
        "behavior/CompassDirection/head": ((4, 1), ()),
        "behavior/EyeTracking/gaze": ((4, 3), ("x", "y", "z")),
        "behavior/Position/maze": ((4, 2), ("x", "y")),
    }


def test_behavioural_events_are_events(covariates):
    def fill(nwbfile):
        from pynwb import TimeSeries
        from pynwb.behavior import BehavioralEvents, BehavioralTimeSeries

        rewards = TimeSeries(name="rewards", data=[3.0, 4.0, 3.0, 4.0], unit="ml", timestamps=TIMES_S)
        wheel = TimeSeries(name="wheel", data=np.arange(5.0), unit="m", rate=10.0)
        with warnings.catch_warnings():  # old files have it
            warnings.simplefilter("ignore")
            events = BehavioralEvents(time_series=rewards)
        behaviour(nwbfile, events, BehavioralTimeSeries(time_series=wheel))

    found = covariates(fill)
    rewards = found["behavior/BehavioralEvents/rewards"]
    np.testing.assert_array_equal(rewards.times_s, TIMES_S)
    assert (rewards.kind, rewards.values.tolist()) == ("events", [[1.0]] * 4)
    assert found["behavior/BehavioralTimeSeries/wheel"].kind == "continuous"


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("beam", [1.0, 1.0, 1.0, 1.0], "events"),
        ("licks", [5.0, 10.0, 40.0, 42.0], "events"),
        ("size", [5.0, 10.0, 40.0, 42.0], "continuous"),
    ],
)
def test_a_series_without_rhythm_may_be_events(raw, name, data, kind):
    found = raw(sampled(f"processing/behavior/{name}", data, **{"/starting_time": None, "/timestamps": TIMES_S}))
    assert found[f"behavior/{name}"].kind == kind


def test_a_constant_series_with_rhythm_is_no_events(raw):
    times = np.arange(4.0)
    found = raw(sampled("acquisition/lick_sensor", [1.0] * 4, **{"/starting_time": None, "/timestamps": times}))
    assert found["lick_sensor"].kind == "continuous"


def test_annotations_are_events_of_several_kinds(covariates):
    def fill(nwbfile):
        from pynwb.misc import AnnotationSeries

        data = ["grooming", "rearing", "grooming", "sleep"]
        with warnings.catch_warnings():  # old files have it
            warnings.simplefilter("ignore")
            nwbfile.add_acquisition(AnnotationSeries(name="notes", data=data, timestamps=TIMES_S))

    notes = covariates(fill)["notes"]
    assert (notes.kind, notes.channels) == ("events", ("grooming", "rearing", "sleep"))
    np.testing.assert_array_equal(notes.values, [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])


def test_labelled_events_are_events_of_several_kinds(raw):
    series = {"@neurodata_type": "LabeledEvents", "/starting_time": None, "/timestamps": TIMES_S}
    found = raw(sampled("acquisition/port", np.array([2, 0, 2, 2], np.uint8), **series))
    np.testing.assert_array_equal(found["port"].values, [[0, 1], [1, 0], [0, 1], [0, 1]])
    assert found["port"].channels == ("0", "2")


@pytest.mark.parametrize(
    ("path", "kind", "column", "name"),
    [
        ("events/licks", "EventsTable", "timestamp", "licks"),
        ("acquisition/licks", "Events", "timestamps", "licks"),
        ("processing/behavior/licks", "EventsTable", "timestamp", "behavior/licks"),
    ],
)
def test_bare_events(raw, path, kind, column, name):
    found = raw({f"{path}@neurodata_type": kind, f"{path}/{column}": [3.0, 1.0, 2.0]})
    np.testing.assert_array_equal(found[name].times_s, [1.0, 2.0, 3.0])
    assert found[name].kind == "events"


def test_an_interval_series_is_on_or_off(covariates):
    def fill(nwbfile):
        from pynwb.behavior import BehavioralEpochs
        from pynwb.misc import IntervalSeries

        moves = IntervalSeries(name="moves", data=[1, -1, 1, -1], timestamps=TIMES_S)
        behaviour(nwbfile, BehavioralEpochs(interval_series=moves))

    moves = covariates(fill)["behavior/BehavioralEpochs/moves"]
    np.testing.assert_array_equal(moves.times_s, TIMES_S[:3])
    np.testing.assert_array_equal(moves.stops_s, TIMES_S[1:])
    assert (moves.kind, moves.values[:, 0].tolist(), moves.channels) == ("intervals", [1, 0, 1], ())


def test_the_codes_of_an_interval_series_overlap(raw):
    contents = {"@neurodata_type": "IntervalSeries", "/starting_time": None, "/timestamps": TIMES_S}
    found = raw(sampled("acquisition/odour", [10, 2, -10, -2], **contents))
    np.testing.assert_array_equal(found["odour"].values, [[1, 0], [1, 1], [0, 1]])
    assert found["odour"].channels == ("10", "2")


def test_series_of_the_stimulus(raw):
    found = raw(sampled("stimulus/presentation/contrast", [0.0, 1.0]))
    assert list(found) == ["contrast"]


def test_names_are_unique(raw):
    found = raw(sampled("stimulus/presentation/x", [0.0, 1.0]) | sampled("acquisition/x", [2.0, 3.0]))
    assert list(found) == ["stimulus/presentation/x", "x"]
    np.testing.assert_array_equal(found["x"].values[:, 0], [2, 3])


def test_neurons_images_and_light_are_no_covariates(raw):
    contents = {}
    for kind in ("ElectricalSeries", "TwoPhotonSeries", "ImageSeries", "OptogeneticSeries"):
        contents |= sampled(f"acquisition/of_{kind[:5]}", [1.0, 2.0], **{"@neurodata_type": kind})
    for path in ("processing/ecephys/rate", "processing/ophys/neuropil", "acquisition/laser_power"):
        contents |= sampled(path, [1.0, 2.0])
    assert raw(contents | {"acquisition/of_Optog/data": [0.0, 0.0]}) == {}


def test_what_is_empty_is_left_out_without_a_word(raw):
    contents = sampled("acquisition/speed", np.empty(0))
    contents |= sampled("acquisition/notes", np.empty(0), **{"@neurodata_type": "AnnotationSeries"})
    contents |= sampled("acquisition/moves", [1], **{"@neurodata_type": "IntervalSeries"})
    contents |= {"acquisition/licks@neurodata_type": "Events", "acquisition/licks/timestamps": np.empty(0)}
    assert raw(contents) == {}


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"/data": None}, r"acquisition/bad must have data\. Validate the file\."),
        ({"/data": 1.0}, r"acquisition/bad must have data\. Validate the file\."),
        ({"/data": ["a", "b"]}, r"acquisition/bad/data must hold numbers\. Validate the file\."),
        ({"/data": np.ones((2, 2, 2))}, r"acquisition/bad/data has shape \(2, 2, 2\); \(samples,\) or \(samples, chan"),
        (
            {"/data": {"shape": (50_000_001,), "dtype": "i1", "chunks": (2**20,)}},
            r"acquisition/bad/data has shape \(50000001,\); .* with 50000000 values at most\.",
        ),
        ({"/starting_time": None}, r"acquisition/bad must have a timestamp for each sample, or a starting_time with"),
        (
            {"/timestamps": [1.0, 2.0, 3.0]},
            r"timestamps must be in seconds and ascending order, one time for each of "
            r"2 samples\. Val",
        ),
        (
            {"/timestamps": [2.0, 1.0]},
            r"timestamps must be in seconds and ascending order, one time for each of 2 "
            r"samples\. Val",
        ),
        (
            {"/timestamps": [1.0, np.nan]},
            r"timestamps must be in seconds and ascending order, one time for each of 2 "
            r"samples\. Val",
        ),
        (
            {"/timestamps": [1e18, 2e18]},
            r"timestamps must be in seconds and ascending order, one time for each of 2 "
            r"samples\. Val",
        ),
        (
            {"@neurodata_type": "Events", "/timestamps": [1e18, 2e18]},
            r"acquisition/bad/timestamps must be in seconds\. Validate the file\.",
        ),
    ],
)
def test_a_broken_series_is_left_out_with_a_warning(raw, series, message):
    contents = sampled("acquisition/bad", [1.0, 2.0], **series) | sampled("acquisition/good", [1.0, 2.0])
    with pytest.warns(NeuridWarning, match=f"(?s)left out of the covariates:\n  - .*{message}"):
        found = raw(contents)
    assert list(found) == ["good"]


def test_one_warning_names_everything_that_is_left_out(raw):
    contents = sampled("acquisition/one", [1.0], **{"/starting_time": None})
    contents |= sampled("stimulus/presentation/two", ["a"])
    with pytest.warns(NeuridWarning, match=r"(?s)acquisition/one must.*presentation/two/data must") as warned:
        assert raw(contents) == {}
    assert len(warned) == 1


def test_imaging_has_covariates_too(hdf5, rois, noise, read):
    found = read(hdf5(rois(noise) | sampled("acquisition/speed", [1.0, 2.0])), covariates=True)
    assert found.activity.kind == "dff"
    assert list(found.covariates) == ["speed"]
