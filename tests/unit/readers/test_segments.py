import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.errors import InvalidSource, NeuridWarning, UnreadableSource
from nwb_neurid.readers import trains as trains_module
from nwb_neurid.readers.segments import GAP_S, Segment, population_of
from nwb_neurid.readers.trains import LATEST_S


def segment(trains, observed=None):
    return Segment(
        times=np.concatenate([np.asarray(train, float) for train in trains]),
        rows=np.repeat(np.arange(len(trains)), [len(train) for train in trains]),
        observed_s=None if observed is None else np.array(observed, float).reshape(-1, 2),
    )


def population(*segments, units=2):
    return population_of(segments, source="a source", unit_ids=np.arange(units))


def trains(read):
    return [read.spikes.train_s(unit).tolist() for unit in range(len(read))]


def test_spikes_go_to_their_units_in_the_order_of_time():
    spikes = Segment(
        times=np.array([0.1, 0.2, 0.3, 0.4]), rows=np.array([1, 0, 1, 0]), observed_s=np.array([[0.0, 1.0]])
    )
    assert trains(population(spikes)) == [[0.2, 0.4], [0.1, 0.3]]


@given(seed=st.integers(0, 50), at_once=st.integers(1, 40))
def test_spikes_that_are_moved_in_blocks_go_where_they_would_at_once(seed, at_once):
    rng = np.random.default_rng(seed)
    made = [
        Segment(times=np.sort(rng.uniform(0, 9, 100)), rows=rng.integers(0, 5, 100), observed_s=np.array([[0.0, 9.0]]))
        for _ in range(2)
    ]
    whole = population(*made, units=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trains_module, "SPIKES_AT_ONCE", at_once)
        patch.setattr(trains_module, "PER_UNIT_AT_ONCE", 1)
        blocks = population(*made, units=6)
    np.testing.assert_array_equal(blocks.spikes.times_s, whole.spikes.times_s)
    np.testing.assert_array_equal(blocks.spikes.splits, whole.spikes.splits)


def test_segments_of_one_clock_keep_their_times():
    read = population(segment([[1], [2]], [0, 5]), segment([[11], []], [10, 15]))
    assert trains(read) == [[1, 11], [2]]
    assert read.observed_s.tolist() == [[0, 5], [10, 15]]


def test_segments_of_one_clock_may_come_in_any_order():
    read = population(segment([[11], []], [10, 15]), segment([[1], [2]], [0, 5]))
    assert trains(read) == [[1, 11], [2]]
    assert read.observed_s.tolist() == [[0, 5], [10, 15]]


def test_where_the_clock_starts_anew_segments_are_laid_one_after_another():
    read = population(segment([[1], [2]], [0, 5]), segment([[1], []], [0, 4]), segment([[], [3]], [2, 3.5]))
    second, third = 5 + GAP_S, 5 + GAP_S + 4 + GAP_S
    assert trains(read) == [[1, 1 + second], [2, third + 1]]
    np.testing.assert_allclose(read.observed_s, [[0, 5], [second, second + 4], [third, third + 1.5]])


def test_laid_segments_start_where_the_first_did():
    read = population(segment([[101], [102]], [100, 105]), segment([[101], []], [100, 104]))
    assert read.observed_s[0].tolist() == [100, 105]


def test_no_interval_crosses_from_one_segment_into_the_next():
    read = population(segment([[1, 2], []], [0, 5]), segment([[1, 2], []], [0, 5]))
    assert read.intervals_s(0).tolist() == [1, 1]


def test_segments_that_touch_on_one_clock_are_one_run():
    read = population(segment([[4], []], [0, 5]), segment([[6], []], [5 - 1e-12, 10]))
    assert read.intervals_s(0).tolist() == [2]


def test_segments_of_one_spike_each_are_laid_too():
    with pytest.warns(NeuridWarning, match="does not state"):
        read = population(segment([[0], []]), segment([[0], []]))
    np.testing.assert_allclose(trains(read)[0], [0, GAP_S], atol=1e-5)


def test_what_lies_within_the_edge_of_the_segment_before_is_left_out():
    first, second = [[0, 5 + 3e-6], [0, 5]], [[5, 10], [5 + 2e-6, 10]]
    read = population(segment([[4], [4]], first), segment([[6], [6]], second))
    np.testing.assert_allclose(read.observed_s, [[0, 5], [5, 5], [5, 10]], atol=1e-5)
    assert read.intervals_s(0).tolist() == [2]


def test_units_are_observed_in_their_own_time():
    read = population(segment([[1], [3]], [[0, 10], [2, 10]]), segment([[21], []], [[20, 30], [np.nan, np.nan]]))
    assert read.observed_s.tolist() == [[0, 2], [2, 10], [20, 30]]
    assert read.unit_observed.tolist() == [[True, True, True], [False, True, False]]
    assert read.unit_duration_s().tolist() == [20, 8]


