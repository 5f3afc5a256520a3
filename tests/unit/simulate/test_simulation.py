"""A simulation as a population: what a reader would make of its file, at once."""

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb


@pytest.fixture(scope="module")
def simulation():
    return simulate(units=20, duration_s=12.0, seed=3, regions=2, animal=4, out_of_domain=True)


@pytest.mark.parametrize("imaging_hz", [None, 4.28, 30.0], ids=["spikes", "4 Hz", "30 Hz"])
def test_a_population_is_what_its_file_is_read_as(simulation, imaging_hz, tmp_path):
    made = simulation.population() if imaging_hz is None else simulation.imaged_population(imaging_hz)
    read = nwb_neurid.read(write_nwb(simulation, tmp_path / "file.nwb", imaging_hz=imaging_hz), covariates=True)
    for name in ("subject_id", "session_id"):
        assert getattr(read, name) == getattr(made, name)
    for name in ("unit_ids", "observed_s", "group"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    assert read.labels.keys() == made.labels.keys()
    for name, labels in made.labels.items():
        np.testing.assert_array_equal(read.labels[name], labels)
    for name in ("times_s", "splits") if imaging_hz is None else ("values", "rate_hz", "kind", "start_s"):
        np.testing.assert_array_equal(getattr(read.activity, name), getattr(made.activity, name))
    assert read.activity.resolution_s == made.activity.resolution_s
    assert read.covariates.keys() == made.covariates.keys() == {"behavior/running_speed"}
    for name in ("values", "times_s", "unit", "kind"):
        there, here = (getattr(one.covariates["behavior/running_speed"], name) for one in (read, made))
        np.testing.assert_array_equal(there, here)


def test_imaged_neurons_lie_where_they_are_to_half_a_pixel(simulation, tmp_path):
    read = nwb_neurid.read(write_nwb(simulation, tmp_path / "file.nwb", imaging_hz=4.28))
    assert np.abs(read.positions_um - simulation.positions_um)[:, :2].max() <= 0.5 + 1e-3


def test_one_region_has_no_name_and_no_running():
    population = simulate(units=10, duration_s=1.0).population()
    assert population.labels.keys() == {"cell_type"}
    assert population.covariates == {}


@pytest.mark.parametrize(
    ("options", "subject_id", "session_id"),
    [
        ({}, "simulated-6", "simulated-4-units-1-s-seed-6"),
        ({"regions": 2, "animal": 3}, "simulated-6-animal-3", "simulated-4-units-1-s-seed-6-2-regions-animal-3"),
        ({"out_of_domain": True}, "simulated-6-outside-0", "simulated-4-units-1-s-seed-6-outside-0"),
    ],
)
def test_animals_and_sessions_have_names_of_their_own(options, subject_id, session_id):
    simulation = simulate(4, 1.0, 6, **options)
    assert (simulation.subject_id, simulation.session_id) == (subject_id, session_id)
