"""Spike-train statistics: Poisson, regular and bursting neurons look as theory says, and gaps leave no trace."""

from dataclasses import replace

import numpy as np
import pytest

from neurid_isi import PLUGIN, IsiEncoder
from neurid_isi.features import DIM, FINEST_S, ISI_EDGES_S, LAG_EDGES_S, compute_features
from nwb_neurid.errors import InvalidModel, InvalidPopulation
from nwb_neurid.population import Population, Spikes, Traces

BINS = len(ISI_EDGES_S) - 1
HISTOGRAM = slice(0, BINS)
RATE, CV, CV2, LV, BURSTS = range(BINS, BINS + 5)
LAGS = slice(BINS + 5, DIM)
POISSON = 1.0  # of CV, CV2, local variation, and of log2(1 + found / expected)

HOUR = np.array([[0.0, 3600.0]])


def poisson(rate_hz=10.0, duration_s=3600.0, seed=0):
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0, duration_s, rng.poisson(rate_hz * duration_s)))


def gamma(shape, rate_hz=10.0, seed=0):
    """A train of an hour whose intervals are gamma distributed: regular for a shape above 1, bursty below."""
    intervals = np.random.default_rng(seed).gamma(shape, 1 / (rate_hz * shape), int(rate_hz * 4000))
    train = np.cumsum(intervals)
    return train[train < 3600]


def of(*trains, observed_s=HOUR, **parts):
    return Population(
        unit_ids=np.arange(len(trains)),
        activity=Spikes.of([np.asarray(train, float) for train in trains]),
        observed_s=np.asarray(observed_s, float),
        **parts,
    )


@pytest.fixture(scope="module")
def poisson_features():
    return compute_features(poisson(), HOUR, 0.0)


def test_a_vector_has_53_numbers(poisson_features):
    assert poisson_features.shape == (DIM,) == (53,)
    assert IsiEncoder().dim == DIM


def test_a_poisson_neuron_is_as_irregular_as_chance(poisson_features):
    np.testing.assert_allclose(poisson_features[[CV, CV2, LV]], POISSON, atol=0.03)
    assert poisson_features[RATE] == pytest.approx(1, abs=0.01)  # log10 of 10 Hz
    assert poisson_features[BURSTS] == pytest.approx(1 - np.exp(-10 * 6e-3), abs=0.005)


def test_the_autocorrelogram_of_a_poisson_neuron_is_flat(poisson_features):
    np.testing.assert_allclose(poisson_features[LAGS], POISSON, atol=0.1)


def test_intervals_of_a_poisson_neuron_are_exponential(poisson_features):
    beyond = np.exp(-10 * ISI_EDGES_S)
    beyond[0], beyond[-1] = 1, 0  # the outer bins hold what lies beyond
    np.testing.assert_allclose(poisson_features[HISTOGRAM], -np.diff(beyond), atol=0.01)
    assert poisson_features[HISTOGRAM].sum() == pytest.approx(1)


def test_a_regular_neuron_has_no_variation():
    vector = compute_features(np.arange(0.05, 3600, 0.1), HOUR, 0.0)
    np.testing.assert_allclose(vector[[CV, CV2, LV, BURSTS]], 0, atol=1e-9)
    assert vector[HISTOGRAM].max() == pytest.approx(1)
    lags = vector[LAGS]
    at = np.flatnonzero((LAG_EDGES_S[:-1] <= 0.1) & (LAG_EDGES_S[1:] > 0.1))
    assert lags[at] > 1.5 * POISSON
    assert np.all(np.delete(lags, at)[:-1] < 0.2)


@pytest.mark.parametrize("shape", [0.25, 0.5, 2.0, 4.0])
def test_irregularity_of_gamma_neurons_is_that_of_theory(shape):
    vector = compute_features(gamma(shape), HOUR, 0.0)
    assert vector[CV] == pytest.approx(shape**-0.5, rel=0.05)
    assert vector[LV] == pytest.approx(3 / (2 * shape + 1), rel=0.05)  # Shinomoto et al. 2003


