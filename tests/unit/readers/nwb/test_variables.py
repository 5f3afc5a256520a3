"""Columns of trials as covariates."""

import numpy as np
import pytest

from nwb_neurid.errors import NeuridWarning


@pytest.fixture
def trials(hdf5, sound, read):
    """What the reader makes of these columns of a table of four trials, by their names."""

    def trials(columns, *, start=(1.0, 2.0, 3.0, 4.0), stop=(1.5, 2.5, 3.5, 4.5), table="trials"):
        path = f"intervals/{table}"
        edges = {"id": np.arange(len(start)), "start_time": np.array(start), "stop_time": np.array(stop)}
        contents = {f"{path}/{name}": values for name, values in (edges | columns).items()}
        population = read(hdf5(sound | {f"{path}@neurodata_type": "TimeIntervals"} | contents), covariates=True)
        return {name.removeprefix(f"{table}/"): series for name, series in population.covariates.items()}

    return trials


def test_numbers_hold_for_their_trial(trials):
    contrast = trials({"contrast": [0.0, 0.25, np.nan, 1.0]})["contrast"]
    np.testing.assert_array_equal(contrast.values[:, 0], [0, 0.25, np.nan, 1])
    np.testing.assert_array_equal(contrast.times_s, [1, 2, 3, 4])
    np.testing.assert_array_equal(contrast.stops_s, [1.5, 2.5, 3.5, 4.5])
    assert contrast.kind == "intervals"


def test_truth_values_are_0_and_1(trials):
    assert trials({"correct": [True, False, True, True]})["correct"].values[:, 0].tolist() == [1, 0, 1, 1]


def test_texts_are_categories(trials):
    choice = trials({"choice": ["left", "right", "n/a", "left"]})["choice"]
    assert choice.channels == ("left", "right")
    np.testing.assert_array_equal(choice.values, [[1, 0], [0, 1], [np.nan, np.nan], [1, 0]])


def test_texts_that_are_numbers_are_numbers(trials):
    frequency = trials({"frequency": ["2.0", "null", "15.0", "1e1"]})["frequency"]
    np.testing.assert_array_equal(frequency.values[:, 0], [2, np.nan, 15, 10])


@pytest.mark.parametrize(("count", "known"), [(16, True), (17, False)])
def test_up_to_16_texts_are_categories(trials, count, known):
    start = np.arange(20.0)
    columns = {"word": [f"word {row % count}" for row in range(20)]}
    if known:
        assert trials(columns, start=start, stop=start + 0.5)["word"].values.shape == (20, 16)
        return
    message = r"intervals/trials/word has 17 different texts, at most 16 can be categories\."
    with pytest.warns(NeuridWarning, match=message):
        assert trials(columns, start=start, stop=start + 0.5) == {}


def test_times_within_trials_are_events(trials):
    found = trials(
        {
            "cue": [1.1, 2.2, np.nan, 4.0],
            "feedback": [1.75, 2.5, 3.9, 4.5],
            "delay": [1.1, 2.2, 3.3, 0.2],
            "rare": [1.1, 2.2, np.nan, np.nan],
        }
    )
    assert {name: series.kind for name, series in found.items()} == {
        "cue": "events",
        "delay": "intervals",
        "feedback": "events",
        "rare": "intervals",
    }
    np.testing.assert_array_equal(found["cue"].times_s, [1.1, 2.2, 4.0])


def test_trials_come_in_the_order_of_time_and_end_where_the_next_starts(trials):
    found = trials({"x": [4, 1, 2, 3]}, start=[7.0, 1.0, 2.0, 3.0], stop=[8.0, 2.5, np.nan, 6.0])["x"]
    np.testing.assert_array_equal(found.values[:, 0], [1, 2, 3, 4])
    np.testing.assert_array_equal(found.times_s, [1, 2, 3, 7])
    np.testing.assert_array_equal(found.stops_s, [2, 3, 6, 8])


def test_trials_without_a_time_are_left_out(trials):
    found = trials({"x": [1, 2, 3, 4]}, start=[np.nan, 2.0, 3.0, 4.0], stop=[1.5, 2.5, 3.0, np.nan])["x"]
    np.testing.assert_array_equal(found.values[:, 0], [2])


def test_columns_that_say_nothing_are_left_out(trials):
    columns = {
        "unknown": [np.nan] * 4,
        "unnamed": ["", "n/a", "", "none"],
        "tags": ["a", "b"],
        "tags_index": [0, 1, 1, 2],
        "pairs": np.ones((4, 2)),
        "opto_power": [0.0, 0.0, 0.0, 0.0],
    }
    assert trials(columns) == {}


def test_tables_of_stimuli_are_read_and_invalid_times_are_not(trials):
    stop = (1.5, 2.5, 3.5, 3.75)
    assert list(trials({"orientation": [0, 45, 90, 0]}, table="gratings")) == ["orientation"]
    assert trials({"reason": [1, 2, 3, 4]}, stop=stop, start=(1.0, 2.0, 3.0, 3.5), table="invalid_times") == {}


def test_a_broken_table_is_left_out_with_a_warning(trials):
    with pytest.warns(NeuridWarning, match=r"left out of the covariates:\n  - .*trials/stop_time must have one elem"):
        assert trials({"x": [1, 2, 3, 4], "stop_time": [1.0, 2.0]}) == {}
