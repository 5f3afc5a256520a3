"""Samples on a grid of time: by rate, or by timestamps with gaps and jitter; what fits no grid is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.errors import InvalidSource
from nwb_neurid.intervals import EDGE_S, find_intervals
from nwb_neurid.readers.grid import Grid, fit_grid
from nwb_neurid.readers.nwb.series import read_grid

PLACE = "acquisition/series"


@pytest.fixture
def series(opening):
    """Makes a series that says when its samples were taken."""
    return lambda **contents: opening({f"{PLACE}/{name}": value for name, value in contents.items()}).group(PLACE)


def refusal(group, samples):
    with pytest.raises(InvalidSource) as refused:
        read_grid(group, samples)
    return str(refused.value)


def test_by_rate(series):
    grid = read_grid(series(starting_time=2.0, **{"starting_time@rate": 10.0}), 30)
    assert (grid.rate_hz, grid.start_s, grid.places) == (10, 2, 30)
    assert grid.observed_s().tolist() == [[2, 5]]
    assert grid.first(10).observed_s().tolist() == [[2, 3]]


@pytest.mark.parametrize(
    "contents",
    [
        {},
        {"starting_time": 1.0},
        {"starting_time": 1.0, "starting_time@rate": 0.0},
        {"starting_time": 1.0, "starting_time@rate": -1.0},
        {"starting_time": 1.0, "starting_time@rate": np.inf},
        {"starting_time": 1.0, "starting_time@rate": 1e-12},
        {"starting_time": np.nan, "starting_time@rate": 1.0},
        {"starting_time": [1.0, 2.0], "starting_time@rate": 1.0},
    ],
)
def test_a_series_that_does_not_say_is_refused(series, contents):
    group = series(data=[0.0], **contents)
    assert refusal(group, 4) == (
        f"{group.where} must have a timestamp for each sample, or a starting_time with a rate. Validate the file."
    )


def test_timestamps_come_before_a_rate(series):
    group = series(timestamps=5 + np.arange(10) / 4, starting_time=1.0, **{"starting_time@rate": 10.0})
    assert read_grid(group, 10).observed_s().tolist() == [[5, 7.5]]


@pytest.mark.parametrize("count", [9, 11])
def test_as_many_timestamps_as_samples(series, count):
    group = series(timestamps=np.arange(count))
    assert refusal(group, 10) == (
        f"{group.where}/timestamps must have one time for each of 10 samples, but has {count}. Validate the file."
    )


@pytest.mark.parametrize("times", [[1.0], [1.0, 1.0], [2.0, 1.0], [1.0, np.nan, 2.0], [0.0, np.inf], [0.0, 1e12]])
def test_timestamps_that_do_not_ascend_are_refused(series, times):
    group = series(timestamps=times)
    assert refusal(group, len(times)) == (
        f"{group.where}/timestamps must be two or more times in seconds, in ascending order. Validate the file."
    )


def test_gaps_become_gaps(series):
    times = np.r_[np.arange(0, 50), np.arange(80, 100), np.arange(101, 150)] / 10 + 3
    grid = read_grid(series(timestamps=times), len(times))
    np.testing.assert_allclose(grid.observed_s(), [[3, 8], [11, 13], [13.1, 18]])
    assert grid.rate_hz == pytest.approx(10)
    assert grid.place.tolist() == [*range(50), *range(80, 100), *range(101, 150)]


def test_a_gap_off_the_grid_ends_at_the_nearest_place(series):
    times = np.r_[np.arange(40), 60.4 + np.arange(40)] / 10
    grid = read_grid(series(timestamps=times), 80)
    assert grid.place[40] == 60


@given(
    rate_hz=st.sampled_from([1.0, 6.3, 30.0, 155.0]),
    runs=st.lists(st.tuples(st.integers(20, 60), st.floats(0, 40)), min_size=1, max_size=5),
    jitter=st.floats(0, 0.1),
    seed=st.integers(0, 99),
)
def test_every_sample_lies_within_a_step_of_its_place(rate_hz, runs, jitter, seed):
    rng = np.random.default_rng(seed)
    times, now = [], 0.0
    for count, gap in runs:
        times.append(now + np.arange(count) / rate_hz)
        now = times[-1][-1] + (1 + (gap + 1 if gap > 1 else 0)) / rate_hz
    times = np.concatenate(times)
    times = times + rng.uniform(-jitter, jitter, len(times)) / rate_hz
    grid = fit_grid(times, "a series")
    at = grid.start_s + grid.place / grid.rate_hz
    assert np.all(np.diff(grid.place) >= 1)
    assert np.abs(at - times).max() < 1.3 / rate_hz
    assert np.all(find_intervals(at, grid.observed_s()) >= 0)
    assert np.diff(grid.observed_s()).sum() * grid.rate_hz == pytest.approx(len(times))
    assert np.all(np.diff(grid.observed_s()) > EDGE_S)


def test_a_clock_that_drifts_a_little_is_followed(series):
    times = np.cumsum(np.linspace(0.99, 1.01, 2000)) / 30
    grid = read_grid(series(timestamps=times), 2000)
    assert grid.places == 2000


@pytest.mark.parametrize(
    ("times", "fault"),
    [
        (
            np.cumsum(np.random.default_rng(0).exponential(size=400)),
            "are irregular: over 5% of the steps differ by over 25% from the usual",
        ),
        (
            np.concatenate([100 * trial + np.arange(3) for trial in range(50)]),
            "are irregular: 49 of 149 steps are gaps, longer than 1.5 times the usual 1 s. Resample the series in the "
            "file to one rate.",
        ),
        (
            np.r_[np.arange(100), 5000 + np.arange(100)],
            "have gaps of 4900 s in total around only 200 s of samples, too much to fill. Split the series in the "
            "file.",
        ),
        (
            np.cumsum(np.r_[np.full(500, 0.1), np.full(500, 0.12)]),
            "are irregular: they drift by",
        ),
    ],
    ids=["random", "short trials", "long gap", "two rates"],
)
def test_what_fits_no_grid_is_refused(series, times, fault):
    group = series(timestamps=times)
    told = refusal(group, len(times))
    assert told.startswith(f"{group.where}/timestamps {fault}")
    assert told.endswith("in the file to one rate.") or told.endswith("in the file.")


def test_grids_agree_as_far_as_both_have_samples():
    grid = Grid(rate_hz=10.0, start_s=0.0, place=np.arange(100))
    assert grid.agrees(grid.first(50))
    assert grid.first(50).agrees(grid)
    assert not grid.agrees(Grid(rate_hz=10.0, start_s=0.1, place=grid.place))
    assert not grid.agrees(Grid(rate_hz=10.2, start_s=0.0, place=grid.place))
    assert not grid.agrees(Grid(rate_hz=10.0, start_s=0.0, place=grid.place * 2))
