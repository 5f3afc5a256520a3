"""When units were observed: as the file says, for each unit, without what it declares invalid."""

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
        f"{path}: /units/obs_intervals_index must ascend from 0 to at most the 4 elements of obs_intervals, it does "
        "not (its largest end is 5). Validate the file."
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
