"""When units were observed: as the file says, for each unit, without what it declares invalid."""

import warnings

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.intervals import EDGE_S

EPOCHS, INVALID, RAW = "intervals/epochs", "intervals/invalid_times", "acquisition/raw"


def table(path, starts, stops):
    """A TimeIntervals table."""
    return {f"{path}/id": range(len(starts)), f"{path}/start_time": starts, f"{path}/stop_time": stops}


def intervals(per_unit):
    """The two columns of `obs_intervals`."""
    rows = np.concatenate([np.reshape(own, (-1, 2)) for own in per_unit])
    return {"units/obs_intervals": rows, "units/obs_intervals_index": np.cumsum([len(own) for own in per_unit])}


def refusal(read, path, kind=InvalidSource):
    with pytest.raises(kind) as refused:
        read(path)
    return str(refused.value)


@pytest.fixture
def unstated(sound):
    """`sound` without obs_intervals: its first spike is at 0.25 s, its last at 9.75 s."""
    return {place: values for place, values in sound.items() if "obs_intervals" not in place}


def test_one_interval_for_all_units(read, hdf5, sound):
    population = read(hdf5(sound))
    assert population.observed_s.tolist() == [[0, 10]]
    assert population.unit_observed is None


def test_trials_for_all_units_are_merged_where_they_touch(read, hdf5, sound):
    trials = [[0, 2], [2, 3], [4, 10], [4, 5]]
    population = read(hdf5({**sound, **intervals([trials] * 4)}))
    assert population.observed_s.tolist() == [[0, 3], [4, 10]]
    assert population.unit_observed is None


def test_units_with_intervals_of_their_own(read, hdf5, sound):
    population = read(hdf5({**sound, **intervals([[[0, 4]], [[0, 1], [9, 10]], [], [[3, 5]]])}))
    assert population.observed_s.tolist() == [[0, 1], [1, 3], [3, 4], [4, 5], [9, 10]]
    assert population.unit_observed.astype(int).tolist() == [
        [1, 1, 1, 0, 0],
        [1, 0, 0, 0, 1],
        [0, 0, 0, 0, 0],
        [0, 0, 1, 1, 0],
    ]
    assert population.unit_duration_s().tolist() == [4, 2, 0, 2]


def test_gaps_that_no_unit_fills_are_not_observed(read, hdf5, sound):
    population = read(hdf5({**sound, **intervals([[[0, 3]], [[0, 3], [9, 10]], [[0, 3]], [[3.5, 5]]])}))
    assert population.observed_s.tolist() == [[0, 3], [3.5, 5], [9, 10]]


def test_spikes_outside_are_left_out_with_a_warning(read, hdf5, sound):
    path = hdf5({**sound, **intervals([[[1, 2]]] * 3 + [[[3, 5]]])})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: 4 of 6 spikes lie outside observed time and are left out."
    ]
    assert population.spikes.times_s.tolist() == [1.5, 4.0]


def test_no_spike_inside_is_refused(read, hdf5, sound):
    path = hdf5({**sound, **intervals([[[20, 30]]] * 4)})
    assert refusal(read, path, UnreadableSource) == (
        f"{path}: none of its 6 spikes lies in observed time (20 to 30 s). Correct obs_intervals in the file; "
        "--keep-opto keeps what follows optogenetic stimulation."
    )


@pytest.mark.parametrize("bad", [[0, np.nan], [-np.inf, 3], [0, np.inf], [2, 1], [0, 1e12]])
def test_what_is_no_interval_is_refused(read, hdf5, sound, bad):
    path = hdf5({**sound, **intervals([[[0, 10]], [bad], [[0, 10]], [[0, 10]]])})
    assert refusal(read, path) == (
        f"{path}: /units/obs_intervals must be pairs of start and stop in seconds, some are not. Validate the file."
    )


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3), (4, 2, 1)])
def test_what_is_no_pair_is_refused(read, hdf5, sound, shape):
    path = hdf5({**sound, "units/obs_intervals": np.ones(shape)})
    assert " must be pairs of start and stop in seconds" in refusal(read, path)


def test_intervals_without_an_index_are_one_for_each_unit(read, hdf5, sound):
    population = read(hdf5({**sound, "units/obs_intervals_index": None}))
    assert population.observed_s.tolist() == [[0, 10]]


def test_as_many_intervals_as_the_index_says(read, hdf5, sound):
    path = hdf5({**sound, "units/obs_intervals_index": [1, 2, 3, 5]})
    assert refusal(read, path) == (
        f"{path}: /units/obs_intervals_index must increase from 0 to the 4 elements of obs_intervals, but its "
        "largest value is 5 and its last 5: the values may have overflowed their type. Validate the file."
    )


@pytest.mark.parametrize("nothing", [[[]] * 4, [[[5, 5]]] * 4])
def test_intervals_that_hold_no_time_state_nothing(read, hdf5, sound, nothing):
    with pytest.warns(NeuridWarning, match="does not state when its units were observed"):
        read(hdf5({**sound, **intervals(nothing)}))