def test_a_drift_of_the_rate_raises_cv_and_not_local_variation():
    slow, fast = poisson(4.0, 1800.0), 1800 + poisson(40.0, 1800.0, seed=1)
    vector = compute_features(np.concatenate([slow, fast]), HOUR, 0.0)
    assert vector[CV] > 1.4
    assert vector[LV] == pytest.approx(1, abs=0.03)


def test_bursts_raise_the_burst_index_and_short_lags():
    parents = poisson(3.0)
    bursting = np.sort(np.concatenate([parents, parents + 0.003, parents + 0.006]))
    bursting = bursting[bursting < 3600]
    vector, plain = compute_features(bursting, HOUR, 0.0), compute_features(poisson(9.0), HOUR, 0.0)
    assert vector[RATE] == pytest.approx(plain[RATE], abs=0.02)
    assert vector[BURSTS] > 0.6 > 0.1 > plain[BURSTS]
    assert vector[CV] > 1.3
    at = np.searchsorted(LAG_EDGES_S, 0.003, "right") - 1
    assert vector[LAGS][at] > plain[LAGS][at] + 2


def test_a_refractory_period_shows_as_missing_short_lags():
    train = np.cumsum(0.01 + np.random.default_rng(0).exponential(0.09, 30_000))
    lags = compute_features(train, np.array([[0.0, train[-1] + 1]]), 0.0)[LAGS]
    assert np.all(lags[LAG_EDGES_S[1:] <= 0.01] < 0.05)
    assert lags[-1] == pytest.approx(POISSON, abs=0.1)


def test_the_rate_is_that_of_observed_time():
    runs = np.array([[0.0, 100.0], [1000.0, 1100.0]])
    train = np.sort(np.concatenate([poisson(5.0, 100.0), 1000 + poisson(5.0, 100.0, seed=1)]))
    assert compute_features(train, runs, 0.0)[RATE] == pytest.approx(np.log10(len(train) / 200))


def test_nothing_crosses_from_trial_to_trial():
    """Trials of 0.4 s, cut out of a Poisson train and pushed together or apart: only what lies within one counts."""
    starts = np.arange(0, 3600, 2.0)
    cut = [train for start in starts for train in [poisson(20.0, 0.4, seed=int(start))]]
    near, far = (
        compute_features(
            np.concatenate([train + number * step for number, train in enumerate(cut)]),
            np.column_stack([np.arange(len(cut)) * step, np.arange(len(cut)) * step + 0.4]),
            0.0,
        )
        for step in (0.401, 10.0)
    )
    np.testing.assert_allclose(near, far, atol=1e-9)
    assert near[HISTOGRAM][ISI_EDGES_S[:-1] > 0.4].sum() == 0
    np.testing.assert_allclose(near[LAGS], POISSON, atol=0.15)


def test_trials_shorter_than_the_longest_lag_leave_a_flat_autocorrelogram():
    runs = np.column_stack([np.arange(20_000.0), np.arange(20_000.0) + 0.15])
    train = poisson(20.0, 20_000.0)
    train = train[train % 1 < 0.15]
    np.testing.assert_allclose(compute_features(train, runs, 0.0)[LAGS], POISSON, atol=0.3)


@pytest.mark.parametrize("train", [[1.0], [1.0, 2.0], [1.0, 1.001], [1.0, 1.0], [0.0, 3599.0]])
def test_a_handful_of_spikes_looks_like_a_poisson_neuron(train):
    vector = compute_features(np.array(train), HOUR, 0.0)
    np.testing.assert_array_equal(vector[[CV2, LV]], POISSON)
    assert np.all((vector[LAGS] >= 0.9) & (vector[LAGS] <= 1.6))
    assert np.isfinite(vector).all()


