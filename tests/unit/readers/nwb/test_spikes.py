"""Spike trains: all of them, sorted, finite, in the rows of their units."""

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource


def refusal(read, path, kind=InvalidSource):
    with pytest.raises(kind) as refused:
        read(path)
    return str(refused.value)


def trains_s(population):
    return [population.spikes.train_s(unit).tolist() for unit in range(len(population))]


def test_each_unit_has_its_spikes_and_silent_ones_stay(read, hdf5, sound):
    population = read(hdf5(sound))
    assert trains_s(population) == [[0.5, 1.5, 2.5], [0.25, 9.75], [], [4.0]]


@pytest.mark.parametrize("rows", [[2, 2, 2, 6], [0, 0, 0, 6], [6, 6, 6, 6]])
def test_silent_units_may_stand_anywhere(read, hdf5, sound, rows):
    sound.update({"units/spike_times": np.arange(6.0), "units/spike_times_index": rows})
    assert np.array_equal(read(hdf5(sound)).spikes.counts(), np.diff(rows, prepend=0))


@pytest.mark.parametrize(
    "stored",
    [
        np.array([0.5, 1.5, 2.5, 0.25, 9.75, 4.0], np.float32),
        np.array([0.5, 1.5, 2.5, 0.25, 9.75, 4.0], ">f8"),
        np.array([[0.5], [1.5], [2.5], [0.25], [9.75], [4.0]]),
        {"data": [0.5, 1.5, 2.5, 0.25, 9.75, 4.0], "chunks": (2,), "compression": "gzip"},
        {"data": [0.5, 1.5, 2.5, 0.25, 9.75, 4.0], "chunks": (6,), "shuffle": True, "compression": "lzf"},
    ],
    ids=["float32", "big-endian", "one in a row", "chunks", "one chunk"],
)
def test_spikes_come_however_they_are_stored(read, hdf5, sound, stored):
    population = read(hdf5({**sound, "units/spike_times": stored}))
    assert trains_s(population) == [[0.5, 1.5, 2.5], [0.25, 9.75], [], [4.0]]


def test_unsorted_spikes_are_sorted_with_a_warning(read, hdf5, sound):
    path = hdf5({**sound, "units/spike_times": [2.5, 0.5, 1.5, 9.75, 0.25, 4.0]})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: /units/spike_times were not in ascending order in 2 of 4 units, and were sorted."
    ]
    assert trains_s(population) == [[0.5, 1.5, 2.5], [0.25, 9.75], [], [4.0]]


def test_spikes_that_fall_from_one_unit_to_the_next_are_sorted_already(read, hdf5, sound):
    assert trains_s(read(hdf5({**sound, "units/spike_times": [7, 8, 9.0, 5, 6, 1]})))[1] == [5, 6]


def test_two_spikes_at_one_time_are_two_spikes(read, hdf5, sound):
    assert trains_s(read(hdf5({**sound, "units/spike_times": [1.0, 1, 1, 5, 5, 5]})))[0] == [1, 1, 1]


@pytest.mark.parametrize(
    ("wrong", "count", "row", "id_"),
    [
        ([0.5, np.nan, 2.5, 0.25, 9.75, 4.0], 1, 0, 7),
        ([0.5, 1.5, 2.5, 0.25, np.inf, np.nan], 2, 1, 8),
        ([0.5, 1.5, 2.5, 0.25, 9.75, -np.inf], 1, 3, 10),
        ([3.0, 1.5, 2.5, 0.25, 9.75, np.inf], 1, 3, 10),
        ([0.5, 1.5, 2.5e10, 0.25, 9.75, 4.0], 1, 0, 7),
        ([-1e300, 1.5, 2.5, 0.25, 9.75, 4.0], 1, 0, 7),
    ],
)
def test_times_that_are_none_are_refused(read, hdf5, sound, wrong, count, row, id_):
    path = hdf5({**sound, "units/spike_times": wrong})
    first = next(time for time in wrong if not abs(time) < 2**32)
    assert refusal(read, path) == (
        f"{path}: /units/spike_times must be finite seconds, {count} of 6 are not, the first in "
        f"row {row} (id {id_}): {first} s. Correct them."
    )


def test_times_since_1970_are_seconds(read, hdf5, sound):
    since_1970_s = 1.7e9
    sound["units/spike_times"] = np.add(sound["units/spike_times"], since_1970_s)
    sound["units/obs_intervals"] = np.add(sound["units/obs_intervals"], since_1970_s)
    assert read(hdf5(sound)).spikes.counts().tolist() == [3, 2, 0, 1]


def test_whole_numbers_may_be_samples(read, hdf5, sound):
    path = hdf5({**sound, "units/spike_times": np.array([1, 2, 3, 4, 5, 6])})
    with pytest.warns(NeuridWarning) as warned:
        read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: /units/spike_times are whole numbers: if they count samples, divide them by the sampling rate in the "
        "file."
    ]


def test_not_one_spike_is_refused(read, hdf5, sound):
    path = hdf5({**sound, "units/spike_times": np.array([]), "units/spike_times_index": [0, 0, 0, 0]})
    message = f"{path}: /units has 4 units but no spikes. Choose a file with spikes."
    assert refusal(read, path, UnreadableSource) == message


@pytest.mark.parametrize("values", [["a"] * 6, np.zeros(6, complex), np.zeros(6, [("t", "f8")])])
def test_times_that_are_no_numbers_are_refused(read, hdf5, sound, values):
    path = hdf5({**sound, "units/spike_times": values})
    assert refusal(read, path) == f"{path}: /units/spike_times must hold numbers. Validate the file."