def test_units_observed_alike_need_no_table_of_it():
    assert population(segment([[1], [3]], [[0, 10], [0, 10]])).unit_observed is None


def test_a_segment_without_time_is_left_out():
    read = population(segment([[1], []], [0, 5]), segment([[], []], [0, 0]), segment([[], []]))
    assert read.observed_s.tolist() == [[0, 5]]


def test_where_no_duration_is_told_it_is_that_of_the_spikes():
    with pytest.warns(NeuridWarning, match=r"^a source does not state .* to the last \(0.5 to 4 s\)\.$"):
        read = population(segment([[4], [0.5]]))
    np.testing.assert_allclose(read.observed_s, [[0.5, 4]], atol=1e-5)
    assert trains(read) == [[4], [0.5]]


def test_of_several_segments_without_a_duration_that_is_told_once():
    with pytest.warns(NeuridWarning, match="last of each of 2 segments") as told:
        population(segment([[4], [0.5]]), segment([[4], [0.5]]))
    assert len(told) == 1


def test_the_clock_starts_anew_even_where_spikes_do_not_overlap():
    with pytest.warns(NeuridWarning, match="does not state"):
        read = population(segment([[4, 5], []]), segment([[1], []]))
    np.testing.assert_allclose(trains(read)[0], [4, 5, 5 + GAP_S + 1], atol=1e-5)
    np.testing.assert_allclose(read.observed_s, [[4, 5], [5 + GAP_S + 1] * 2], atol=1e-5)


def test_spikes_are_sorted_with_a_warning():
    with pytest.warns(NeuridWarning, match="^a source: spike times were not in ascending order in 1 of 2 units"):
        read = population(segment([[1, 2], [3, 1, 2]], [0, 5]))
    assert trains(read) == [[1, 2], [1, 2, 3]]


def test_spikes_outside_observed_time_are_told_of():
    with pytest.warns(NeuridWarning, match="^a source: 2 of 4 spikes lie outside observed time and are left out"):
        read = population(segment([[1, 7], [-1, 3]], [0, 5]))
    assert trains(read) == [[1], [3]]


def test_the_resolution_is_that_of_the_source():
    read = population_of(
        [segment([[1]], [0, 5])], source="a source", unit_ids=np.arange(1), resolution_s=0.01, session_id="day 1"
    )
    assert (read.activity.resolution_s, read.session_id, read.source) == (0.01, "day 1", "a source")


@pytest.mark.parametrize(
    ("segments", "units", "error", "message"),
    [
        ([], 0, UnreadableSource, "a source has no units"),
        ([segment([[], []], [0, 5])], 2, UnreadableSource, "a source has 2 units but no spikes"),
        ([segment([[1], []], [5, 5])], 2, UnreadableSource, "a source has spikes but no observed time"),
        ([segment([[1], []], [5, 6])], 2, UnreadableSource, "none of its 1 spikes lies in observed time .5 to 6 s."),
        ([segment([[1], [2, np.nan]], [0, 5])], 2, InvalidSource, "1 of 3 are not, the first of unit 1: nan s"),
        ([segment([[np.inf], []], [0, 5])], 2, InvalidSource, "the first of unit 0: inf s"),
        ([segment([[-LATEST_S], []], [0, 5])], 2, InvalidSource, "spike times must be finite seconds"),
        ([segment([[1], []], [0, np.inf])], 2, InvalidSource, "start and stop times must be finite seconds"),
        ([segment([[1], []], [0, np.inf])] * 3, 2, InvalidSource, "start and stop times must be finite seconds"),
        ([segment([[1], []], [0, LATEST_S / 2])] * 3, 2, InvalidSource, "start and stop times must be finite seconds"),
    ],
)
def test_what_is_no_recording_is_refused(segments, units, error, message):
    with pytest.raises(error, match=message):
        population(*segments, units=units)


@given(
    starts=st.lists(st.floats(-100, 100), min_size=1, max_size=5),
    lengths=st.lists(st.floats(0.5, 50), min_size=5, max_size=5),
    seed=st.integers(0, 100),
)
def test_laying_keeps_every_spike_interval_and_second(starts, lengths, seed):
    rng = np.random.default_rng(seed)
    spikes = [np.sort(rng.uniform(0.01, length - 0.01, 20)) for _, length in zip(starts, lengths, strict=False)]
    segments = [
        segment([start + own[::2], start + own[1::2]], [start, start + length])
        for start, length, own in zip(starts, lengths, spikes, strict=False)
    ]
    read = population(*segments)
    assert read.duration_s == pytest.approx(sum(lengths[: len(starts)]))
    assert len(read.spikes.times_s) == 20 * len(starts)
    if len(read.runs_s()) == len(starts):
        within = np.sort(np.concatenate([np.diff(own[::2]) for own in spikes]))
        np.testing.assert_allclose(np.sort(read.intervals_s(0)), within, atol=1e-9)
