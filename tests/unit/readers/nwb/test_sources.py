"""What a file holds and which of it is read: the only recording, or the one that is named."""

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption, UnreadableSource

ELSEWHERE = "processing/ecephys/resorted"
OPHYS = "processing/ophys"


def refusal(read, path, **options):
    with pytest.raises(InvalidOption) as refused:
        read(path, **options)
    return str(refused.value)


def units(path):
    """Two units over 10 s; `path` is where their table stands."""
    return {
        f"{path}@neurodata_type": "Units",
        f"{path}/id": [3, 4],
        f"{path}/spike_times": [1.0, 2.0, 3.0],
        f"{path}/spike_times_index": [2, 3],
        f"{path}/obs_intervals": [[0.0, 10.0]] * 2,
        f"{path}/obs_intervals_index": [1, 2],
    }


@pytest.fixture
def activities(rois, noise):
    """Every activity of the same five ROIs."""
    return {
        **rois(noise, f"{OPHYS}/DfOverF/plane"),
        **rois(noise + 1, f"{OPHYS}/Fluorescence/plane"),
        **rois(noise + 2, f"{OPHYS}/Neuropil/plane"),
        **rois(noise + 3, f"{OPHYS}/Deconvolved/plane"),
    }


def test_the_only_units_table_is_read_wherever_it_stands(read, hdf5):
    assert read(hdf5({"@nwb_version": "2.7.0", **units(ELSEWHERE)})).unit_ids.tolist() == [3, 4]


@pytest.mark.parametrize("path", ["acquisition/SortedUnits", "analysis/units", "scratch/resorted"])
def test_units_against_the_advice_of_the_schema_are_read_where_there_are_no_others(read, hdf5, sound, path):
    assert read(hdf5({"@nwb_version": "2.7.0", **units(path)})).tables == (f"/{path}",)
    both = hdf5({**sound, **units(path)})
    assert read(both).tables == ("/units",)
    assert read(both, part=path).tables == (f"/{path}",)


def test_an_empty_table_or_one_without_spikes_is_no_recording(read, hdf5, sound):
    empty = {f"{ELSEWHERE}/{name}": np.zeros(0) for name in ("id", "spike_times", "spike_times_index")}
    other = {"processing/ecephys/templates@neurodata_type": "Units", "processing/ecephys/templates/id": [0, 1]}
    path = hdf5({**sound, **empty, f"{ELSEWHERE}@neurodata_type": "Units", **other})
    assert read(path).unit_ids.tolist() == [7, 8, 9, 10]


def test_other_tables_with_spike_times_are_no_units(read, hdf5, sound):
    table = {f"{ELSEWHERE}/{name}": [1, 2] for name in ("id", "spike_times", "spike_times_index")}
    assert len(read(hdf5({**sound, **table, f"{ELSEWHERE}@neurodata_type": "DynamicTable"}))) == 4


def test_several_recordings_are_listed(read, hdf5, sound, activities):
    path = hdf5({**sound, **units(ELSEWHERE), **activities})
    listed = (
        "  --from units: spikes, units: 4\n"
        "  --from processing/ecephys/resorted: spikes, units: 2\n"
        "  --from processing/ophys/Deconvolved/plane: deconvolved, ROIs: 5\n"
        "  --from processing/ophys/DfOverF/plane: dff, ROIs: 5\n"
        "  --from processing/ophys/Fluorescence/plane: fluorescence, ROIs: 5\n"
        "  --from processing/ophys/Neuropil/plane: no neurons by its name, ROIs: 5"
    )
    assert refusal(read, path) == f"{path} holds several recordings. Choose one:\n{listed}"
    assert refusal(read, path, activity="spikes") == f"{path} holds several recordings. Choose one:\n{listed}"
    assert refusal(read, path, part="unit") == f"{path} has no recording of neurons at --from unit. It has:\n{listed}"
    assert refusal(read, path, activity="volts") == f"{path} has no volts. It has:\n{listed}"
    assert refusal(read, path, part="units", activity="dff") == f"{path} has no dff at --from units. It has:\n{listed}"
    assert read(path, part="units").unit_ids.tolist() == [7, 8, 9, 10]
    assert read(path, part="/units/").unit_ids.tolist() == [7, 8, 9, 10]
    assert read(path, part=ELSEWHERE).unit_ids.tolist() == [3, 4]
    assert read(path, part="processing/ecephys").unit_ids.tolist() == [3, 4]
    assert read(path, activity="dff").activity.kind == "dff"