def test_coarse_times_mask_what_is_finer():
    coarse = np.floor(poisson() / 0.01) * 0.01
    encoder, population = IsiEncoder(), of(np.unique(coarse))
    assert population.resolution_s() == pytest.approx(0.01)
    embeddings = encoder.embed(population)
    vector = embeddings.vectors[0]
    assert np.all(vector[HISTOGRAM][np.diff(ISI_EDGES_S) < 0.01] == 0)
    assert np.all(vector[LAGS][np.diff(LAG_EDGES_S) < 0.01] == 0)
    assert vector[BURSTS] == 0
    assert embeddings.provenance.notes == ("Spike times are exact to 10 ms only: finer features are masked.",)


def test_times_of_an_amplifier_mask_nothing():
    sampled = of(np.floor(poisson() * 30_000) / 30_000)
    embeddings = IsiEncoder().embed(sampled)
    assert embeddings.provenance.notes == ()
    assert np.all(embeddings.vectors[0][LAGS] > 0.5)


@pytest.mark.parametrize(("resolution_s", "noted"), [(FINEST_S, False), (0.5e-3, True), (1e-3, True)])
def test_whatever_is_masked_is_said(resolution_s, noted):
    train = poisson(rate_hz=50.0)
    masked = compute_features(train, HOUR, resolution_s)
    assert np.array_equal(masked, compute_features(train, HOUR, 0.0)) != noted
    population = replace(of(train), activity=Spikes.of([train], resolution_s=resolution_s))
    assert (IsiEncoder().embed(population).provenance.notes != ()) == noted


def test_rows_never_vanish():
    seen = np.array([[True, True], [True, True], [False, False], [True, False]])
    trains = [[1.0, 5.0], [], [2.0], [7.0]]
    population = of(*trains, observed_s=[[0.0, 4.0], [4.0, 8.0]], unit_observed=seen)
    embeddings = IsiEncoder().embed(population)
    silent = "no spikes in observed time"
    np.testing.assert_array_equal(embeddings.reasons, ["", silent, "never observed", silent])
    np.testing.assert_array_equal(np.isfinite(embeddings.vectors).all(axis=1), [True, False, False, False])
    np.testing.assert_array_equal(embeddings.n_windows, [1, 0, 0, 0])


def test_a_unit_is_measured_over_the_time_in_which_it_was_observed():
    seen = np.array([[True, True], [True, False]])
    train = poisson(10.0, 3600.0)
    halves = of(train, train, observed_s=[[0.0, 1800.0], [1800.0, 3600.0]], unit_observed=seen)
    alone = of(train, observed_s=[[0.0, 1800.0]])
    np.testing.assert_array_equal(IsiEncoder().embed(halves).vectors[1], IsiEncoder().embed(alone).vectors[0])


def test_progress_counts_the_units():
    seen = []

    def progress(items, *, label="", total=None):
        seen.append((label, total))
        return items

    IsiEncoder().embed(of([1.0], [2.0]), progress=progress)
    assert seen == [("spike-train statistics", 2)]


def test_no_units_are_no_vectors():
    assert IsiEncoder().embed(of()).vectors.shape == (0, DIM)


def test_traces_are_refused():
    traces = Traces(values=np.zeros((1, 10), np.float32), rate_hz=10.0)
    population = Population(unit_ids=np.arange(1), activity=traces, observed_s=np.array([[0.0, 1.0]]))
    with pytest.raises(InvalidPopulation, match="This needs spikes"):
        IsiEncoder().embed(population)


def test_the_plugin_builds_the_encoder_and_nothing_else():
    encoder = PLUGIN.build({}, {}, "auto")
    assert encoder.config == encoder.state() == {}
    assert PLUGIN.spec.name == "isi"
    assert PLUGIN.presets == {"default": {}}
    message = r"Encoder 'isi' has no settings and no weights, got \['bins'\] and \['weights'\]\."
    with pytest.raises(InvalidModel, match=message):
        PLUGIN.build({"bins": 3}, {"weights": np.ones(1)}, "auto")
