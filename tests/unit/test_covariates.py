"""Series: what they refuse, and what a bin of them is."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from nwb_neurid.covariates import Series
from nwb_neurid.errors import InvalidPopulation


def continuous(times_s, *channels, **parts):
    """Samples of these channels at these times."""
    values = np.array(channels, np.float32).reshape(len(channels), len(times_s)).T
    return Series(values=values, times_s=np.array(times_s, float), **parts)


def intervals(spans_s, *channels, **parts):
    """Values of these channels in intervals from a start to a stop."""
    starts, stops = np.array(spans_s, float).reshape(-1, 2).T
    return continuous(starts, *channels, stops_s=stops, kind="intervals", **parts)


def binned(series, starts_s, bin_s):
    """The bins, of the one channel if there is but one."""
    values = series.binned(np.array(starts_s, float), bin_s)
    assert values.dtype == np.float32
    return values[:, 0] if values.shape[1] == 1 else values


def test_a_bin_of_samples_is_their_mean():
    series = continuous([0, 0.1, 0.2, 0.3, 0.4], [1, 2, 3, 5, 9], [0, 0, 1, 1, 2])
    np.testing.assert_allclose(binned(series, [0, 0.2], 0.2), [[1.5, 0], [4, 1]])


def test_a_sample_just_below_an_edge_is_in_the_next_bin():
    series = continuous([0, 0.2 - 0.5e-6, 0.4 - 2e-6], [1, 2, 3])
    np.testing.assert_array_equal(binned(series, [0, 0.2, 0.4], 0.2), [1, 2.5, np.nan])


def test_where_sampling_is_coarser_bins_lie_on_the_line_between_samples():
    series = continuous([0, 1, 2], [0, 10, 0])
    np.testing.assert_allclose(binned(series, [0.3, 0.9, 1.7], 0.2), [4, 10, 2], rtol=1e-6)


def test_nothing_was_observed_in_a_gap_and_outside():
    series = continuous([0, 1, 2, 3, 7, 8], [1, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(binned(series, [-0.5, 2.25, 3.25, 6.75, 8.25], 0.1), [np.nan, 1] + [np.nan] * 3)
    dropped = continuous([0, 1, 2, 3, 6, 7, 8], [1] * 7)  # no more than three steps
    assert binned(dropped, [4.5], 0.1) == 1


def test_unknown_samples_do_not_count():
    series = continuous([0, 0.1, 0.2, 0.3], [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(binned(series, [0, 0.2], 0.2), [1, np.nan])


def test_bins_may_come_in_any_order_and_overlap():
    series = continuous(np.arange(10) / 10, np.arange(10))
    np.testing.assert_allclose(binned(series, [0.6, 0, 0.5, 0], 0.2), [6.5, 0.5, 5.5, 0.5])


def test_a_bin_of_events_is_how_many():
    licks = Series.of_events(np.array([0.0, 0.05, 0.1, 0.95]))
    np.testing.assert_array_equal(binned(licks, [-0.1, 0, 0.1, 0.2, 0.9], 0.1), [0, 2, 1, 0, 1])


def test_events_of_several_kinds_count_each_for_itself():
    series = continuous([0, 0.1, 0.1], [1, 0, 1], [0, 1, 0], kind="events", channels=("left", "right"))
    np.testing.assert_array_equal(binned(series, [0, 1], 1.0), [[2, 1], [0, 0]])


def test_a_bin_of_intervals_is_what_holds_in_its_middle():
    contrast = intervals([[0, 1], [1, 2], [3, 4]], [0.25, 0.5, 1])
    starts = [-0.5, 0.5, 0.75, 1.75, 2.25, 3.5, 4.5]
    np.testing.assert_array_equal(binned(contrast, starts, 0.5), [np.nan, 0.25, 0.5, np.nan, np.nan, 1, np.nan])


@pytest.mark.parametrize(
    "series",
    [continuous([], []), Series.of_events(np.empty(0)), intervals([], []), continuous([5], [1])],
)
def test_series_of_little_have_bins_too(series):
    expected = 0 if series.kind == "events" else np.nan
    np.testing.assert_array_equal(binned(series, [0, 1], 1.0), [expected] * 2)
    assert binned(series, [], 1.0).shape == (0,)


@pytest.mark.parametrize("bin_s", [0.0, -1.0, np.nan])
def test_a_bin_must_have_a_length(bin_s):
    with pytest.raises(InvalidPopulation, match=r"bin_s must be positive, got "):
        binned(continuous([0], [1]), [0], bin_s)


def test_it_says_what_it_is():
    assert repr(continuous([0, 1, 2], [1, 1, 1], [1, 1, 1])) == "Series(continuous, 3 rows, 2 channels)"
    assert continuous([0, 1, 2, 10], [1] * 4).step_s == 1
    assert np.isnan(continuous([0], [1]).step_s)


def test_nothing_can_be_changed():
    series = intervals([[0, 1]], [1])
    for array in (series.values, series.times_s, series.stops_s):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(FrozenInstanceError):
        series.unit = "m"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"kind": "trials"}, r"kind must be 'continuous', 'events' or 'intervals', got 'trials'\."),
        ({"kind": "intervals"}, r"Intervals must have stops_s, and other kinds must not; the kind is 'intervals'\."),
        ({"stops_s": np.ones(2)}, r"Intervals must have stops_s, and other kinds must not; the kind is 'continuous'\."),
        ({"values": np.ones(2, np.float32)}, r"values must have shape \(samples, channels\), got \(2,\)\."),
        (
            {"times_s": np.arange(3.0)},
            r"times_s must have one time for each of 2 rows of values, got shape \(3,\)\.",
        ),
        (
            {"kind": "intervals", "stops_s": np.ones(1)},
            r"stops_s must have one time for each of 2 rows of values, got shape \(1,\)\.",
        ),
        ({"channels": ("x", "y")}, r"channels must name each of 1 channels, got 2 names\."),
        ({"times_s": np.array([1.0, 0.0])}, r"times_s of a series must be finite and in ascending order\."),
        ({"times_s": np.array([0.0, np.nan])}, r"times_s of a series must be finite and in ascending order\."),
        (
            {"kind": "intervals", "stops_s": np.array([0.5, 1.0])},
            r"stops_s must be finite, each after its start and none after the next start\.",
        ),
        (
            {"kind": "intervals", "stops_s": np.array([1.5, 2.0])},
            r"stops_s must be finite, each after its start and none after the next start\.",
        ),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_parts_must_fit_together(parts, message):
    with pytest.raises(InvalidPopulation, match=message):
        Series(**{"values": np.ones((2, 1), np.float32), "times_s": np.arange(2.0), **parts})
