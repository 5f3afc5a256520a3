"""Spike trains and traces on their own."""

import numpy as np
import pytest

from nwb_neurid.activity import Spikes, Traces
from nwb_neurid.errors import InvalidPopulation

TRAINS = [np.array([0.5, 1.0, 1.0, 7.25]), np.empty(0), np.array([0.25, 3.0])]


@pytest.fixture
def spikes():
    """Three units, the second of which is silent."""
    return Spikes.of(TRAINS, resolution_s=0.25)


@pytest.fixture
def ramps():
    """Two units whose samples tell their own index, at 10 Hz from 100 s on."""
    ramp = np.arange(50, dtype=np.float32)
    return Traces(values=np.stack([ramp, ramp + 1000]), rate_hz=10.0, start_s=100.0, kind="fluorescence")


def test_trains_come_back_as_they_were_given(spikes):
    assert len(spikes) == 3
    for unit, train in enumerate(TRAINS):
        np.testing.assert_array_equal(spikes.train_s(unit), train)
    np.testing.assert_array_equal(spikes.counts(), [4, 0, 2])
    assert spikes.kind == "spikes"


@pytest.mark.parametrize("trains", [[], [np.empty(0)], [np.empty(0), np.array([1.0])]])
def test_few_units_or_spikes_are_units_and_spikes(trains):
    spikes = Spikes.of(trains)
    assert len(spikes) == len(trains)
    assert len(spikes.times_s) == sum(map(len, trains))
    assert len(spikes.within(np.array([[0.0, 2.0]]))) == len(trains)
    assert len(spikes.within(np.empty((0, 2))).times_s) == 0


def test_selected_units_come_in_the_order_asked_for(spikes):
    chosen = spikes.select(np.array([2, 0, 0]))
    for unit, row in enumerate([2, 0, 0]):
        np.testing.assert_array_equal(chosen.train_s(unit), TRAINS[row])
    assert chosen.resolution_s == 0.25


def test_spikes_within_intervals_are_those_in_half_open_time(spikes):
    kept = spikes.within(np.array([[0.5, 1.0], [3.0, 8.0]]))
    np.testing.assert_array_equal(kept.train_s(0), [0.5, 7.25])
    np.testing.assert_array_equal(kept.train_s(1), [])
    np.testing.assert_array_equal(kept.train_s(2), [3.0])
    assert kept.resolution_s == 0.25


def test_a_unit_keeps_spikes_only_where_it_was_observed(spikes):
    halves = np.array([[0.0, 2.0], [2.0, 8.0]])
    kept = spikes.within(halves, np.array([[True, False], [True, True], [False, True]]))
    np.testing.assert_array_equal(kept.train_s(0), [0.5, 1.0, 1.0])
    np.testing.assert_array_equal(kept.train_s(2), [3.0])


def test_where_nothing_is_left_out_nothing_is_copied(spikes):
    assert spikes.within(np.array([[0.0, 1.5], [2.0, 8.0]])) is spikes


def test_arrays_cannot_be_written_through(spikes, ramps):
    for array in (spikes.times_s, spikes.splits, spikes.train_s(0), ramps.values):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("splits", [[], [1, 3], [0, 2], [0, 4], [0, 2, 1, 3]])
def test_splits_must_cover_the_spikes(splits):
    with pytest.raises(InvalidPopulation, match=r"splits must increase from 0 to the number of spikes \(3\), got \["):
        Spikes(times_s=np.arange(3.0), splits=np.array(splits, np.int64))


def test_a_train_must_ascend():
    message = r"Spike times must be sorted within each unit; in row 2, 4\.0 s comes after 5\.0 s\."
    with pytest.raises(InvalidPopulation, match=message):
        Spikes.of([np.array([8.0, 9.0]), np.empty(0), np.array([1.0, 5.0, 4.0])])


def test_a_train_may_start_before_the_one_of_the_row_above():
    assert len(Spikes.of([np.array([8.0, 9.0]), np.array([1.0])]).times_s) == 3


@pytest.mark.parametrize("train", [[np.nan], [1.0, np.inf], [-np.inf, 1.0], [-np.inf], [np.inf]])
def test_ends_of_a_train_must_be_finite(train):
    with pytest.raises(InvalidPopulation, match=r"Spike times must be finite; some are NaN or infinite\."):
        Spikes.of([np.array([1.0]), np.array(train)])


@pytest.mark.parametrize("train", [[1.0, np.nan], [np.nan, 1.0], [1.0, np.nan, 2.0]])
def test_a_time_that_is_no_number_does_not_ascend(train):
    with pytest.raises(InvalidPopulation, match="in row 1, "):
        Spikes.of([np.array([1.0]), np.array(train)])


def test_traces_tell_their_samples(ramps):
    assert len(ramps) == 2
    assert ramps.resolution_s == 0.1
    np.testing.assert_array_equal(ramps.select(np.array([1])).values, ramps.values[1:])
    assert ramps.select(np.array([1])).kind == "fluorescence"


def test_traces_within_intervals_run_from_the_first_to_the_last(ramps):
    kept = ramps.within(np.array([[101.0, 101.25], [102.0, 103.0]]))
    np.testing.assert_array_equal(kept.values[0], np.arange(10, 30))
    assert kept.start_s == 101.0
    assert kept.rate_hz == 10.0


def test_a_sample_on_the_stop_of_an_interval_lies_outside(ramps):
    np.testing.assert_array_equal(ramps.within(np.array([[100.0, 100.2]])).values[0], [0, 1])
    np.testing.assert_array_equal(ramps.within(np.array([[100.05, 100.25]])).values[0], [1, 2])


@pytest.mark.parametrize("intervals", [np.empty((0, 2)), [[0.0, 50.0]], [[200.0, 300.0]]])
def test_traces_outside_their_time_have_no_samples(ramps, intervals):
    assert ramps.within(np.array(intervals)).values.shape == (2, 0)


def test_traces_over_all_time_are_whole(ramps):
    np.testing.assert_array_equal(ramps.within(np.array([[-1e9, 1e9]])).values, ramps.values)


@pytest.mark.parametrize("rate_hz", [0.0, -30.0, np.inf, np.nan])
def test_a_rate_must_be_positive(rate_hz):
    with pytest.raises(InvalidPopulation, match=r"rate_hz must be positive and finite, got "):
        Traces(values=np.zeros((1, 3), np.float32), rate_hz=rate_hz)


@pytest.mark.parametrize("start_s", [np.inf, np.nan])
def test_a_start_must_be_finite(start_s):
    with pytest.raises(InvalidPopulation, match=r"start_s must be finite, got "):
        Traces(values=np.zeros((1, 3), np.float32), rate_hz=30.0, start_s=start_s)