def test_times_in_two_columns_are_refused(read, hdf5, sound):
    path = hdf5({**sound, "units/spike_times": np.zeros((6, 2))})
    assert refusal(read, path) == (
        f"{path}: /units/spike_times must have one element per row, its shape is (6, 2). Validate the file."
    )


ASCEND = "must increase from 0 to the 6 elements of spike_times, but its largest value"
TOO_LARGE = "the values may have overflowed their type"


@pytest.mark.parametrize(
    ("index", "fault"),
    [
        ([3, 2, 5, 6], f"{ASCEND} is 6 and its last 6: {TOO_LARGE}"),
        ([3, 5, 5, 7], f"{ASCEND} is 7 and its last 7: {TOO_LARGE}"),
        ([1, 2, 3, 4], f"{ASCEND} is 4 and its last 4: {TOO_LARGE}"),
        ([3, 5, 5], "must have one element for each of 4 rows, its shape is (3,)"),
        ([3.5, 5, 5, 6], "must hold whole numbers"),
        (["3", "5", "5", "6"], "must hold numbers"),
    ],
)
def test_an_index_that_does_not_fit_is_refused(read, hdf5, sound, index, fault):
    path = hdf5({**sound, "units/spike_times_index": index})
    assert refusal(read, path) == f"{path}: /units/spike_times_index {fault}. Validate the file."


@pytest.mark.parametrize("ends", [[325, 650, 975, 1300], [300, 600, 900, 1300]])
def test_an_index_that_wrapped_is_refused(read, hdf5, sound, ends):
    """1,300 spikes in bytes: the last end is 20, and 1,280 spikes would be of nobody."""
    index = np.array(ends).astype(np.uint8)
    path = hdf5({**sound, "units/spike_times": np.linspace(0, 9, 1300), "units/spike_times_index": index})
    assert "and its last 20: the values may have overflowed their type" in refusal(read, path)


@pytest.mark.parametrize(
    ("stated", "resolution_s"), [(1 / 30_000, 1 / 30_000), (-1.0, 0), (np.nan, 0), (np.inf, 0), ("?", 0), (None, 0)]
)
def test_resolution_is_taken_where_it_is_one(read, hdf5, sound, stated, resolution_s):
    population = read(hdf5({**sound, "units/spike_times@resolution": stated}))
    assert population.spikes.resolution_s == resolution_s


def test_a_column_in_one_compressed_chunk_is_unpacked_once(read, hdf5, sound, monkeypatch):
    spikes = {"data": np.tile(np.arange(0.0, 10, 0.01), 100), "chunks": (100_000,), "compression": "gzip"}
    sound = {path: values for path, values in sound.items() if not path.startswith("units/")}
    sound.update({"units/id": np.arange(100), "units/spike_times": spikes})
    sound.update({"units/spike_times_index": np.arange(1, 101) * 1000})
    reads, original = [], h5py.Dataset.__getitem__

    def counted(dataset, *arguments):
        reads.append(dataset.name)
        return original(dataset, *arguments)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    with pytest.warns(NeuridWarning, match="does not state when"):
        read(hdf5(sound))
    assert reads.count("/units/spike_times") == 1


def poisson(per_second=1.0, units=4):
    rng = np.random.default_rng(0)
    trains = [np.unique(np.round(rng.uniform(0, 60, 300) * 30_000)) / 30_000 * per_second for _ in range(units)]
    return {
        "@nwb_version": "2.7.0",
        "units/id": range(units),
        "units/spike_times": np.concatenate(trains),
        "units/spike_times_index": np.cumsum([len(train) for train in trains]),
        "units/obs_intervals": [[0.0, 60.0 * per_second]] * units,
        "units/obs_intervals_index": np.arange(1, units + 1),
    }


@pytest.mark.parametrize("stated", [30_000.0, 30.0, 1.0])
def test_a_resolution_that_is_a_rate_is_not_believed(read, hdf5, stated):
    path = hdf5({**poisson(), "units/spike_times@resolution": stated})
    with pytest.warns(NeuridWarning, match=rf"/units/spike_times: the source states a resolution of {stated:g} s, but"):
        assert read(path).resolution_s() == 0


def test_samples_stored_as_floats_are_told(read, hdf5):
    path = hdf5(poisson(30_000))
    with pytest.warns(NeuridWarning, match="/units/spike_times are whole numbers: if they count samples, divide"):
        read(path)


def test_milliseconds_are_told(read, hdf5):
    contents = poisson(1000.0)
    times = contents["units/spike_times"]
    contents["units/spike_times"] = times + np.arange(len(times))  # no two within a refractory period
    contents["units/obs_intervals"] = [[0.0, 70_000.0]] * 4
    with pytest.warns(
        NeuridWarning, match="/units/spike_times are probably not in seconds: .* If they are milliseconds"
    ):
        read(hdf5(contents))


def test_sessions_on_a_clock_that_starts_again_are_refused(read, hdf5):
    contents = poisson(units=4)
    contents |= {"units/id": [0, 1], "units/spike_times_index": contents["units/spike_times_index"][1::2]}
    contents |= {"units/obs_intervals": [[0.0, 60.0]] * 2, "units/obs_intervals_index": [1, 2]}
    path = hdf5(contents)
    assert refusal(read, path) == (
        f"{path}: /units/spike_times jump back within 2 of 2 units, as if sessions or trials had been concatenated. "
        "Sorting would mix them up: add its start time to each."
    )
