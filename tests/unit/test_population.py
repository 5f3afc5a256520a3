"""Populations: what belongs together, what lies in observed time, and what is counted."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from nwb_neurid.errors import CountOverflow, InvalidPopulation
from nwb_neurid.population import Population, Series, Spikes, Traces


def observed(*trains, observed_s=((0.0, 10.0),), **parts):
    """A population of these trains, in seconds."""
    return Population(
        unit_ids=np.arange(len(trains)),
        activity=Spikes.of([np.array(train, float) for train in trains]),
        observed_s=np.array(observed_s, float).reshape(-1, 2),
        **parts,
    )


@pytest.fixture
def imaged():
    """Two units of traces at 10 Hz over 5 s."""
    values = np.arange(100, dtype=np.float32).reshape(2, 50)
    return Population(
        unit_ids=np.array(["a", "b"]), activity=Traces(values=values, rate_hz=10.0), observed_s=np.array([[0.0, 5.0]])
    )


def test_spikes_outside_observed_time_are_no_part_of_it():
    population = observed([0.5, 2.5, 4.5], [2.5], observed_s=[[0, 1], [4, 5]])
    np.testing.assert_array_equal(population.spikes.train_s(0), [0.5, 4.5])
    np.testing.assert_array_equal(population.spikes.counts(), [2, 0])


def test_spikes_while_their_unit_was_not_observed_are_no_part_of_it():
    seen = np.array([[True, False], [True, True]])
    population = observed([1, 6], [1, 6], observed_s=[[0, 5], [5, 10]], unit_observed=seen)
    np.testing.assert_array_equal(population.spikes.counts(), [1, 2])
    np.testing.assert_array_equal(population.unit_duration_s(), [5, 10])
    assert population.duration_s == 10


def test_it_says_what_it_is(imaged):
    population = observed([1], [2], observed_s=[[0, 5], [5, 10], [12, 12.5]])
    assert repr(population) == "Population(2 units, spikes, 10.5 s in 2 runs)"
    assert repr(imaged) == "Population(2 units, dff, 5 s in 1 runs)"


def test_runs_are_joined_where_intervals_touch():
    seen = np.array([[True, False, True], [True, True, True], [False, False, False]])
    population = observed([], [], [], observed_s=[[0, 5], [5, 10], [12, 13]], unit_observed=seen)
    np.testing.assert_array_equal(population.runs_s(), [[0, 10], [12, 13]])
    np.testing.assert_array_equal(population.runs_s(0), [[0, 5], [12, 13]])
    np.testing.assert_array_equal(population.runs_s(1), [[0, 10], [12, 13]])
    assert population.runs_s(2).shape == (0, 2)


def test_nothing_can_be_changed():
    population = observed(
        [1],
        labels={"cell_type": np.array(["PV"])},
        group=np.array(["a"]),
        positions_um=np.zeros((1, 3), np.float32),
        waveforms_uv=np.zeros((1, 2), np.float32),
        waveform_rate_hz=1.0,
    )
    for array in (
        population.observed_s,
        population.unit_ids,
        population.group,
        population.positions_um,
        population.waveforms_uv,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(ValueError, match="read-only"):
        population.labels["cell_type"][0] = "SST"
    with pytest.raises(FrozenInstanceError):
        population.source = "elsewhere"


def test_a_selection_takes_every_part_along():
    population = observed(
        [1, 6],
        [2, 7],
        [3, 8],
        observed_s=[[0, 5], [5, 10]],
        unit_observed=np.array([[True, True], [True, False], [False, True]]),
        group=np.array(["a", "b", "c"]),
        positions_um=np.arange(9, dtype=np.float32).reshape(3, 3),
        waveforms_uv=np.arange(6, dtype=np.float32).reshape(3, 2),
        waveform_rate_hz=30_000.0,
        labels={"cell_type": np.array(["x", "y", "z"])},
        excluded={0: "noise", 2: "multi-unit"},
        source="file",
    )
    chosen = population.select(np.array([2, 1, 2]))
    np.testing.assert_array_equal(chosen.unit_ids, [2, 1, 2])
    np.testing.assert_array_equal(chosen.spikes.times_s, [8, 2, 8])
    np.testing.assert_array_equal(chosen.unit_observed, [[False, True], [True, False], [False, True]])
    np.testing.assert_array_equal(chosen.group, ["c", "b", "c"])
    np.testing.assert_array_equal(chosen.positions_um[:, 0], [6, 3, 6])
    np.testing.assert_array_equal(chosen.waveforms_uv, [[4, 5], [2, 3], [4, 5]])
    assert chosen.waveform_rate_hz == chosen.slice(0.0, 5.0).waveform_rate_hz == 30_000.0
    np.testing.assert_array_equal(chosen.labels["cell_type"], ["z", "y", "z"])
    assert chosen.excluded == {0: "multi-unit", 2: "multi-unit"}
    assert chosen.source == "file"
    masked = population.select(np.array([True, False, True]))
    np.testing.assert_array_equal(masked.unit_ids, [0, 2])
    assert masked.excluded == {0: "noise", 1: "multi-unit"}


def test_a_slice_is_the_same_units_over_less_time():
    seen = np.array([[True, False], [True, True]])
    population = observed([1, 6], [1, 6], observed_s=[[0, 5], [5, 10]], unit_observed=seen)
    part = population.slice(4.0, 8.0)
    np.testing.assert_array_equal(part.observed_s, [[4, 5], [5, 8]])
    np.testing.assert_array_equal(part.unit_observed, seen)
    np.testing.assert_array_equal(part.spikes.counts(), [0, 1])
    later = population.slice(7.0, 100.0)
    np.testing.assert_array_equal(later.observed_s, [[7, 10]])
    np.testing.assert_array_equal(later.unit_observed, seen[:, 1:])


def test_covariates_stay_whole_in_every_part():
    licks = Series.of_events(np.array([0.5, 7.5]))
    given = {"licks": licks}
    population = observed([1, 6], [1, 6], covariates=given)
    given.clear()
    parts = population, population.slice(4.0, 8.0), population.select(np.array([1])), population.slice(20.0, 30.0)
    for part in parts:
        assert list(part.covariates) == ["licks"]
        assert part.covariates["licks"] is licks


def test_a_slice_of_no_time_has_no_time():
    for part in (observed([1]).slice(20.0, 30.0), observed([1]).slice(8.0, 2.0)):
        assert part.duration_s == 0
        assert len(part.spikes.times_s) == 0
        assert len(part) == 1


def test_a_slice_of_traces_is_their_samples(imaged):
    part = imaged.slice(1.0, 2.0)
    np.testing.assert_array_equal(part.activity.values, imaged.activity.values[:, 10:20])
    assert part.activity.start_s == 1.0


def test_no_interval_crosses_a_gap():
    population = observed([1, 2, 4, 11, 12.5], observed_s=[[0, 5], [10, 15]])
    np.testing.assert_array_equal(population.intervals_s(0), [1, 2, 1.5])


def test_touching_intervals_are_no_gap():
    population = observed([1, 4, 6], observed_s=[[0, 5], [5, 10]])
    np.testing.assert_array_equal(population.intervals_s(0), [3, 2])


def test_a_unit_that_was_not_observed_in_between_has_a_gap():
    seen = np.array([[True, False, True], [True, True, True]])
    population = observed([1, 2, 9], [1, 2, 9], observed_s=[[0, 4], [4, 8], [8, 10]], unit_observed=seen)
    np.testing.assert_array_equal(population.intervals_s(0), [1])
    np.testing.assert_array_equal(population.intervals_s(1), [1, 7])


def test_units_with_few_spikes_have_no_intervals():
    population = observed([], [3])
    assert len(population.intervals_s(0)) == len(population.intervals_s(1)) == 0


def test_counts_are_those_of_whole_bins():
    population = observed([0.1, 0.2, 0.6, 2.4, 3.1], [1.0], observed_s=[[0, 2.25], [3, 4]])
    np.testing.assert_array_equal(population.binned(0.5), [[2, 1, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0]])
    np.testing.assert_array_equal(population.bin_starts_s(0.5), [0, 0.5, 1, 1.5, 3, 3.5])


def test_a_spike_just_below_an_edge_counts_in_the_next_bin():
    population = observed([0.02 - 0.5e-6, 0.04 - 2e-6], observed_s=[[0, 0.1]])
    np.testing.assert_array_equal(population.binned(0.02), [[0, 2, 0, 0, 0]])


@pytest.mark.parametrize("start_s", [0.1, 0.7, 12.3, 1e5 + 0.1])
def test_a_spike_at_the_very_start_counts_in_the_first_bin(start_s):
    population = observed([start_s - 1e-6, start_s], observed_s=[[start_s, start_s + 1]])
    counts = population.binned(0.25)
    assert counts[0, 0] == len(population.spikes.times_s)
    np.testing.assert_array_equal(counts[0, 1:], 0)


def test_time_shorter_than_a_bin_has_no_bins():
    population = observed([1.0], observed_s=[[0, 5]])
    assert population.binned(10.0).shape == (1, 0)
    assert population.bin_starts_s(10.0).shape == (0,)


def test_up_to_255_spikes_fit_in_a_bin():
    crowd = np.linspace(0, 0.9, 255)
    assert observed(crowd).binned(1.0)[0, 0] == 255
    message = (
        r"Unit 1 \(row 1\) fires 256 spikes in one bin of 1 s, at most 255 can be counted\. "
        r"Are the spike times in seconds\?"
    )
    with pytest.raises(CountOverflow, match=message):
        observed([], np.linspace(0, 0.9, 256)).binned(1.0)


@pytest.mark.parametrize("bin_s", [0.0, -1.0, np.nan])
def test_a_bin_must_have_a_length(bin_s):
    for bins in (observed([1]).binned, observed([1]).bin_starts_s):
        with pytest.raises(InvalidPopulation, match=r"bin_s must be positive, got "):
            bins(bin_s)


def test_traces_have_no_spikes(imaged):
    message = r"This needs spikes, the population has traces \(dff\)\."
    for call in (lambda: imaged.spikes, lambda: imaged.binned(0.1), lambda: imaged.intervals_s(0)):
        with pytest.raises(InvalidPopulation, match=message):
            call()


@pytest.mark.parametrize("grid_s", [1e-3, 0.01, 0.02, 1 / 60, 1 / 30.98])
@pytest.mark.parametrize("rate_hz", [1, 8, 40])
@pytest.mark.parametrize("start_s", [0.0, 1e6 + 1 / 3])
def test_times_on_a_coarse_grid_are_found_out(make_population, grid_s, rate_hz, start_s):
    population = make_population(0, 5, 400.0, rate_hz=rate_hz, sampling_hz=1 / grid_s, start_s=start_s)
    assert population.resolution_s() == pytest.approx(grid_s, rel=1e-4)


@pytest.mark.parametrize("sampling_hz", [10_000, 20_000, 24_414.0625, 30_000, 1e9])
@pytest.mark.parametrize("rate_hz", [1, 40])
def test_the_sampling_of_an_amplifier_is_no_coarse_grid(make_population, sampling_hz, rate_hz):
    assert make_population(0, 5, 400.0, rate_hz=rate_hz, sampling_hz=sampling_hz).resolution_s() == 0


def test_intervals_as_short_as_samples_are_no_coarse_grid():
    assert observed(np.arange(1, 200) * 1e-4).resolution_s() == 0


def test_spikes_spread_within_the_bins_that_they_were_counted_in_are_as_coarse_as_the_bins():
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.25, 20_000)
    spread = [bin_ * 0.01 + np.arange(count) * 0.01 / count for bin_, count in enumerate(counts) if count]
    assert observed(np.concatenate(spread), observed_s=[[0, 200]]).resolution_s() == pytest.approx(0.01)


def test_the_source_may_know_how_coarse_its_times_are(imaged):
    trains = Spikes.of([np.array([1.0, 2.0])], resolution_s=0.005)
    population = replace(observed([1]), activity=trains)
    assert population.resolution_s() == 0.005
    assert imaged.resolution_s() == 0.1
    assert observed().resolution_s() == 0
    assert observed([]).resolution_s() == 0


WAVEFORMS = {"waveforms_uv": np.zeros((2, 4), np.float32), "waveform_rate_hz": 30_000.0}


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"activity": Spikes.of([np.empty(0)])}, "activity must have one row for each of 2 units, got 1"),
        ({"group": np.array(["a"])}, "group must have one row for each of 2 units, got 1"),
        ({"unit_observed": np.ones((3, 1), bool)}, "unit_observed must have one row for each of 2 units, got 3"),
        (
            {"unit_observed": np.ones((2, 2), bool)},
            r"unit_observed must have one column for each of 1 intervals of observed_s, got shape \(2, 2\)",
        ),
        ({"positions_um": np.zeros((1, 3), np.float32)}, "positions_um must have one row for each of 2 units, got 1"),
        ({"positions_um": np.zeros((2, 2), np.float32)}, r"positions_um must have shape \(units, 3\), got \(2, 2\)"),
        (WAVEFORMS | {"waveforms_uv": np.zeros((3, 4), np.float32)}, "waveforms_uv must have one row for each of 2 u"),
        (
            WAVEFORMS | {"waveforms_uv": np.zeros(2, np.float32)},
            r"waveforms_uv must have shape \(units, samples\), got",
        ),
        (WAVEFORMS | {"waveform_rate_hz": None}, "waveforms_uv and waveform_rate_hz belong together: give both, or"),
        ({"waveform_rate_hz": 30_000.0}, "waveforms_uv and waveform_rate_hz belong together: give both, or neither"),
        (WAVEFORMS | {"waveform_rate_hz": 0.0}, r"waveform_rate_hz must be positive and finite, got 0\.0\."),
        (WAVEFORMS | {"waveform_rate_hz": np.inf}, r"waveform_rate_hz must be positive and finite, got inf\."),
        (
            {"labels": {"cell_type": np.array(["PV"] * 3)}},
            r"labels\['cell_type'\] must have one row for each of 2 units, got 3",
        ),
        ({"observed_s": np.zeros((1, 3))}, r"observed_s must have shape \(intervals, 2\), got \(1, 3\)"),
        ({"observed_s": np.zeros(2)}, r"observed_s must have shape \(intervals, 2\), got \(2,\)"),
        ({"covariates": {"licks": np.zeros(3)}}, r"covariates\['licks'\] must be a Series, got ndarray\."),
        ({"excluded": {2: "noise"}}, "excluded refers to row 2, but there are 2 units"),
        ({"excluded": {-1: "noise"}}, "excluded refers to row -1, but there are 2 units"),
        ({"excluded": {0: ""}}, "excluded must give a reason for row 0"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_parts_must_fit_together(part, message):
    with pytest.raises(InvalidPopulation, match=message):
        replace(observed([1], [2]), **part)


@pytest.mark.parametrize(
    "intervals",
    [[[1, 0]], [[1, 1]], [[1, 1 + 5e-7]], [[0, np.inf]], [[np.nan, 1]], [[0, 2], [1, 3]], [[2, 3], [0, 1]]],
)
def test_observed_time_must_be_intervals_in_order(intervals):
    message = r"observed_s must be finite intervals \[start, stop\), longer than 1 µs, ascending and disjoint\."
    with pytest.raises(InvalidPopulation, match=message):
        observed([1], observed_s=intervals)


@pytest.mark.parametrize("name", ["unit_ids", "labels"])
@pytest.mark.parametrize("code", [0xD800, 0x110000])
def test_text_that_no_file_can_hold_is_refused(name, code):
    """Halves of characters out of JSON, and damaged NumPy files: as csv they could not be encoded."""
    text = np.array([code, ord("b")], np.uint32).view("<U1")
    values = {"unit_ids": text} if name == "unit_ids" else {"unit_ids": np.arange(2), "labels": {"cell_type": text}}
    with pytest.raises(InvalidPopulation, match=rf"{name}.* must be valid Unicode text, {code:#x} is not a valid"):
        Population(activity=Spikes.of([np.array([1.0]), np.array([2.0])]), observed_s=np.array([[0.0, 10.0]]), **values)
