"""Windows: equal, disjoint and from observed time alone; who was not observed is absent, which is not silent."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population, Spikes, Traces
from nwb_neurid.testing import mock_population
from nwb_neurid.training import WindowOptions, cut_windows

SECOND = WindowOptions(bin_s=0.1, token_bins=5, tokens=2)  # windows of 1 s, tokens of half a second


def counting(observed_s, bin_s=0.1, start_s=0.0):
    """One neuron that fires k + 1 spikes in bin k of the time from `start_s` to the end."""
    observed_s = np.array(observed_s, float) + start_s
    bins = round((observed_s[-1, 1] - start_s) / bin_s)
    train = [start_s + (bin_ + place / (bin_ + 2)) * bin_s for bin_ in range(bins) for place in range(bin_ + 1)]
    return Population(unit_ids=np.zeros(1, int), activity=Spikes.of([np.array(train)]), observed_s=observed_s)


def contents(windows):
    """What each window shows, shape (windows, units, bins)."""
    return np.array([windows.values[:, first : first + windows.bins] for first in windows.first])


def imaged(values, rate_hz, observed_s=None, **parts):
    values = np.asarray(values, np.float32)
    whole = [[0.0, values.shape[1] / rate_hz]]
    return Population(
        unit_ids=np.arange(len(values)),
        activity=Traces(values=values, rate_hz=rate_hz),
        observed_s=np.array(whole if observed_s is None else observed_s, float),
        **parts,
    )


def test_windows_follow_one_another(make_population):
    windows = cut_windows(make_population(duration_s=10.5), SECOND)
    np.testing.assert_array_equal(windows.first, np.arange(0, 100, 10))
    assert windows.bins == SECOND.bins == 10
    assert SECOND.window_s == 1.0
    assert len(windows) == 10
    assert not windows.stitched


def test_windows_start_anew_after_a_gap():
    windows = cut_windows(counting([[0, 2.3], [3, 5.0]]), SECOND)
    begins = contents(windows)[:, 0, 0] - 1
    np.testing.assert_array_equal(begins, [0, 10, 30, 40])
    np.testing.assert_array_equal(np.diff(contents(windows)[:, 0].astype(int)), 1)
    assert not windows.stitched


@pytest.mark.parametrize("start_s", [0.0, -3.7, 1e6 + 1 / 3])
def test_short_trials_are_stitched_from_whole_tokens(start_s):
    trials = [[0, 0.7], [2, 2.6], [4, 4.8], [6, 6.3], [8, 8.5]]
    windows = cut_windows(counting(trials, start_s=start_s), SECOND)
    tokens = contents(windows).reshape(-1, 5).astype(int) - 1
    np.testing.assert_array_equal(tokens[:, 0], [0, 20, 40, 80])
    np.testing.assert_array_equal(np.diff(tokens), 1)
    assert windows.stitched


def test_trials_shorter_than_a_token_are_stitched_from_whole_bins():
    trials = [[first, first + 0.35] for first in range(0, 8, 2)]
    windows = cut_windows(counting(trials), SECOND)
    shown = contents(windows)[:, 0].astype(int) - 1
    np.testing.assert_array_equal(shown, [[0, 1, 2, 20, 21, 22, 40, 41, 42, 60]])
    assert windows.stitched


def test_a_few_short_runs_among_long_ones_are_left_out():
    windows = cut_windows(counting([[0, 3], [4, 4.5], [5, 5.5], [6, 6.5]]), SECOND)
    np.testing.assert_array_equal(contents(windows)[:, 0, 0] - 1, [0, 10, 20])
    assert not windows.stitched


@pytest.mark.parametrize("observed_s", [[[0, 0.95]], [[0, 0.4], [1, 1.4]], [[0, 0.9], [1, 1.4]], [[0, 0.05]]])
def test_too_little_time_has_no_windows(observed_s):
    windows = cut_windows(counting(observed_s), SECOND)
    assert len(windows) == 0
    assert windows.active.shape == (0, 1)
    assert not windows.stitched or observed_s[0][1] == 0.9


def test_no_observed_time_has_no_windows(make_population):
    assert len(cut_windows(make_population().slice(90.0, 99.0), SECOND)) == 0


def test_a_unit_is_absent_where_it_was_not_observed_throughout(make_population):
    population = make_population(units=3, duration_s=4.0, rate_hz=200.0, absences={1: [(1.5, 2.0)], 2: [(0.0, 4.0)]})
    windows = cut_windows(population, SECOND)
    np.testing.assert_array_equal(
        windows.active, [[True, True, False], [True, False, False], [True, True, False], [True, True, False]]
    )


def test_an_absence_within_one_bin_is_an_absence(make_population):
    population = make_population(units=2, duration_s=3.0, rate_hz=200.0, absences={1: [(1.22, 1.26)]})
    np.testing.assert_array_equal(cut_windows(population, SECOND).active[:, 1], [True, False, True])


def test_an_absence_in_the_part_that_stitching_leaves_out_is_none(make_population):
    population = make_population(
        units=2, duration_s=2.7, rate_hz=200.0, gaps=[(0.7, 2.0)], absences={1: [(0.55, 0.7), (2.6, 2.7)]}
    )
    windows = cut_windows(population, SECOND)
    assert windows.stitched
    np.testing.assert_array_equal(windows.active, [[True, True]])


@pytest.mark.parametrize("start_s", [0.0, 1e9 + 0.1])
def test_an_absence_that_touches_a_window_is_none_in_it(make_population, start_s):
    population = make_population(units=2, duration_s=3.0, rate_hz=200.0, absences={1: [(1.0, 2.0)]}, start_s=start_s)
    np.testing.assert_array_equal(cut_windows(population, SECOND).active[:, 1], [True, False, True])


def test_a_silent_unit_is_not_active():
    trains = [np.array([0.5, 1.5]), np.array([1.5]), np.empty(0)]
    population = Population(unit_ids=np.arange(3), activity=Spikes.of(trains), observed_s=np.array([[0.0, 2.0]]))
    np.testing.assert_array_equal(cut_windows(population, SECOND).active, [[True, False, False], [True, True, False]])


def test_samples_are_taken_as_they_are():
    values = np.random.default_rng(0).normal(size=(3, 57)).astype(np.float32)
    windows = cut_windows(imaged(values, 10.0), SECOND)
    np.testing.assert_array_equal(contents(windows), values[:, :50].reshape(3, 5, 10).transpose(1, 0, 2))
    assert windows.active.all()
    assert windows.notes == ()


def test_samples_outside_observed_time_are_left_out():
    values = np.tile(np.arange(60, dtype=np.float32), (2, 1))
    windows = cut_windows(imaged(values, 10.0, observed_s=[[0.35, 2.48], [3.0, 5.0]]), SECOND)
    np.testing.assert_array_equal(contents(windows)[:, 0, 0], [4, 14, 30, 40])


def test_traces_that_are_constant_or_hold_gaps_are_not_active():
    values = np.random.default_rng(0).normal(size=(4, 20)).astype(np.float32)
    values[1, :10] = 3.0
    values[2, 12] = np.nan
    values[3] = np.nan
    active = cut_windows(imaged(values, 10.0), SECOND).active
    np.testing.assert_array_equal(active, [[True, False, True, False], [True, True, False, False]])


def test_traces_of_units_that_were_not_observed_are_absent():
    values = np.random.default_rng(0).normal(size=(2, 30)).astype(np.float32)
    seen = np.array([[True, True, True], [True, False, True]])
    population = imaged(values, 10.0, observed_s=[[0, 1.2], [1.2, 1.4], [1.4, 3]], unit_observed=seen)
    np.testing.assert_array_equal(cut_windows(population, SECOND).active[:, 1], [True, False, True])


def test_traces_are_divided_by_a_quantile_of_all_samples():
    values = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
    values[0, 5] = np.nan
    windows = cut_windows(imaged(values, 10.0), replace(SECOND, scale_quantile=0.75))
    np.testing.assert_allclose(windows.values, values / np.nanquantile(values, 0.75), rtol=1e-6)
    assert windows.values.dtype == np.float32


@pytest.mark.parametrize("values", [np.full((2, 20), np.nan), np.zeros((2, 20)), -np.ones((2, 20)), np.ones((0, 20))])
def test_traces_without_a_scale_are_left(values):
    windows = cut_windows(imaged(values, 10.0), replace(SECOND, scale_quantile=0.9))
    np.testing.assert_array_equal(windows.values, values.astype(np.float32))


def test_the_traces_of_the_population_stay_as_they_are():
    population = imaged(np.arange(40).reshape(2, 20), 10.0)
    before = population.activity.values.copy()
    cut_windows(population, replace(SECOND, scale_quantile=0.5))
    np.testing.assert_array_equal(population.activity.values, before)


@pytest.mark.parametrize("rate_hz", [10.0, 10.15, 9.85])
def test_frame_rates_of_nearly_the_wanted_are_taken_as_it(rate_hz):
    values = np.random.default_rng(0).normal(size=(1, 40)).astype(np.float32)
    windows = cut_windows(imaged(values, rate_hz), SECOND)
    np.testing.assert_array_equal(windows.values, values)
    assert windows.notes == ()


@pytest.mark.parametrize("rate_hz", [25.0, 40.0, 4.0, 30.98])
def test_other_frame_rates_are_resampled_and_said_so(rate_hz):
    seconds = np.arange(0, 60, 1 / rate_hz)
    windows = cut_windows(imaged(np.sin(2 * np.pi * 0.5 * seconds)[None], rate_hz), SECOND)
    expected = np.sin(2 * np.pi * 0.5 * np.arange(windows.values.shape[1]) / 10)
    np.testing.assert_allclose(windows.values[0, 20:-20], expected[20:-20], atol=0.05)
    assert abs(windows.values.shape[1] - 600) <= 1
    assert windows.notes == (f"Traces were resampled from {rate_hz:g} to 10 Hz.",)


def test_what_is_too_fast_for_the_new_rate_is_removed_and_not_folded_down():
    seconds = np.arange(0, 60, 1 / 50)
    windows = cut_windows(imaged(np.sin(2 * np.pi * 9.0 * seconds)[None], 50.0), SECOND)
    assert np.abs(windows.values[0, 20:-20]).max() < 0.01


def test_a_lost_frame_spoils_its_surroundings_alone():
    values = np.random.default_rng(0).normal(size=(1, 1200)).astype(np.float32)
    values[0, [0, 600]] = np.nan
    active = cut_windows(imaged(values, 40.0), SECOND).active[:, 0]
    assert not active[[0, 15]].any()
    assert active[2:13].all()
    assert active[17:28].all()


@pytest.mark.parametrize(("rate_hz", "around"), [(40.0, 0), (4.0, 3)])
def test_what_is_missing_stays_missing_and_spreads_to_nothing_else(rate_hz, around):
    seconds = np.arange(0, 60, 1 / rate_hz)
    sine = np.sin(2 * np.pi * 0.5 * seconds)
    values = np.stack([sine, sine, np.full(len(sine), np.nan)]).astype(np.float32)
    gap = (seconds >= 20) & (seconds < 25)
    values[0, gap] = np.nan
    values[0, 0] = np.nan
    found = cut_windows(imaged(values, rate_hz), SECOND).values
    assert np.isnan(found[2]).all()
    assert not np.isnan(found[1]).any()
    lost = np.flatnonzero(np.isnan(found[0]))
    assert lost[0] == 0
    in_gap = np.arange(200, 250)
    assert set(in_gap[: -around or None]) <= set(lost) <= {0, 1, 2, *range(200 - around, 250 + around)}
    far = np.r_[20:180, 270:580]
    np.testing.assert_allclose(found[0, far], np.sin(np.pi * far / 10), atol=0.05)


@pytest.mark.parametrize("name", ["bin_s", "token_bins", "tokens"])
@pytest.mark.parametrize("value", [0, -1])
def test_lengths_must_be_positive(name, value):
    value = float(value) if name == "bin_s" else value
    with pytest.raises(InvalidOption, match=rf"{name} must be positive, got {value}\."):
        replace(SECOND, **{name: value})


def test_what_lies_in_a_gap_never_reaches_the_samples_beside_it():
    options = WindowOptions(bin_s=0.1, token_bins=5, tokens=2)
    quiet, loud = (mock_population("dff", gap=(20.0, 9.0), in_gap=seed, duration_s=60.0) for seed in (0, 1))
    longer = mock_population("dff", gap=(20.0, 23.0), duration_s=60.0)
    expected = cut_windows(quiet, options)
    assert expected.notes == ("Traces were resampled from 30 to 10 Hz.",)
    for other in (cut_windows(loud, options), cut_windows(longer, options)):
        np.testing.assert_array_equal(other.values, expected.values)
        np.testing.assert_array_equal(other.first, expected.first)


def test_a_recording_without_a_whole_window_is_one_window_of_what_it_holds():
    short = WindowOptions(bin_s=0.5, token_bins=2, tokens=20, fewest_tokens=5)
    population = mock_population("dff", rate_hz=2.0, duration_s=7.5)
    windows = cut_windows(population, short)
    assert len(windows) == 1
    assert windows.bins == 14  # 7 whole tokens of the 15 samples
    assert windows.notes == ("The recording is too short for a window of 20 s, so a single window of 7 s was used.",)
    assert not windows.stitched
    assert len(cut_windows(population, replace(short, fewest_tokens=None))) == 0
    assert len(cut_windows(mock_population("dff", rate_hz=2.0, duration_s=4.5), short)) == 0
    longer = cut_windows(mock_population("dff", rate_hz=2.0, duration_s=20.0), short)
    assert (len(longer), longer.bins, longer.notes) == (1, 40, ())


def test_a_short_window_is_stitched_where_observed_time_has_gaps():
    short = WindowOptions(bin_s=0.5, token_bins=2, tokens=20, fewest_tokens=5)
    gapped = mock_population("dff", rate_hz=2.0, duration_s=8.0, gap=(3.0, 5.0))
    windows = cut_windows(gapped, short)
    assert (len(windows), windows.bins, windows.stitched) == (1, 16, True)


def test_the_fewest_tokens_are_some_of_the_tokens():
    with pytest.raises(InvalidOption, match=r"fewest_tokens must be from 1 to 20, got 21"):
        WindowOptions(bin_s=0.5, token_bins=2, tokens=20, fewest_tokens=21)
