import tracemalloc

import numpy as np
import pytest

from nwb_neurid.labels.duplicates import ABOVE_CHANCE, COINCIDENCE_S, find_neurons, find_twins
from nwb_neurid.population import Population, Spikes, Traces


def test_a_train_that_two_units_share_is_one_neuron(make_animal):
    one = make_animal(0, units=4)
    trains = [one.spikes.train_s(unit) for unit in range(4)]
    double = make_animal(0, units=4, activity=Spikes.of([trains[0], trains[1], trains[0] + 1e-4, trains[3]]))
    neuron = find_neurons([double])
    assert neuron[0] == neuron[2]
    assert len(np.unique(neuron)) == 3


def test_neurons_that_were_stored_are_the_same_neurons(make_animal):
    animals = []
    for number in range(2):
        one = make_animal(number, units=5)
        trains = [one.spikes.train_s(unit) for unit in (0, 1, 0, 3, 4)]
        animals.append(make_animal(number, units=5, activity=Spikes.of(trains)))
    stored = [find_neurons([animal]) for animal in animals]
    assert len(np.unique(find_neurons(animals))) == 8
    np.testing.assert_array_equal(find_neurons(animals, found=stored), find_neurons(animals))


def test_units_of_two_recordings_are_two_neurons_though_they_fire_alike(make_animal):
    assert len(np.unique(find_neurons([make_animal(0), make_animal(0, subject_id="other")]))) == 16


def test_a_unique_id_joins_the_sessions_of_an_animal_and_not_those_of_two(make_animal):
    labels = {"cell_type": np.array(["fast", "slow"]), "unique_id": np.array(["a", ""])}
    one = make_animal(0, units=2, labels=labels)
    again = make_animal(1, units=2, labels=labels, subject_id="mouse0")
    other = make_animal(2, units=2, labels=labels)
    neuron = find_neurons([one, again, other])
    assert neuron[0] == neuron[2]
    assert len(np.unique(neuron)) == 5


@pytest.mark.parametrize(("apart_um", "neurons"), [(3.0, 2), (12.0, 3)])
def test_rois_that_overlap_are_one_cell(apart_um, neurons):
    values = np.random.default_rng(0).normal(size=(3, 200)).astype(np.float32)
    imaged = Population(
        unit_ids=np.arange(3),
        activity=Traces(values=values, rate_hz=10.0, start_s=0.0, kind="dff"),
        observed_s=np.array([[0.0, 20.0]]),
        positions_um=np.array([[0, 0, 0], [apart_um, 0, 0], [np.nan, np.nan, np.nan]], np.float32),
    )
    assert len(np.unique(find_neurons([imaged]))) == neurons


def test_spikes_on_a_coarse_grid_do_not_make_twins(make_animal):
    """On steps of 10 ms many spikes coincide by chance."""
    one = make_animal(0, units=6, types=("fast",), duration_s=30.0)
    trains = [np.unique(np.round(one.spikes.train_s(unit), 2)) for unit in range(6)]
    coarse = make_animal(0, units=6, types=("fast",), duration_s=30.0, activity=Spikes.of(trains))
    assert len(np.unique(find_neurons([coarse]))) == 6


def test_a_recording_without_units_has_no_neurons(make_animal):
    assert len(find_neurons([make_animal(0, units=2).select(np.empty(0, np.int64)), make_animal(1, units=2)])) == 2


def test_coincidences_are_those_that_counting_one_by_one_finds():
    rng = np.random.default_rng(0)
    shared = np.sort(rng.uniform(0, 20, 300))
    trains = [
        np.sort(np.r_[rng.choice(shared, 60 * unit, replace=False), rng.uniform(0, 20, 300)]) for unit in range(5)
    ]
    population = Population(unit_ids=np.arange(5), activity=Spikes.of(trains), observed_s=np.array([[-1.0, 21.0]]))
    close = [[(np.abs(one[:, None] - other) <= COINCIDENCE_S).sum() for other in trains] for one in trains]
    expected = [
        [one, other]
        for one in range(5)
        for other in range(5)
        if one != other
        and close[one][other] >= max(0.3 * min(len(trains[one]), len(trains[other])), ABOVE_CHANCE)
        and close[one][other] >= ABOVE_CHANCE * len(trains[one]) * len(trains[other]) * 2 * COINCIDENCE_S / 22
    ]
    found = find_twins(population, np.empty((5, 0)))
    assert np.argwhere(found.toarray()).tolist() == expected
    assert 0 < len(expected) < 20


@pytest.mark.parametrize("kind", ["spikes", "traces"])
def test_twins_among_thousands_of_units_take_little_memory(kind):
    units, rng = 6000, np.random.default_rng(0)
    if kind == "spikes":
        trains = [np.sort(rng.uniform(0, 1000, 8)) for _ in range(units)]
        trains[7] = trains[3] + 1e-5
        activity = Spikes.of(trains)
    else:
        values = rng.normal(size=(units, 64)).astype(np.float32)
        values[7] = values[3]
        activity = Traces(values=values, rate_hz=1.0)
    population = Population(unit_ids=np.arange(units), activity=activity, observed_s=np.array([[0.0, 1001.0]]))
    tracemalloc.start()
    found = find_twins(population, getattr(activity, "values", np.empty((units, 0))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.column_stack(found.nonzero()).tolist() == [[3, 7], [7, 3]]
    assert peak < units**2 * 1.5  # bytes, where a matrix of counts would take eight times that
