"""Traces that are no dF/F become dF/F, and what was done is noted."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.dff import convert_to_dff
from nwb_neurid.errors import InvalidPopulation
from nwb_neurid.population import Population, Traces

RATE_HZ = 2.0


def recording(values, kind="fluorescence", **parts):
    values = np.asarray(values, np.float32)
    traces = Traces(values=values, rate_hz=RATE_HZ, kind=kind)
    observed = np.array([[0.0, values.shape[1] / RATE_HZ]])
    return Population(unit_ids=np.arange(len(values)), activity=traces, observed_s=observed, **parts)


def transients(units=3, samples=400):
    """Bursts of 3 samples, 40 apart, which the minimum over 60 s sees between."""
    values = np.zeros((units, samples))
    for unit in range(units):
        for start in range(10 + unit, samples - 3, 40):
            values[unit, start : start + 3] = 1 + unit
    return values


def test_transients_on_a_constant_baseline_are_recovered_without_smoothing(monkeypatch):
    monkeypatch.setattr("nwb_neurid.dff.SIGMA_FRAMES", 0.0)
    found = convert_to_dff(recording(300 * (1 + transients())))
    assert found.activity.kind == "dff"
    np.testing.assert_allclose(found.activity.values, transients(), atol=1e-5)
    assert found.notes == (
        "dF/F was computed from fluorescence as (F - B) / B, with B the maximin baseline over 60 s after a Gaussian of "
        "0 frames, as in suite2p.",
    )


def test_the_unit_of_fluorescence_does_not_matter():
    one, other = (convert_to_dff(recording(scale * (1 + transients()))) for scale in (1.0, 1000.0))
    np.testing.assert_allclose(one.activity.values, other.activity.values, atol=1e-5)


def test_a_trace_without_a_positive_baseline_is_excluded():
    values = 300 * (1 + transients())
    values[1] -= 300
    found = convert_to_dff(recording(values, excluded={0: "by hand"}))
    assert found.excluded == {0: "by hand", 1: "its fluorescence has no positive baseline, so dF/F is undefined"}


def test_standardised_traces_lose_their_baseline_alone():
    values = transients()
    scaled = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    found = convert_to_dff(recording(scaled))
    assert not found.excluded
    assert found.notes[0].startswith("The baseline of 3 of 3 traces of fluorescence is not positive")
    step = found.activity.values - scaled
    assert np.ptp(step, axis=1).max() < 1.0  # nothing but a slow baseline was taken away


def test_deconvolved_activity_becomes_transients_that_decay():
    values = np.zeros((1, 20))
    values[0, 4] = 2.0
    found = convert_to_dff(recording(values, "deconvolved")).activity.values[0]
    np.testing.assert_allclose(found[:4], 0)
    np.testing.assert_allclose(found[4:], 2 * np.exp(-np.arange(16) / RATE_HZ), rtol=1e-5)


def test_gaps_stay_gaps():
    values = 300 * (1 + transients())
    values[:, 100:120] = np.nan
    values[2] = np.nan
    converted = convert_to_dff(recording(values))
    assert not converted.excluded
    found = converted.activity.values
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values.astype(np.float32)))


def test_dff_stays_as_it_is():
    population = recording(transients(), "dff")
    assert convert_to_dff(population) is population


def test_spikes_are_refused(make_population):
    with pytest.raises(InvalidPopulation, match="This needs traces, the population has spikes"):
        convert_to_dff(make_population())


@pytest.mark.parametrize("samples", [2, 20, 25])
def test_short_recordings_are_converted(samples):
    found = convert_to_dff(recording(300 * (1 + transients(samples=samples))))
    assert np.isfinite(found.activity.values).all()


@pytest.mark.parametrize("kind", ["fluorescence", "deconvolved"])
def test_what_happens_while_nothing_is_observed_changes_nothing(kind):
    quiet = 300 * (1 + transients())
    loud = quiet.copy()
    loud[:, 150:200] = np.random.default_rng(0).normal(1e4, 1e3, (3, 50))
    observed = np.array([[0.0, 150 / RATE_HZ], [200 / RATE_HZ, 400 / RATE_HZ]])
    found = [convert_to_dff(replace(recording(values, kind), observed_s=observed)) for values in (quiet, loud)]
    outside = np.r_[:150, 200:400]
    np.testing.assert_array_equal(*(each.activity.values[:, outside] for each in found))
    assert np.isfinite(found[0].activity.values[:, outside]).all()
    assert found[0].excluded == found[1].excluded == {}
    alone = convert_to_dff(recording(quiet, kind).slice(0.0, 150 / RATE_HZ))
    np.testing.assert_array_equal(found[0].activity.values[:, :150], alone.activity.values)


@pytest.mark.parametrize("kind", ["fluorescence", "deconvolved"])
def test_nothing_is_converted_to_nothing(kind):
    assert len(convert_to_dff(recording(np.zeros((0, 50)), kind))) == 0
    unobserved = replace(recording(300 * (1 + transients()), kind), observed_s=np.empty((0, 2)))
    assert not convert_to_dff(unobserved).excluded
