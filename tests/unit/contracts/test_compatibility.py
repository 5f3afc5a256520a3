"""What stands between a population and an encoder."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.contracts import CONTRACT, EncoderSpec
from nwb_neurid.contracts.compatibility import convert_activity, list_problems
from nwb_neurid.population import Population, Traces


def spec(**needs):
    about = {"name": "isi", "version": "1", "summary": "", "contract": CONTRACT}
    return EncoderSpec(**{**about, "accepts": frozenset({"spikes"}), **needs})


def imaged(rate_hz):
    """Two units of dF/F over a minute."""
    values = np.zeros((2, int(60 * rate_hz)), np.float32)
    return Population(
        unit_ids=np.arange(2), activity=Traces(values=values, rate_hz=rate_hz), observed_s=np.array([[0.0, 60.0]])
    )


def test_an_encoder_that_needs_nothing_takes_everything(make_population):
    assert list_problems(make_population(), spec()) == []


def test_the_kind_of_activity_must_be_accepted(make_population):
    assert list_problems(make_population(), spec(accepts=frozenset({"fluorescence", "dff"}))) == [
        "it takes dff or fluorescence, the recording has spikes"
    ]
    assert list_problems(imaged(30.0), spec()) == ["it takes spikes, the recording has dff"]


@pytest.mark.parametrize("kind", ["fluorescence", "deconvolved"])
def test_what_can_become_dff_is_taken_by_an_encoder_of_dff(kind):
    population = imaged(30.0)
    population = replace(
        population, activity=replace(population.activity, values=np.float32(200 + np.eye(2, 1800)), kind=kind)
    )
    takes_dff, takes_kind, spikes = spec(accepts=frozenset({"dff"})), spec(accepts=frozenset({kind})), spec()
    assert list_problems(population, takes_dff) == []
    converted = convert_activity(population, takes_dff)
    assert converted.activity.kind == "dff"
    assert converted.notes
    assert convert_activity(population, takes_kind) is population
    assert convert_activity(population, spikes) is population
    assert list_problems(population, spikes) == [f"it takes spikes, the recording has {kind}"]
    assert list_problems(imaged(30.0), takes_kind) == [f"it takes {kind}, the recording has dff"]


@pytest.mark.parametrize(("rate_hz", "fits"), [(4.9, False), (5.0, True), (30.0, True), (60.0, True), (61.0, False)])
def test_the_frame_rate_must_be_taken(rate_hz, fits):
    wanted = [] if fits else [f"it takes frame rates of 5 to 60 Hz, the recording has {rate_hz:g} Hz"]
    assert list_problems(imaged(rate_hz), spec(accepts=frozenset({"dff"}), rate_hz=(5.0, 60.0))) == wanted


def test_spikes_have_no_frame_rate(make_population):
    assert list_problems(make_population(), spec(rate_hz=(5.0, 60.0))) == []


def test_enough_must_be_observed(make_population):
    population = make_population(duration_s=20.0, gaps=[(5.0, 10.0)])
    assert list_problems(population, spec(min_observed_s=15.0)) == []
    assert list_problems(population, spec(min_observed_s=15.5)) == [
        "it needs 15.5 s of observed time, the recording has 15 s"
    ]


def test_observed_time_is_enough_where_only_rounding_is_missing(make_population):
    population = make_population(duration_s=0.3, start_s=1e6 + 0.1)
    assert list_problems(population, spec(min_observed_s=0.3)) == []


def test_enough_units_must_be_left(make_population):
    population = make_population(units=3, excluded={0: "noise", 1: "noise"})
    assert list_problems(population, spec(min_units=1)) == []
    assert list_problems(population, spec(min_units=2)) == ["it needs 2 units, the recording has 1"]
    assert list_problems(make_population(units=0), spec()) == ["it needs 1 unit, the recording has 0"]


def test_positions_must_be_known_where_they_are_needed(make_population):
    positions = np.zeros((3, 3), np.float32)
    positions[1, 2] = positions[2] = np.nan
    population = make_population(units=3)
    needs = spec(needs_positions=True)
    assert list_problems(population, spec()) == []
    assert list_problems(population, needs) == ["it needs unit positions, the recording has none"]
    partly = replace(population, positions_um=positions)
    assert list_problems(partly, needs) == ["it needs unit positions, 2 of 3 units have none"]
    assert list_problems(replace(partly, excluded={1: "noise"}), needs) == [
        "it needs unit positions, 1 of 3 units have none"
    ]
    assert list_problems(replace(partly, excluded={1: "noise", 2: "noise"}), needs) == []


def test_every_problem_is_told_at_once(make_population):
    needs = spec(accepts=frozenset({"dff"}), min_observed_s=100.0, min_units=9, needs_positions=True)
    assert len(list_problems(make_population(), needs)) == 4
