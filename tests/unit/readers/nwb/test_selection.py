"""Units by their columns and time by tables of intervals: as the user asks, or as the data set judges."""

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption, NeuridWarning

TRIALS = {
    "intervals/trials/id": range(4),
    "intervals/trials/start_time": [0.0, 2.0, 4.0, np.nan],
    "intervals/trials/stop_time": [1.0, 3.0, 5.0, 9.0],
    "intervals/trials/contrast_left": [0.0, 0.5, 0.0, 0.0],
    "intervals/trials/choice": ["left", "right", "left", "left"],
    "intervals/spontaneous/id": [0, 1],
    "intervals/spontaneous/start_time": [6.0, 3.5],
    "intervals/spontaneous/stop_time": [8.0, 4.5],
}


def refusal(read, path, **options):
    with pytest.raises(InvalidOption) as refused:
        read(path, **options)
    return str(refused.value)


def columns(**values):
    return {f"units/{name}": value for name, value in values.items()}


def test_rows_that_are_not_selected_stay_with_the_reason(read, hdf5, sound):
    path = hdf5({**sound, **columns(snr=[1.0, 3.0, np.nan, 4.0])})
    population = read(path, where="snr > 2")
    why = "not selected by --where snr > 2"
    assert population.excluded == {0: why, 2: why}
    assert population.spikes.counts().tolist() == [3, 2, 0, 1]
    assert not read(path).excluded


def test_nothing_selected_is_refused(read, hdf5, sound):
    path = hdf5({**sound, **columns(snr=[1.0] * 4)})
    assert refusal(read, path, where="snr > 2") == (f"--where 'snr > 2' selects none of the 4 rows of {path}: /units.")


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        ({"quality": ["good", "noise", "good", ""]}, "quality is not 'good' or better"),
        ({"quality": ["Excellent", "Fair", " GOOD ", "poor"]}, "quality is not 'good' or better"),
        ({"quality": ["excellent", "multi", "excellent", "noise"]}, "quality is not 'good' or better"),
        ({"quality": ["single unit", "multi unit", "SUA", "MUA"]}, "quality is not 'good' or better"),
        ({"phy_annotations": [[2], [1], [3], [0]]}, "phy_annotations is below 2"),
        ({"ibl_quality_score": [1.0, 0.67, 1.0, np.nan]}, "ibl_quality_score is below 1"),
        ({"label": [1.0, 0.33, 1.0, 0.0], "ks2_label": ["good"] * 4}, "label is below 1"),
        (
            {"quality": ["good", "noise", "good", ""], "phy_annotations": [2, 2, 2, 2]},
            "quality is not 'good' or better",
        ),
    ],
)
def test_what_a_data_set_judges_is_left_out_and_told(read, hdf5, sound, stored, why):
    path = hdf5({**sound, **columns(**stored)})
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    assert [str(one.message) for one in warned] == [
        f"{path}: /units: left out 2 of 4 units: {why}; --where all keeps every unit."
    ]
    assert population.excluded == {1: why, 3: why}
    assert not read(path, where="all").excluded
    assert read(path, where="id == 8").excluded.keys() == {0, 2, 3}


@pytest.mark.parametrize(
    "stored",
    [
        {"quality": ["good"] * 4},
        {"quality": ["mua"] * 4},
        {"quality": ["a", "b", "c", "d"]},
        {"quality": [1, 2, 3, 4]},
        {"phy_annotations": [0, 0, 1, 1]},
        {"phy_annotations": ["0"] * 4},
        {"ibl_quality_score": [0.33] * 4},
        {"label": [1.0, 0.0, 0.0, 0.0]},
        {"label": ["a", "b", "c", "d"], "ks2_label": ["good"] * 4},
        {"ks2_label": ["good", "mua", "mua", "mua"]},
    ],
)
def test_other_columns_judge_nothing(read, hdf5, sound, stored):
    assert not read(hdf5({**sound, **columns(**stored)})).excluded