def test_units_and_traces_together_are_two_recordings(read, hdf5, sound, rois, noise):
    path = hdf5({**sound, **rois(noise)})
    assert "holds several recordings" in refusal(read, path)
    assert read(path, activity="spikes").activity.kind == "spikes"
    assert read(path, activity="dff").activity.kind == "dff"


@pytest.mark.parametrize(
    ("options", "kind", "shift"),
    [
        ({}, "dff", 0),
        ({"activity": "dff"}, "dff", 0),
        ({"activity": "fluorescence"}, "fluorescence", 1),
        ({"activity": "deconvolved"}, "deconvolved", 3),
        ({"part": "processing"}, "dff", 0),
        ({"part": f"{OPHYS}/Fluorescence"}, "fluorescence", 1),
        ({"part": f"{OPHYS}/Deconvolved/plane"}, "deconvolved", 3),
        ({"part": f"{OPHYS}/Neuropil"}, "fluorescence", 2),
        ({"part": OPHYS, "activity": "deconvolved"}, "deconvolved", 3),
    ],
)
def test_activities_of_the_same_rois_are_one_recording(read, hdf5, activities, noise, options, kind, shift):
    population = read(hdf5(activities), **options)
    assert population.activity.kind == kind
    np.testing.assert_array_equal(population.activity.values, noise.T + np.float32(shift))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_the_first_activity_that_there_is_is_read(read, hdf5, activities, missing):
    for name in ("DfOverF", "Fluorescence", "Neuropil")[:missing]:
        activities = {place: value for place, value in activities.items() if name not in place}
    assert read(hdf5(activities)).activity.kind == ("dff", "fluorescence", "deconvolved")[missing]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"{OPHYS}/DfOverF/RoiResponseSeries", "dff"),
        (f"{OPHYS}/dff/traces", "dff"),
        (f"{OPHYS}/delta_F_over_F/traces", "dff"),
        (f"{OPHYS}/Fluorescence/df_f", "dff"),
        (f"{OPHYS}/Fluorescence/RoiResponseSeries", "fluorescence"),
        (f"{OPHYS}/corrected_fluorescence/traces", "fluorescence"),
        (f"{OPHYS}/Fluorescence/Denoised", "fluorescence"),
        (f"{OPHYS}/Fluorescence/Deconvolved", "deconvolved"),
        (f"{OPHYS}/event_detection", "deconvolved"),
        (f"{OPHYS}/spks/plane0", "deconvolved"),
        ("acquisition/roi_series", "fluorescence"),
        ("acquisition/DfOverF/roi_series", "dff"),
        ("processing/spike_sorting/traces", "fluorescence"),
    ],
)
def test_names_tell_what_a_series_is(read, hdf5, rois, noise, path, kind):
    population = read(hdf5(rois(noise, path)))
    assert population.activity.kind == kind


def test_the_type_of_the_container_tells_too(read, hdf5, rois, noise):
    contents = {**rois(noise, f"{OPHYS}/traces/plane"), f"{OPHYS}/traces@neurodata_type": "DfOverF"}
    assert read(hdf5(contents)).activity.kind == "dff"


def test_neuropil_alone_is_no_recording_of_neurons(read, hdf5, rois, noise):
    path = hdf5(rois(noise, f"{OPHYS}/Fluorescence/Neuropil"))
    assert refusal(read, path) == (
        f"{path} has no recording of neurons. It has:\n"
        "  --from processing/ophys/Fluorescence/Neuropil: no neurons by its name, ROIs: 5"
    )


def test_a_file_with_nothing_is_told_so_whatever_is_asked(read, hdf5):
    path = hdf5({"@nwb_version": "2.7.0", "processing/ophys/x": 1})
    for options in ({}, {"part": "units"}, {"activity": "dff"}):
        with pytest.raises(UnreadableSource) as refused:
            read(path, **options)
        assert str(refused.value) == (
            f"{path} has no neurons to embed: it has no units table, and there are no traces of ROIs. Choose a file "
            "with sorted units or traces."
        )
