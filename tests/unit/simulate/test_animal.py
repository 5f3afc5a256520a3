"""Simulated animals: what they have in common, what is their own, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nwb_neurid.errors import InvalidOption
from nwb_neurid.simulate import simulate
from nwb_neurid.simulate.animal import IN_DOMAIN, OUT_OF_DOMAIN, REGION_UM, Level, draw_level

ARRAYS = ("times_s", "splits", "cell_type", "brain_region", "positions_um", "running_speed_cm_s")


def deviations(level):
    return np.array([level.drive_shift, level.noise_factor - 1, level.synapse_factor - 1])


@given(units=st.integers(2, 40), seed=st.integers(0, 2**64), animal=st.integers(0, 5), outside=st.booleans())
def test_one_seed_and_one_number_are_one_animal(units, seed, animal, outside):
    first, again = (simulate(units, 0.5, seed, regions=2, animal=animal, out_of_domain=outside) for _ in range(2))
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name), strict=True)


def test_animals_have_neurons_of_their_own():
    inside = [simulate(30, 1.0, 4, regions=2, animal=animal) for animal in range(3)]
    outside = [simulate(30, 1.0, 4, regions=2, animal=animal, out_of_domain=True) for animal in range(3)]
    for name in ("times_s", "positions_um", "cell_type", "brain_region"):
        assert len({getattr(animal, name).tobytes() for animal in inside + outside}) == 6


def test_a_longer_simulation_of_regions_begins_with_the_shorter_one():
    shorter, longer = (simulate(20, duration_s, 1, regions=2, animal=3) for duration_s in (1.27, 3.0))
    for unit in range(20):
        own = longer.population().spikes.train_s(unit)
        np.testing.assert_array_equal(shorter.population().spikes.train_s(unit), own[own < 1.27])
    np.testing.assert_array_equal(shorter.running_speed_cm_s, longer.running_speed_cm_s[:26])


@given(regions=st.integers(1, 6), per_region=st.integers(5, 20), seed=st.integers(0, 100))
def test_every_region_has_the_same_mix_of_types(regions, per_region, seed):
    simulation = simulate(regions * per_region, 0.001, seed, regions=regions)
    names = np.unique(simulation.brain_region)
    assert len(names) == regions
    mixes = [np.unique(simulation.cell_type[simulation.brain_region == name], return_counts=True) for name in names]
    for types, counts in mixes:
        assert set(types) == {"RS", "IB", "CH", "FS", "LTS"}
        np.testing.assert_array_equal(counts, mixes[0][1])


def test_regions_lie_one_after_another_along_the_probe():
    simulation = simulate(30, 0.001, 2, regions=3)
    for index, name in enumerate(["simulated region A", "simulated region B", "simulated region C"]):
        along_um = simulation.positions_um[simulation.brain_region == name, 1]
        assert len(along_um) == 10
        assert np.all((along_um >= REGION_UM * index) & (along_um < REGION_UM * (index + 1)))


def test_regions_come_in_no_order():
    region = simulate(60, 0.001, 2, regions=3).brain_region
    assert np.mean(region[1:] == region[:-1]) < 0.6


@given(seed=st.integers(0, 10_000))
def test_levels_outside_the_domain_are_further_out_than_any_inside(seed):
    inside = np.abs(deviations(draw_level(np.random.default_rng(seed), out_of_domain=False)))
    outside = np.abs(deviations(draw_level(np.random.default_rng(seed), out_of_domain=True)))
    assert np.all(inside <= IN_DOMAIN)
    low, high = np.transpose(OUT_OF_DOMAIN)
    assert np.all((outside >= low - 1e-9) & (outside <= high + 1e-9))
    assert np.all(low > IN_DOMAIN)


def test_levels_go_up_and_down():
    rng = np.random.default_rng(0)
    for outside in (False, True):
        signs = np.sign([deviations(draw_level(rng, out_of_domain=outside)) for _ in range(40)])
        assert np.all(np.abs(signs.mean(axis=0)) < 0.6)


def test_the_nominal_level_changes_nothing():
    assert not deviations(Level()).any()


def test_drive_raises_the_rate(monkeypatch):
    counts = []
    for shift in (-2.0, 2.0):
        level = Level(drive_shift=shift)
        monkeypatch.setattr("nwb_neurid.simulate.animal.draw_level", lambda *_, level=level, **__: level)
        counts.append(len(simulate(40, 5.0, 1, animal=1).times_s))
    assert counts[1] > 1.3 * counts[0]


@pytest.mark.parametrize(
    ("units", "regions", "most"),
    [(10, 0, 10), (10, 11, 10), (100, 27, 26)],
)
def test_regions_that_cannot_be_are_refused(units, regions, most):
    with pytest.raises(InvalidOption) as refused:
        simulate(units, 1.0, regions=regions)
    assert str(refused.value) == f"The regions to simulate must be 1 to {most} for {units} units, got {regions}."


def test_a_negative_animal_is_refused():
    with pytest.raises(InvalidOption) as refused:
        simulate(5, 1.0, animal=-1)
    assert str(refused.value) == "The number of a simulated animal must be 0 or more, got -1."