@pytest.mark.parametrize(
    ("intervals", "observed"),
    [
        ("trials", [[0, 1], [2, 3], [4, 5]]),
        ("trials:contrast_left == 0", [[0, 1], [4, 5]]),
        ("trials: choice == 'right'", [[2, 3]]),
        ("spontaneous", [[3.5, 4.5], [6, 8]]),
        ("/intervals/spontaneous", [[3.5, 4.5], [6, 8]]),
        ("spontaneous:", [[3.5, 4.5], [6, 8]]),
    ],
)
def test_time_is_restricted_to_intervals(read, hdf5, sound, intervals, observed):
    sound["units/spike_times"] = [0.5, 4.25, 7.5, 2.5, 4.75, 4.0]
    path = hdf5({**sound, **TRIALS})
    assert read(path, intervals=intervals).observed_s.tolist() == observed  # spikes of other times are no news


def test_intervals_leave_what_was_not_observed(read, hdf5, sound):
    sound["units/obs_intervals"] = [[0.5, 2.5]] * 4
    invalid = {"intervals/invalid_times/id": [0], "intervals/invalid_times/start_time": [0.75]}
    path = hdf5({**sound, **TRIALS, **invalid, "intervals/invalid_times/stop_time": [0.9]})
    assert read(path, intervals="trials").observed_s.tolist() == [[0.5, 0.75], [0.9, 1], [2, 2.5]]


@pytest.mark.parametrize("name", ["passive", "", "trials/start_time", "/"])
def test_tables_that_are_not_there_are_named(read, hdf5, sound, name):
    path = hdf5({**sound, **TRIALS})
    assert refusal(read, path, intervals=f"{name}:id == 0") == (
        f"--intervals {f'{name}:id == 0'!r}: {path} has no table of intervals {name!r}. It has: spontaneous, trials."
    )


def test_a_file_without_tables_has_none(read, hdf5, sound):
    path = hdf5(sound)
    assert refusal(read, path, intervals="trials") == (
        f"--intervals 'trials': {path} has no table of intervals 'trials'. It has: none."
    )


def test_conditions_on_intervals_name_their_option(read, hdf5, sound):
    path = hdf5({**sound, **TRIALS})
    assert refusal(read, path, intervals="trials:contrast > 0").startswith(
        f"--intervals 'trials:contrast > 0': 'contrast > 0': {path}: /intervals/trials has no column contrast with"
    )


def test_no_such_intervals_are_refused(read, hdf5, sound):
    path = hdf5({**sound, **TRIALS})
    assert refusal(read, path, intervals="trials:contrast_left > 1") == (
        f"--intervals 'trials:contrast_left > 1' selects no time: none of the 4 rows of {path}: /intervals/trials "
        "matches."
    )


def test_intervals_that_were_not_observed_are_refused(read, hdf5, sound):
    sound["units/obs_intervals"] = [[8.5, 9.5]] * 4
    path = hdf5({**sound, **TRIALS})
    assert refusal(read, path, intervals="trials") == (
        f"--intervals 'trials': {path} has no observed time in these intervals, or all of it is declared invalid or "
        "follows optogenetic stimulation (--keep-opto keeps that)."
    )


def test_rois_are_selected_by_their_columns(read, hdf5, rois, noise):
    table = "processing/ophys/ImageSegmentation/plane"
    path = hdf5({**rois(noise), f"{table}/area": [10, 50, 60, 20, 70], f"{table}/quality": ["good"] + ["bad"] * 4})
    why = "not selected by --where area > 30"
    assert read(path, where="area > 30").excluded == {0: why, 3: why}
    assert not read(path).excluded


def test_rois_of_several_tables_are_selected_together(read, hdf5, rois, noise):
    contents = {
        **rois(noise[:, :3], "processing/ophys/DfOverF/upper", table="upper"),
        **rois(noise[:, 3:], "processing/ophys/DfOverF/lower", table="lower"),
    }
    path = hdf5(contents)
    assert read(path, where="id == 20").excluded.keys() == {0, 1, 2, 3}
    assert refusal(read, path, where="id == 30") == (
        f"--where 'id == 30' selects none of the 5 rows of {path}: /processing/ophys/ImageSegmentation/lower and "
        f"{path}: /processing/ophys/ImageSegmentation/upper."
    )


def test_traces_are_restricted_to_intervals(read, hdf5, rois, noise):
    population = read(hdf5({**rois(noise), **TRIALS}), intervals="trials")
    assert population.observed_s.tolist() == [[2, 3], [4, 5]]
    np.testing.assert_array_equal(population.activity.values, noise[:30].T)
