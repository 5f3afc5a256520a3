import numpy as np
import pytest

from nwb_neurid.evaluation import controls
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.protocols import Split
from nwb_neurid.population import Spikes, Traces


@pytest.fixture
def ensembles(make_animal):
    """Six units, of which the first three fire together, and the last three."""
    rng = np.random.default_rng(0)
    shared = [np.sort(rng.uniform(0, 60, 300)) for _ in range(2)]
    trains = [np.sort(np.clip(shared[unit // 3] + rng.normal(0, 2e-3, 300), 0, 59.9)) for unit in range(6)]
    labels = {"brain_region": np.repeat(["CA1", "VISp"], 3)}
    return make_animal(0, units=6, duration_s=60.0, activity=Spikes.of(trains), labels=labels)


def test_units_that_fire_together_are_named_alike(ensembles):
    cohort = Cohort.of("brain_region", [ensembles], ensembles.labels["brain_region"])
    split = Split(train=np.array([0, 1, 3, 4]), test=np.array([2, 5]))
    said = controls.predict_from_neighbours(cohort, split, {0: controls.correlate(ensembles)})
    assert said.tolist() == ["CA1", "VISp"]


def test_a_recording_without_training_units_gets_the_commonest_class(ensembles, make_animal):
    other = make_animal(1, units=2, duration_s=60.0)
    truth = np.concatenate([ensembles.labels["brain_region"], ["CA1", "VISp"]])
    cohort = Cohort.of("brain_region", [ensembles, other], truth)
    split = Split(train=np.array([0, 3, 4]), test=np.array([6, 7]))
    assert controls.predict_from_neighbours(cohort, split, {}).tolist() == ["VISp", "VISp"]


def test_traces_correlate_too(make_animal):
    wave = np.sin(np.arange(100) / 5)
    values = np.stack([wave, 2 * wave + 1, -wave, np.zeros(100)]).astype(np.float32)
    imaged = make_animal(0, units=4, activity=Traces(values=values, rate_hz=12.5, start_s=0.0, kind="dff"))
    alike = controls.correlate(imaged)
    assert alike[0, 1] == pytest.approx(1)
    assert alike[0, 2] == pytest.approx(-1)
    assert alike[3].tolist() == [0, 0, 0, 0]


def test_guesses_have_the_frequencies_of_the_training_units(animals):
    truth = np.repeat(["a", "b"], [24, 8])
    cohort = Cohort.of("cell_type", animals, truth)
    split = Split(train=np.arange(32), test=np.arange(32))
    guesses = controls.draw_guesses(cohort, split, 0)
    assert 0.65 < np.mean(guesses == "a") < 0.85
    assert set(controls.predict_majority(cohort, split)) == {"a"}


def test_rate_and_duration_are_all_that_the_control_sees(make_animal):
    animal = make_animal(0, duration_s=100.0)
    vectors = controls.embed_rates(Cohort.of("cell_type", [animal], np.full(len(animal), "a")))[0].vectors
    assert vectors.shape == (8, 2)
    assert vectors[0, 0] == pytest.approx(np.log10(30), abs=0.05)
    assert vectors[:, 1] == pytest.approx(2.0)


def test_a_unit_that_goes_with_none_gets_the_commonest_class(ensembles):
    cohort = Cohort.of("brain_region", [ensembles], ensembles.labels["brain_region"])
    split = Split(train=np.array([0, 3, 4]), test=np.array([1, 5]))
    assert controls.predict_from_neighbours(cohort, split, {0: np.zeros((6, 6))}).tolist() == ["VISp", "VISp"]
