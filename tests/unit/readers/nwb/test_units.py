"""The units table as a population: every row, its labels, and what stands elsewhere in the file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.nwb import PLUGIN


def refusal(read, path, kind=UnreadableSource):
    with pytest.raises(kind) as refused:
        read(path)
    return str(refused.value)


def test_every_row_is_a_unit(read, hdf5, sound):
    path = hdf5(sound)
    population = read(path)
    assert population.unit_ids.tolist() == [7, 8, 9, 10]
    assert population.spikes.counts().tolist() == [3, 2, 0, 1]
    assert not population.excluded
    assert not population.labels
    assert (population.subject_id, population.session_id) == ("mouse 1", "day 2")
    assert population.source == str(path)


@pytest.mark.parametrize(
    ("change", "subject", "session"),
    [
        ({"general/session_id": None}, "mouse 1", "a recording"),
        ({"general/session_id": " "}, "mouse 1", "a recording"),
        ({"general/session_id": None, "identifier": None}, "mouse 1", ""),
        ({"general/subject/subject_id": None}, "", "day 2"),
        ({"general/subject/subject_id": 3, "general/session_id": ["day 2"]}, "", "a recording"),
        ({"general/subject/subject_id": np.bytes_(b"caf\xe9")}, "caf\ufffd", "day 2"),
    ],
)
def test_names_that_are_missing_are_empty(read, hdf5, sound, change, subject, session):
    population = read(hdf5({**sound, **change}))
    assert (population.subject_id, population.session_id) == (subject, session)


def test_ids_that_repeat_are_told(read, hdf5, sound):
    path = hdf5({**sound, "units/id": [7, 8, 7, 7]})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: /units/id repeats 2 ids, so units are identified by row index."
    ]
    assert population.unit_ids.tolist() == [7, 8, 7, 7]
    assert population.spikes.counts().tolist() == [3, 2, 0, 1]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"units": 1}, "it has no units table"),
        ({}, "it has no units table"),
        ({"units/id": [1, 2]}, "its units table has no spike_times"),
        ({"units/id": [1, 2], "units/spike_times/x": 1}, "its units table has no spike_times"),
    ],
)
def test_a_file_without_spikes_is_refused(read, hdf5, change, found):
    path = hdf5({"@nwb_version": "2.7.0", **change})
    assert refusal(read, path) == (
        f"{path} has no neurons to embed: {found}, and there are no traces of ROIs. Choose a file with sorted units "
        "or traces."
    )


def test_an_empty_table_is_refused(read, hdf5, sound):
    empty = {f"units/{name}": np.zeros(0) for name in ("id", "spike_times", "spike_times_index")}
    path = hdf5({**sound, **empty})
    assert refusal(read, path) == f"{path} has no units: its units table is empty. Choose a file with units."


def test_a_table_without_ids_is_refused(read, hdf5, sound):
    path = hdf5({**sound, "units/id": None})
    assert refusal(read, path, InvalidSource) == f"{path}: /units has no column id. Validate the file."


def test_spikes_of_no_unit_are_refused(read, hdf5, sound):
    path = hdf5({**sound, "units/spike_times_index": None})
    assert refusal(read, path, InvalidSource) == (
        f"{path}: /units has spike_times but no spike_times_index, so spikes cannot be assigned to units. Validate "
        "the file."
    )


@pytest.mark.parametrize("ids", [["a", "b", "c", "d"], [0.5, 1, 2, 3], [np.nan, 1, 2, 3]])
def test_ids_that_are_no_whole_numbers_are_refused(read, hdf5, sound, ids):
    path = hdf5({**sound, "units/id": ids})
    assert refusal(read, path, InvalidSource).startswith(f"{path}: /units/id must hold ")


def test_columns_of_text_are_labels_under_their_own_names(read, hdf5, sound):
    sound.update({"units/quality": ["good", "mua", "", "none"], "units/notes": ["-"] * 4, "units/depth": [1, 2, 3, 4]})
    labels = read(hdf5(sound), where="all").labels
    assert labels.keys() == {"quality"}
    assert labels["quality"].tolist() == ["good", "mua", "", ""]


def test_columns_of_several_texts_in_a_row_are_none(read, hdf5, sound):
    sound.update({"units/pair": [["a", "b"]] * 4, "units/tags": ["x"] * 4, "units/tags_index": [1, 2, 3, 4]})
    assert not read(hdf5(sound)).labels


def test_a_column_of_text_of_another_length_is_left_out(read, hdf5, sound):
    path = hdf5({**sound, "units/quality": ["good"] * 3, "units/cell_type": ["PV"] * 4})
    with pytest.warns(NeuridWarning) as warned:
        assert list(read(path).labels) == ["cell_type"]
    assert [str(one.message) for one in warned] == [
        f"{path}: some data cannot be used and are left out:\n  - {path}: /units/quality must have one element for "
        "each of 4 "
        "rows, its shape is (3,). Validate the file."
    ]


@pytest.mark.parametrize("name", ["cell_type", "putative_cell_type", "celltype", "neuron_type"])
def test_cell_types_are_called_so_whatever_the_file_calls_them(read, hdf5, sound, name):
    labels = read(hdf5({**sound, f"units/{name}": ["PV", "unknown", "SST", "nan"]})).labels
    assert labels["cell_type"].tolist() == labels[name].tolist() == ["PV", "", "SST", ""]


def test_cell_types_come_from_the_first_column_that_knows_any(read, hdf5, sound):
    sound.update({"units/cell_type": ["unknown"] * 4, "units/putative_cell_type": ["", "PV", "", ""]})
    sound["units/neuron_type"] = ["Pyr"] * 4
    labels = read(hdf5(sound)).labels
    assert labels["cell_type"].tolist() == ["", "PV", "", ""]
    assert labels["neuron_type"].tolist() == ["Pyr"] * 4


def recording(hdf5, sound, electrodes, order, seed):
    """A file whose rows stand in this order, of units that depend on the seed alone."""
    rng = np.random.default_rng(seed)
    units = len(order)
    trains = [np.sort(rng.uniform(0, 10, rng.integers(0, 20))) for _ in range(units)]
    observed = [np.sort(rng.uniform(0, 10, (rng.integers(1, 4), 2)), axis=1) for _ in range(units)]
    trains[0], observed[0] = np.array([5.0]), np.array([[4.5, 5.5]])  # one spike at least is observed
    peaks = rng.integers(0, 5, units)
    types = rng.choice(["PV", "SST", "unknown"], units)
    contents = {
        "units/id": np.arange(units)[order] % 3,
        "units/spike_times": np.concatenate([trains[unit] for unit in order]),
        "units/spike_times_index": np.cumsum([len(trains[unit]) for unit in order]),
        "units/obs_intervals": np.concatenate([observed[unit] for unit in order]),
        "units/obs_intervals_index": np.cumsum([len(observed[unit]) for unit in order]),
        "units/electrodes": peaks[order],
        "units/cell_type": types[order].tolist(),
    }
    return hdf5({**sound, **electrodes, **contents}), trains, observed


@pytest.mark.filterwarnings("ignore::nwb_neurid.errors.NeuridWarning")
@settings(max_examples=20)
@given(units=st.integers(1, 12), seed=st.integers(0, 1000), data=st.data())
def test_a_permuted_file_gives_permuted_rows(hdf5_session, units, seed, data):
    hdf5, sound, electrodes = hdf5_session
    order = np.array(data.draw(st.permutations(range(units))))
    straight, permuted = (
        PLUGIN.read(recording(hdf5, sound, electrodes, rows, seed)[0], ReadOptions())
        for rows in (np.arange(units), order)
    )
    expected = straight.select(order)
    np.testing.assert_array_equal(permuted.unit_ids, expected.unit_ids)
    np.testing.assert_array_equal(permuted.observed_s, expected.observed_s)
    np.testing.assert_array_equal(permuted.unit_duration_s(), expected.unit_duration_s())
    np.testing.assert_array_equal(permuted.spikes.times_s, expected.spikes.times_s)
    np.testing.assert_array_equal(permuted.spikes.splits, expected.spikes.splits)
    np.testing.assert_array_equal(permuted.positions_um, expected.positions_um)
    np.testing.assert_array_equal(permuted.group, expected.group)
    assert permuted.labels.keys() == expected.labels.keys()
    for name, values in permuted.labels.items():
        np.testing.assert_array_equal(values, expected.labels[name])


@pytest.mark.filterwarnings("ignore::nwb_neurid.errors.NeuridWarning")
@settings(max_examples=20)
@given(units=st.integers(1, 12), seed=st.integers(0, 1000))
def test_a_unit_has_the_spikes_of_its_observed_time_and_no_others(hdf5_session, units, seed):
    hdf5, sound, electrodes = hdf5_session
    path, trains, observed = recording(hdf5, sound, electrodes, np.arange(units), seed)
    population = PLUGIN.read(path, ReadOptions())
    for unit, (train, own) in enumerate(zip(trains, observed, strict=True)):
        inside = [time for time in train if np.any((own[:, 0] <= time) & (time < own[:, 1]))]
        np.testing.assert_array_equal(population.spikes.train_s(unit), inside)


TRAIN = st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), max_size=20).map(sorted)


@given(trains=st.lists(TRAIN, min_size=1, max_size=10).filter(any))
def test_written_trains_come_back_to_the_last_bit(hdf5_session, trains):
    hdf5, sound, _ = hdf5_session
    spikes = {
        "units/id": range(len(trains)),
        "units/spike_times": np.concatenate(trains),
        "units/spike_times_index": np.cumsum([len(train) for train in trains]),
        "units/obs_intervals": [[-2e9, 2e9]] * len(trains),
        "units/obs_intervals_index": range(1, len(trains) + 1),
    }
    population = PLUGIN.read(hdf5({**sound, **spikes}), ReadOptions())
    assert [population.spikes.train_s(unit).tolist() for unit in range(len(trains))] == trains


def test_what_a_model_predicted_is_no_label(read, hdf5, sound):
    said = 'Predicted cell_type\nndx-neurid {"results": "mine"}'
    columns = {"units/mine_cell_type": ["a", "b", "a", "b"], "units/mine_cell_type@description": said}
    path = hdf5({**sound, "units/neurid_cell_type": ["a"] * 4, "units/note": ["c", "", "", ""], **columns})
    assert list(read(path).labels) == ["note"]