def test_epochs_tell_from_when_to_when(read, hdf5, unstated):
    population = read(hdf5({**unstated, **table(EPOCHS, [5.0, -1.0, np.nan], [12.0, 6.0, 99.0])}))
    assert population.observed_s.tolist() == [[-1, 12]]
    assert population.unit_observed is None


@pytest.mark.parametrize(
    "clock",
    [{"starting_time": 0.0, "starting_time@rate": 10.0}, {"timestamps": np.arange(101) / 10}],
    ids=["rate", "timestamps"],
)
def test_a_raw_recording_tells_from_when_to_when(read, hdf5, unstated, clock):
    raw = {"@neurodata_type": "ElectricalSeries", "/data": np.zeros((101, 2), np.int16)}
    raw.update({f"/{name}": values for name, values in clock.items()})
    population = read(hdf5({**unstated, **{f"{RAW}{name}": values for name, values in raw.items()}}))
    assert population.observed_s.tolist() == [[0, 10]]


def test_epochs_and_recordings_count_together(read, hdf5, unstated):
    raw = {f"{RAW}@neurodata_type": "ElectricalSeries", f"{RAW}/data": np.zeros(50), f"{RAW}/timestamps": np.arange(50)}
    population = read(hdf5({**unstated, **table(EPOCHS, [-5.0], [1.0]), **raw}))
    assert population.observed_s.tolist() == [[-5, 49]]


@pytest.mark.parametrize(
    "contents",
    [
        {},
        table(EPOCHS, [1.0], [12.0]),
        table(EPOCHS, [0.0], [9.75]),
        table(EPOCHS, [0.0], [np.inf]),
        table(EPOCHS, [], []),
        {f"{EPOCHS}/id": [0]},
        {f"{RAW}@neurodata_type": "ElectricalSeries", f"{RAW}/starting_time": 0.0, f"{RAW}/starting_time@rate": 1.0},
        {f"{RAW}@neurodata_type": "TimeSeries", f"{RAW}/data": np.zeros(50), f"{RAW}/timestamps": np.arange(50)},
    ],
    ids=["nothing", "late", "early", "endless", "empty", "no columns", "no data", "other series"],
)
def test_otherwise_the_spikes_tell_with_a_warning(read, hdf5, unstated, contents):
    path = hdf5({**unstated, **contents})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path} does not state when its units were observed: taken from the first spike (0.25 s) to the last (9.75 s)."
    ]
    assert population.observed_s.tolist() == [[0.25, 9.75 + 2 * EDGE_S]]
    assert population.spikes.counts().tolist() == [3, 2, 0, 1]


def test_one_single_spike_is_observed(read, hdf5, unstated):
    unstated.update({"units/spike_times": [2.0], "units/spike_times_index": [0, 1, 1, 1]})
    with pytest.warns(NeuridWarning, match="does not state"):
        assert read(hdf5(unstated)).spikes.counts().tolist() == [0, 1, 0, 0]


def test_invalid_time_is_not_observed(read, hdf5, sound):
    path = hdf5({**sound, **table(INVALID, [2.0, 2.2, 2.4, 7.0], [2.3, 2.25, 3.0, 7.0])})
    with pytest.warns(NeuridWarning, match="1 of 6 spikes lie outside observed time and are left out"):
        population = read(path)
    assert population.observed_s.tolist() == [[0, 2], [2.3, 2.4], [3, 10]]
    assert population.spikes.counts().tolist() == [2, 2, 0, 1]


@pytest.mark.parametrize(("start", "stop"), [(np.nan, 5.0), (5.0, np.nan), (8.0, 7.0), (20.0, 30.0)])
def test_invalid_time_that_is_none_takes_nothing(read, hdf5, sound, start, stop):
    assert read(hdf5({**sound, **table(INVALID, [start], [stop])})).observed_s.tolist() == [[0, 10]]


def test_invalid_time_may_have_no_end(read, hdf5, sound):
    path = hdf5({**sound, **table(INVALID, [5.0, -np.inf], [np.inf, 0.1])})
    with pytest.warns(NeuridWarning, match="1 of 6 spikes"):
        assert read(path).observed_s.tolist() == [[0.1, 5]]


def test_invalid_time_leaves_units_with_intervals_of_their_own(read, hdf5, sound):
    own = intervals([[[0, 4]], [[0, 10]], [[0, 10]], [[0, 10]]])
    population = read(hdf5({**sound, **own, **table(INVALID, [3.0, 5.0], [3.5, 6.0])}))
    assert population.observed_s.tolist() == [[0, 3], [3.5, 4], [4, 5], [6, 10]]
    assert population.unit_observed.astype(int)[0].tolist() == [1, 1, 0, 0]


def test_all_time_invalid_is_refused(read, hdf5, sound):
    path = hdf5({**sound, **table(INVALID, [-1.0], [11.0])})
    assert refusal(read, path, UnreadableSource) == (
        f"{path} has no observed time left: all of it is declared invalid, or follows optogenetic stimulation "
        "(--keep-opto keeps that)."
    )


TAGS, PROBES = f"{INVALID}/tags", "general/extracellular_ephys"


