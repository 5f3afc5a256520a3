"""What spike times contradict is not believed; what they may be, is."""

import numpy as np
import pytest

from nwb_neurid.activity import Spikes
from nwb_neurid.errors import InvalidSource, NeuridWarning
from nwb_neurid.readers.clock import check_one_clock, check_resolution, check_seconds


def poisson(seed=0, units=4, rate_hz=5.0, duration_s=200.0):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0, duration_s, rng.poisson(rate_hz * duration_s))) for _ in range(units)]


@pytest.mark.parametrize("stated_s", [30_000.0, 30.0, 1.0, 0.1, 0.02, 0.005])
def test_a_resolution_that_spikes_are_finer_than_is_not_believed(stated_s):
    with pytest.warns(
        NeuridWarning, match=rf"^the times: the source states a resolution of {stated_s:g} s, but \d+ of"
    ):
        assert check_resolution(Spikes.of(poisson()), stated_s, "the times") == 0.0


def test_a_resolution_that_is_a_rate_is_said_to_be_one():
    with pytest.warns(
        NeuridWarning,
        match=r"the stated resolution is ignored\. If that number is the sampling rate, the "
        r"resolution is 1/30000 s\.$",
    ):
        check_resolution(Spikes.of(poisson()), 30_000.0, "the times")


@pytest.mark.parametrize("stated_s", [0.0, 1 / 30_000, 1e-9, 0.001, 0.01])
def test_a_resolution_that_can_be_is_believed(stated_s):
    step = max(stated_s, 1 / 30_000)
    trains = [np.round(train / step) * step for train in poisson()]
    assert check_resolution(Spikes.of(trains), stated_s, "the times") == stated_s


def test_without_intervals_any_resolution_can_be():
    assert check_resolution(Spikes.of([np.array([1.0]), np.empty(0)]), 30.0, "the times") == 30.0


@pytest.mark.parametrize("rate_hz", [0.02, 0.5, 5.0, 80.0])
def test_seconds_are_seconds(rate_hz):
    check_seconds(Spikes.of(poisson(rate_hz=rate_hz, duration_s=2000 / rate_hz)), "the times", "divide them")


@pytest.mark.parametrize("per_second", [1000.0, 30_000.0, 1e6])
def test_other_units_of_time_are_told(per_second):
    trains = [np.sort(train)[np.diff(np.sort(train), prepend=-1) > 0.001] * per_second for train in poisson()]
    with pytest.warns(
        NeuridWarning,
        match=r"^the times are probably not in seconds: nearly all of \d+ .*, divide "
        r"them\.$",
    ):
        check_seconds(Spikes.of(trains), "the times", "divide them")


def test_samples_are_told_though_they_are_stored_as_floats():
    trains = [np.unique(np.round(train * 30_000)) for train in poisson()]
    with pytest.warns(NeuridWarning, match=r"^the times are whole numbers: if they count samples, divide them\.$"):
        check_seconds(Spikes.of(trains), "the times", "divide them")


def test_a_few_whole_numbers_may_be_seconds():
    check_seconds(Spikes.of([np.arange(10.0), np.arange(9.0)]), "the times", "divide them")


def splits_of(trains):
    return np.cumsum([0, *map(len, trains)])


def sessions(lengths_s, **parts):
    """Each unit's spikes of several sessions, one behind the other on a clock that starts again."""
    made = [poisson(seed=number, duration_s=length, **parts) for number, length in enumerate(lengths_s)]
    return [np.concatenate(own) for own in zip(*made, strict=True)]


@pytest.mark.parametrize("lengths_s", [(100.0, 100.0), (50.0, 300.0), (300.0, 50.0), (100.0,) * 5, (3.0,) * 40])
@pytest.mark.parametrize("start_s", [0.0, 1000.0])
def test_a_clock_that_starts_again_is_refused(lengths_s, start_s):
    trains = [train + start_s for train in sessions(lengths_s)]
    with pytest.raises(InvalidSource, match=r"^the times jump back within 4 of 4 units, as if sessions or trials"):
        check_one_clock(np.concatenate(trains), splits_of(trains), "the times")


def shuffled(trains):
    rng = np.random.default_rng(0)
    return [rng.permutation(train) for train in trains]


def swapped(trains):
    """Neighbours here and there in the wrong order."""
    for train in trains:
        train[10:-1:20], train[11::20][: len(train[10:-1:20])] = (
            train[11::20][: len(train[10:-1:20])].copy(),
            train[10:-1:20].copy(),
        )
    return trains


@pytest.mark.parametrize(
    "change",
    [
        lambda trains: trains,
        shuffled,
        swapped,
        lambda trains: [train[::-1] for train in trains],
        lambda trains: [np.concatenate(sessions((100.0, 100.0), units=1)), *trains[1:]],
        lambda _: [np.array([9.75, 0.25]), np.array([4.0])],
        lambda _: [np.empty(0)],
        lambda _: [],
    ],
    ids=["sorted", "shuffled", "neighbours swapped", "backwards", "one unit alone", "two spikes", "silent", "none"],
)
def test_times_in_no_order_are_one_clock(change):
    trains = change(poisson())
    check_one_clock(np.concatenate([np.empty(0), *trains]), splits_of(trains), "the times")
