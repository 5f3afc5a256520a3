"""The simulated network: its types fire as their names say, and a seed is a simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.errors import InvalidOption
from nwb_neurid.simulate import simulate
from nwb_neurid.simulate.network import Network, run_network
from nwb_neurid.simulate.simulation import CLOCK_HZ, DEPTH_UM

TYPES = {"RS", "IB", "CH", "FS", "LTS"}


@pytest.fixture(scope="module")
def minute():
    """A minute of a hundred neurons."""
    return simulate(units=100, duration_s=60.0, seed=3)


def trains_s(simulation):
    return np.split(simulation.times_s, simulation.splits[1:-1])


def rates_hz(simulation, cell_type):
    return np.diff(simulation.splits)[simulation.cell_type == cell_type] / simulation.duration_s


def short_share(simulation, cell_type):
    """Median over the neurons of a type: which share of the inter-spike intervals is under 6 ms."""
    trains = trains_s(simulation)
    intervals_s = [np.diff(trains[unit]) for unit in np.flatnonzero(simulation.cell_type == cell_type)]
    return np.median([np.mean(own < 0.006) for own in intervals_s if len(own)])


def test_one_seed_is_one_simulation():
    first, again, other = (simulate(units=30, duration_s=2.5, seed=seed) for seed in (7, 7, 8))
    for name in ("times_s", "splits", "cell_type", "positions_um"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name), strict=True)
    assert not np.array_equal(first.times_s, other.times_s)
    assert not np.array_equal(first.cell_type, other.cell_type)


def test_a_longer_simulation_begins_with_the_shorter_one():
    shorter, longer = simulate(units=20, duration_s=1.25, seed=1), simulate(units=20, duration_s=3.0, seed=1)
    for short, long in zip(trains_s(shorter), trains_s(longer), strict=True):
        np.testing.assert_array_equal(short, long[long < 1.25])


@given(units=st.integers(1, 40), duration_s=st.floats(1e-4, 1.5), seed=st.integers(0, 2**64))
def test_spikes_ascend_within_the_duration(units, duration_s, seed):
    simulation = simulate(units, duration_s, seed)
    assert simulation.splits.shape == (units + 1,)
    assert simulation.splits[0] == 0
    assert simulation.splits[-1] == len(simulation.times_s)
    assert all(np.all(np.diff(train) > 0) for train in trains_s(simulation))
    assert np.all((simulation.times_s >= 0) & (simulation.times_s < duration_s))
    assert simulation.positions_um.shape == (units, 3)
    assert np.all((simulation.positions_um[:, 1] >= 0) & (simulation.positions_um[:, 1] <= DEPTH_UM))


@given(units=st.integers(5, 200))
def test_five_units_or_more_hold_every_type_and_rs_the_most(units):
    names, counts = np.unique(simulate(units, duration_s=0.001).cell_type, return_counts=True)
    assert set(names) == TYPES
    assert names[np.argmax(counts)] == "RS" or units == 5


def test_spike_times_are_ticks_of_the_clock_and_not_of_the_steps(minute):
    ticks = minute.times_s * CLOCK_HZ
    np.testing.assert_allclose(ticks, np.rint(ticks), rtol=0, atol=1e-6)
    assert len(np.unique(np.rint(ticks) % (CLOCK_HZ / 1000))) == CLOCK_HZ / 1000


def test_rates_are_those_of_cortex(minute):
    rates = np.diff(minute.splits) / minute.duration_s
    assert np.mean((rates >= 0.5) & (rates <= 40)) > 0.9


def test_fast_spiking_neurons_fire_faster_than_regular_ones(minute):
    assert np.median(rates_hz(minute, "FS")) > 1.5 * np.median(rates_hz(minute, "RS"))


def test_chattering_neurons_burst_and_regular_ones_do_not(minute):
    assert short_share(minute, "CH") > 0.15
    assert short_share(minute, "CH") > short_share(minute, "IB") > short_share(minute, "RS")
    assert short_share(minute, "RS") < 0.02


def published(a, b, c, d, current, steps):
    """Steps in which a neuron fires, by the equations as they are printed."""
    v, u, fired = c, b * c, []
    for step in range(steps):
        for _ in range(2):
            v += 0.5 * (0.04 * v * v + 5 * v + 140 - u + current)
        spikes = v >= 30
        v = min(v, 30)
        u += a * (b * v - u)
        if spikes:
            v, u = c, u + d
            fired.append(step)
    return fired


def network(abcd, drive, targets=((),), weights=((),)):
    drive = np.asarray(drive, float)
    return Network(
        abcd=np.array(abcd, float).reshape(-1, 4).T,
        drive=drive,
        noise=np.zeros_like(drive),
        targets=np.array(targets, np.int64),
        weights=np.array(weights, float),
    )


def fired(neurons, steps):
    return run_network(neurons, np.random.default_rng(0), steps, progress=lambda items, **_: items)


@pytest.mark.parametrize(
    "abcd",
    [(0.02, 0.2, -65, 8), (0.02, 0.2, -55, 4), (0.02, 0.2, -50, 2), (0.1, 0.2, -65, 2), (0.02, 0.25, -65, 2)],
    ids=["RS", "IB", "CH", "FS", "LTS"],
)
def test_scaled_units_obey_the_published_equations(abcd):
    # Not for longer: the last bit, which scaling changes, grows from spike to spike.
    times_s, rows = fired(network([abcd], [10.0]), steps=600)
    steps = published(*abcd, current=10.0, steps=600)
    assert len(steps) > 10
    assert not rows.any()
    np.testing.assert_array_equal(np.ceil(times_s * 1000) - 1, steps)


@pytest.mark.parametrize(("weight", "sign"), [(5.0, 1), (-5.0, -1)])
def test_a_synapse_moves_the_rate_of_its_target_by_its_sign(weight, sign):
    pair = [(0.02, 0.2, -65, 8)] * 2
    apart, joined = (
        np.bincount(fired(network(pair, [10.0, 8.0], targets=[[1], [0]], weights=[[w], [0.0]]), 5000)[1])
        for w in (0.0, weight)
    )
    assert joined[0] == apart[0]
    assert np.sign(joined[1] - apart[1]) == sign


def test_progress_is_told_of_every_second():
    told = []

    def progress(items, *, label="", total=None):
        for item in items:
            told.append((label, total or len(items)))
            yield item

    reported = simulate(units=3, duration_s=2.5, progress=progress)
    assert told == [("Simulating", 3)] * 3
    np.testing.assert_array_equal(reported.times_s, simulate(units=3, duration_s=2.5).times_s)


@pytest.mark.parametrize(("duration_s", "got"), [(0.0, "0"), (-2.5, "-2.5"), (np.nan, "nan"), (np.inf, "inf")])
def test_a_duration_that_is_none_is_refused(duration_s, got):
    with pytest.raises(InvalidOption) as refused:
        simulate(units=1, duration_s=duration_s)
    assert str(refused.value) == f"The duration to simulate must be finite and above 0 s, got {got} s."


def test_no_units_are_refused():
    with pytest.raises(InvalidOption) as refused:
        simulate(units=0, duration_s=1.0)
    assert str(refused.value) == "The number of units to simulate must be 1 or more, got 0."


def test_a_negative_seed_is_refused():
    with pytest.raises(InvalidOption) as refused:
        simulate(units=1, duration_s=1.0, seed=-1)
    assert str(refused.value) == "The seed of a simulation must be 0 or more, got -1."