def tagged(*tags, starts=(2.0,), stops=(6.0,)):
    """One interval for each list of tags."""
    rows = {TAGS: [tag for own in tags for tag in own], f"{TAGS}_index": np.cumsum([len(own) for own in tags])}
    return {**table(INVALID, list(starts), list(stops)), **rows}


@pytest.fixture
def of_probes(sound):
    """Units 0 and 1 of probe0, units 2 and 3 of probe1; each unit fires at 1, 4 and 9 s."""
    sound["units/spike_times"], sound["units/spike_times_index"] = [1.0, 4.0, 9.0] * 4, [3, 6, 9, 12]
    sound["units/probe_name"] = ["probe0", "probe0", "probe1", "probe1"]
    return sound


def observed_spikes(read, path):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* lie outside observed time", NeuridWarning)
        population = read(path)
    return population.spikes.counts().tolist(), population.observed_s.tolist()


PIECES = [[0, 2], [2, 6], [6, 10]]


@pytest.mark.parametrize(
    ("tags", "counts", "observed"),
    [
        (["EcephysProbe", "1", "probe0"], [2, 2, 3, 3], PIECES),
        (["probe1"], [3, 3, 2, 2], PIECES),
        (["probe0", "probe1"], [2, 2, 2, 2], [[0, 2], [6, 10]]),
        (["all_probes"], [2, 2, 2, 2], [[0, 2], [6, 10]]),
        (["stimulus", "1"], [2, 2, 2, 2], [[0, 2], [6, 10]]),
        (["probe"], [2, 2, 2, 2], [[0, 2], [6, 10]]),
    ],
)
def test_invalid_time_of_a_probe_is_invalid_for_its_units(read, hdf5, of_probes, tags, counts, observed):
    assert observed_spikes(read, hdf5({**of_probes, **tagged(tags)})) == (counts, observed)


def test_several_invalid_times_have_their_own_probes(read, hdf5, of_probes):
    tags = tagged(["probe0"], ["probe1"], ["x"], starts=[0.5, 3.0, 8.0], stops=[1.5, 5.0, 10.0])
    counts, observed = observed_spikes(read, hdf5({**of_probes, **tags}))
    assert counts == [1, 1, 1, 1]
    assert observed == [[0, 0.5], [0.5, 1.5], [1.5, 3], [3, 5], [5, 8]]


def test_units_with_intervals_of_their_own_lose_that_of_their_probe_too(read, hdf5, of_probes):
    own = intervals([[[0, 5]], [[0, 10]], [[3, 10]], [[0, 10]]])
    counts, _ = observed_spikes(read, hdf5({**of_probes, **own, **tagged(["probe0"])}))
    assert counts == [1, 2, 2, 3]


def test_a_probe_is_known_by_its_device_its_id_or_a_column_of_its_own(read, hdf5, of_probes):
    groups = {
        f"{PROBES}/{name}{rest}": value
        for name, number in (("probe0", "733"), ("probe1", "734"))
        for rest, value in (
            ("@neurodata_type", "EcephysElectrodeGroup"),
            ("@probe_id", number),
            ("/device", h5py.SoftLink(f"/general/devices/np{number}")),
        )
    }
    devices = {f"general/devices/np{number}@neurodata_type": "Device" for number in (733, 734)}
    for tag in ("np734", "734"):
        path = hdf5({**of_probes, **groups, **devices, **tagged(["EcephysProbe", tag])})
        assert observed_spikes(read, path)[0] == [3, 3, 2, 2]
    column = {**table(INVALID, [2.0], [6.0]), f"{INVALID}/probe": ["probe1"]}
    assert observed_spikes(read, hdf5({**of_probes, **column}))[0] == [3, 3, 2, 2]


def test_invalid_time_of_a_probe_without_units_takes_nothing(read, hdf5, of_probes):
    other = {f"{PROBES}/probe7@neurodata_type": "ElectrodeGroup"}
    assert observed_spikes(read, hdf5({**of_probes, **other, **tagged(["probe7"])})) == ([3] * 4, [[0, 10]])


def test_tags_that_cannot_be_read_leave_the_time_invalid_for_all(read, hdf5, of_probes):
    path = hdf5({**of_probes, **tagged(["probe0"]), f"{TAGS}_index": [7]})
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        population = read(path)
    assert any("some data cannot be used and are left out:\n" in str(one.message) for one in warned)
    assert population.observed_s.tolist() == [[0, 2], [6, 10]]


def test_invalid_time_of_a_plane_is_invalid_for_its_rois(read, hdf5, rois, noise):
    contents = {
        **rois(noise[:, :3], "processing/ophys/DfOverF/upper", table="upper"),
        **rois(noise[:, 3:], "processing/ophys/DfOverF/lower", table="lower"),
    }
    population = read(hdf5({**contents, **tagged(["lower"], starts=[4.0])}))
    assert population.group.tolist() == ["lower"] * 2 + ["upper"] * 3
    assert population.observed_s.tolist() == [[2, 4], [4, 6], [6, 22]]
    assert population.unit_observed[:, 1].tolist() == [False] * 2 + [True] * 3
