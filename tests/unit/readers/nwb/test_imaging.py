"""Traces of ROIs as a population: every row of the segmentation, whatever way the samples are stored."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers.nwb import PLUGIN, contents

SERIES, TABLE = "processing/ophys/DfOverF/series", "processing/ophys/ImageSegmentation/plane"


def refusal(read, path, kind=InvalidSource, **options):
    with pytest.raises(kind) as refused:
        read(path, **options)
    return str(refused.value)


def assert_values(population, expected):
    np.testing.assert_array_equal(population.activity.values, np.transpose(expected).astype(np.float32))


def test_a_series_is_a_population(read, hdf5, rois, noise):
    path = hdf5({**rois(noise), "general/subject/subject_id": "mouse", "identifier": "a file"})
    population = read(path)
    assert population.unit_ids.tolist() == [0, 10, 20, 30, 40]
    assert population.observed_s.tolist() == [[2, 22]]
    assert (population.activity.kind, population.activity.rate_hz, population.activity.start_s) == ("dff", 10, 2)
    assert_values(population, noise)
    assert population.group.tolist() == ["plane"] * 5
    assert population.positions_um is None
    assert not population.labels
    assert not population.excluded
    assert (population.subject_id, population.session_id, population.source) == ("mouse", "a file", str(path))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "u2", "u1", "i8", bool])
def test_samples_may_be_any_numbers(read, hdf5, rois, dtype):
    values = np.random.default_rng(0).integers(0, 2, (50, 3)).astype(dtype)
    population = read(hdf5(rois(values)))
    assert population.activity.values.dtype == np.float32
    assert_values(population, values)


def test_samples_are_converted_to_their_unit(read, hdf5, rois):
    values = np.arange(20, dtype=np.int16).reshape(10, 2)
    population = read(hdf5({**rois(values, **{"data@conversion": 0.5, "data@offset": -3.0})}))
    assert_values(population, values * 0.5 - 3)


@pytest.mark.parametrize(("scale", "offset"), [(0.0, 0.0), (np.nan, 0.0), (1.0, np.inf)])
def test_conversions_that_make_no_numbers_are_refused(read, hdf5, rois, noise, scale, offset):
    path = hdf5(rois(noise, **{"data@conversion": scale, "data@offset": offset}))
    assert refusal(read, path) == (
        f"{path}: /{SERIES}/data has conversion {scale:g} and offset {offset:g}, which do not give finite numbers. "
        "Correct them in the file."
    )


def test_what_is_infinite_is_no_sample(read, hdf5, rois, noise):
    values = noise.astype(np.float64)
    values[3, 1], values[4, 2], values[5, 0] = np.inf, 1e300, -np.inf
    expected = np.where(np.abs(values) > 1e30, np.nan, values)
    assert_values(read(hdf5(rois(values))), expected)


def test_one_trace_may_have_one_axis(read, hdf5, rois, noise):
    population = read(hdf5(rois(noise[:, 0])))
    assert_values(population, noise[:, :1])


def test_transposed_samples_are_told_by_the_count_of_rois(read, hdf5, rois, noise):
    path = hdf5({**rois(noise), f"{SERIES}/data": noise.T})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: /{SERIES}/data is stored as (ROIs, samples), against the NWB schema, and is read that way."
    ]
    assert_values(population, noise)


def test_as_many_samples_as_rois_are_read_as_the_schema_says(read, hdf5, rois, noise):
    assert_values(read(hdf5(rois(noise[:5]))), noise[:5])


@pytest.mark.parametrize("shape", [(200, 6), (200, 4), (4, 200), (200,), (200, 5, 1), ()])
def test_samples_that_fit_no_rois_are_refused(read, hdf5, rois, noise, shape):
    path = hdf5({**rois(noise), f"{SERIES}/data": np.ones(shape)})
    assert refusal(read, path) == (
        f"{path}: /{SERIES}/data must have one column for each of 5 ROIs, its shape is {shape}. Validate the file."
    )


LAYOUTS = st.fixed_dictionaries(
    {
        "samples": st.integers(1, 60),
        "rois": st.integers(1, 12),
        "chunk": st.none() | st.tuples(st.integers(1, 20), st.integers(1, 20)),
        "gzip": st.booleans(),
        "transposed": st.booleans(),
        "at_once": st.integers(1, 200),
    }
)


@pytest.mark.filterwarnings("ignore::nwb_neurid.errors.NeuridWarning")
@given(layout=LAYOUTS, seed=st.integers(0, 99))
def test_samples_are_the_same_however_they_are_stored(hdf5_session, rois_session, layout, seed):
    shape = (layout["samples"], layout["rois"])
    transposed = layout["transposed"] and shape[0] != shape[1]
    values = np.random.default_rng(seed).normal(size=shape)
    values[:, 0] += np.arange(shape[0])  # one ROI at least is not constant
    if shape[0] == 1:
        return
    stored = values.T if transposed else values
    data = {"data": stored}
    if layout["chunk"]:
        data["chunks"] = tuple(np.minimum(layout["chunk"], stored.shape).tolist())
        data["compression"] = "gzip" if layout["gzip"] else None
    path = hdf5_session[0]({**rois_session(values), f"{SERIES}/data": data})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "ELEMENTS_AT_ONCE", layout["at_once"])
        assert_values(PLUGIN.read(path, ReadOptions()), values)


def test_each_chunk_is_unpacked_once(hdf5, rois, noise, read, monkeypatch):
    from nwb_neurid.readers.nwb import contents as module

    monkeypatch.setattr(module, "ELEMENTS_AT_ONCE", 100)
    places = []
    real = module.Dataset.numbers

    def counted(self, rows=None):
        if isinstance(rows, tuple):
            places.append(rows)
        return real(self, rows)

    monkeypatch.setattr(module.Dataset, "numbers", counted)
    read(hdf5({**rois(noise), f"{SERIES}/data": {"data": noise, "chunks": (20, 2), "compression": "gzip"}}))
    assert places
    assert all(rows.start % 20 == 0 and columns.start % 2 == 0 for rows, columns in places)
    assert sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in places) == noise.size


def test_rows_without_a_trace_stay(read, hdf5, rois, noise):
    population = read(hdf5(rois(noise, rois=[6, 0, 3, 2, 5])))
    assert len(population) == 7
    assert population.excluded == {1: "no trace", 4: "no trace"}
    np.testing.assert_array_equal(population.activity.values[[6, 0, 3, 2, 5]], noise.T)
    assert np.isnan(population.activity.values[[1, 4]]).all()


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 3], [0, 1, 2, 3, 5], [-1, 0, 1, 2, 3]])
def test_rows_that_are_none_are_refused(read, hdf5, rois, noise, rows):
    path = hdf5({**rois(noise), f"{SERIES}/rois": None, f"{SERIES}/rois@table": None})
    with h5py.File(path, "r+") as file:
        file[f"{SERIES}/rois"] = rows
        file[f"{SERIES}/rois"].attrs["table"] = file[TABLE].ref
    assert refusal(read, path) == (
        f"{path}: /{SERIES}/rois must refer to the 5 rows of {path}: /{TABLE}, to each at most once. Validate the file."
    )


@pytest.mark.parametrize("table", [None, "a text", lambda file: file[f"{SERIES}/data"].ref, h5py.Reference()])
def test_rois_of_no_table_are_refused(read, hdf5, rois, noise, table):
    path = hdf5(rois(noise, **{"rois@table": table}))
    assert refusal(read, path) == (
        f"{path}: /{SERIES}/rois must refer to a table of ROIs, but does not. Validate the file."
    )


def test_a_table_far_longer_than_its_traces_is_refused(read, hdf5, rois, noise):
    path = hdf5({**rois(noise), f"{TABLE}/id": np.arange(321)})
    assert refusal(read, path) == f"{path}: /{TABLE} has 321 rows for 5 traces. Validate the file."


def test_a_series_without_data_is_refused(read, hdf5, rois, noise):
    path = hdf5(rois(noise, data=None))
    assert refusal(read, path) == f"{path}: /{SERIES} has no data. Validate the file."


@pytest.mark.parametrize("shape", [(0, 5), (200, 0)])
def test_a_series_without_samples_is_refused(read, hdf5, rois, shape):
    path = hdf5({**rois(np.ones(shape)), f"{TABLE}/id": np.arange(5)})
    assert refusal(read, path, UnreadableSource) == (
        f"{path}: /{SERIES}/data has no samples of any ROI. Choose another series with --from."
    )


def test_ids_that_repeat_are_told(read, hdf5, rois, noise):
    path = hdf5({**rois(noise), f"{TABLE}/id": [1, 2, 1, 1, 5]})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: /{TABLE}/id repeats 2 ids, so ROIs are identified by row index."
    ]
    assert population.unit_ids.tolist() == [1, 2, 1, 1, 5]


def test_traces_that_do_not_vary_are_left_out(read, hdf5, rois, noise):
    noise[:, 1] = 3.0
    noise[:, 2] = np.nan
    noise[5:, 3] = np.nan
    noise[:, 4] = np.where(np.arange(200) % 2, np.nan, -1.0)
    population = read(hdf5(rois(noise)))
    constant = "its trace is constant"
    assert population.excluded == {1: constant, 2: "its trace is NaN", 4: constant}
    assert_values(population, noise)


def test_only_observed_time_tells_whether_a_trace_varies(read, hdf5, rois, noise):
    noise[50:, 1] = 0.0
    invalid = {"intervals/invalid_times/id": [0], "intervals/invalid_times/start_time": [0.0]}
    population = read(hdf5({**rois(noise), **invalid, "intervals/invalid_times/stop_time": [7.0]}))
    assert population.observed_s.tolist() == [[7, 22]]
    assert population.excluded == {1: "its trace is constant"}
    assert_values(population, noise[50:])


def test_nothing_left_is_refused(read, hdf5, rois, noise):
    noise[:, :2] = 0.0
    noise[:, 2:] = np.nan
    path = hdf5(rois(noise))
    assert refusal(read, path, UnreadableSource) == (
        f"{path} has no ROI to embed; it leaves out 3 (its trace is NaN), 2 (its trace is constant)."
    )


def test_optogenetic_time_is_left_out(read, hdf5, rois, noise):
    laser = {"intervals/laser/id": [0], "intervals/laser/start_time": [312.0], "intervals/laser/stop_time": [313.0]}
    path = hdf5({**rois(noise), **laser})
    with pytest.warns(NeuridWarning, match="optogenetic stimulation from 312 s"):
        population = read(path)
    assert population.observed_s.tolist() == [[2, 12]]
    assert_values(population, noise[:100])
    assert_values(read(path, keep_opto=True), noise)


def two_planes(rois, noise, **second):
    """Two series with a table each; what is given for the second stands in place of what it has."""
    return {
        **rois(noise[:, :3], "processing/ophys/DfOverF/upper", table="upper"),
        **rois(noise[:, 3:], "processing/ophys/DfOverF/lower", table="lower", **second),
    }


def test_planes_are_one_population(read, hdf5, rois, noise):
    population = read(hdf5(two_planes(rois, noise)))
    assert population.unit_ids.tolist() == [0, 10, 0, 10, 20]
    assert population.group.tolist() == ["lower"] * 2 + ["upper"] * 3
    assert_values(population, noise[:, [3, 4, 0, 1, 2]])


def test_planes_may_start_within_a_sample_of_one_another(read, hdf5, rois, noise):
    population = read(hdf5(two_planes(rois, noise, starting_time=2.05)))
    assert population.activity.start_s == 2.05
    assert len(population) == 5


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"starting_time": 2.5}, "10 Hz from 2.5 s"),
        ({"starting_time@rate": 10.1}, "10.1 Hz from 2 s"),
        ({"timestamps": 2 + np.r_[np.arange(100), np.arange(110, 210)] / 10}, "10 Hz from 2 s"),
    ],
)
def test_planes_that_were_not_sampled_together_are_several_recordings(read, hdf5, rois, noise, second, told):
    path = hdf5(two_planes(rois, noise, **second))
    assert refusal(read, path, InvalidOption) == (
        f"{path}: these series are not sampled together, so they are several recordings. Choose one:\n"
        f"  --from processing/ophys/DfOverF/lower: dff, ROIs: 2, {told}\n"
        "  --from processing/ophys/DfOverF/upper: dff, ROIs: 3, 10 Hz from 2 s"
    )
    assert len(read(path, part="processing/ophys/DfOverF/upper")) == 3


def test_the_shorter_plane_tells_where_all_end(read, hdf5, rois, noise):
    path = hdf5({**two_planes(rois, noise), "processing/ophys/DfOverF/lower/data": noise[:198, 3:]})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: /processing/ophys/DfOverF/upper/data has 2 samples more than the other planes; the extra samples "
        "are left out."
    ]
    assert population.observed_s.tolist() == [[2, 21.8]]
    assert_values(population, noise[:198, [3, 4, 0, 1, 2]])


def test_series_of_the_same_rois_are_to_be_chosen_from(read, hdf5, rois, noise):
    path = hdf5(
        {
            **rois(noise, "processing/ophys/Fluorescence/raw"),
            **rois(noise + 1, "processing/ophys/Fluorescence/corrected"),
        }
    )
    assert refusal(read, path, InvalidOption) == (
        f"{path}: these series hold the same ROIs. Choose one:\n"
        "  --from processing/ophys/Fluorescence/corrected: fluorescence, ROIs: 5, 10 Hz from 2 s\n"
        "  --from processing/ophys/Fluorescence/raw: fluorescence, ROIs: 5, 10 Hz from 2 s"
    )
    assert_values(read(path, part="processing/ophys/Fluorescence/raw"), noise)


def test_planes_of_one_table_are_called_as_their_series(read, hdf5, rois, noise):
    contents = {
        **rois(noise[:, :2], "processing/ophys/DfOverF/plane0"),
        **rois(noise[:, 2:], "processing/ophys/DfOverF/plane1", rois=[2, 3, 4]),
    }
    population = read(hdf5(contents))
    assert population.group.tolist() == ["plane0"] * 2 + ["plane1"] * 3
    assert_values(population, noise)


def test_series_of_one_name_are_called_by_their_paths(read, hdf5, rois, noise):
    contents = {
        **rois(noise[:, :2], "processing/one/dff/traces"),
        **rois(noise[:, 2:], "processing/two/dff/traces", rois=[2, 3, 4]),
    }
    assert set(read(hdf5(contents)).group.tolist()) == {"processing/one/dff/traces", "processing/two/dff/traces"}


@pytest.mark.filterwarnings("ignore::nwb_neurid.errors.NeuridWarning")
@given(count=st.integers(1, 8), seed=st.integers(0, 99), data=st.data())
def test_permuted_rois_give_permuted_rows(hdf5_session, rois_session, count, seed, data):
    order = np.array(data.draw(st.permutations(range(count))))
    values = np.random.default_rng(seed).normal(size=(30, count))
    write = hdf5_session[0]
    straight = PLUGIN.read(write(rois_session(values)), ReadOptions())
    permuted = PLUGIN.read(write(rois_session(values[:, order], rois=order)), ReadOptions())
    np.testing.assert_array_equal(permuted.activity.values, straight.activity.values)
    np.testing.assert_array_equal(permuted.unit_ids, straight.unit_ids)
