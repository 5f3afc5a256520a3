"""Baselines for a score: guesses, the majority class, rate and duration, correlated activity."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Shaped

from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.evaluation.protocols import Split
from nwb_neurid.population import Population, Spikes
from nwb_neurid.results import Embeddings

GUESSES = 20
NEIGHBOURS = 15
BIN_S = 0.05


def draw_guesses(cohort: Cohort, split: Split, seed: int) -> Shaped[np.ndarray, "guesses test"]:
    """Draw classes with the frequencies of the training units, shape (guesses, test)."""
    rng = np.random.default_rng(seed)
    return rng.choice(cohort.truth[split.train], size=(GUESSES, len(split.test)))


def predict_majority(cohort: Cohort, split: Split) -> Shaped[np.ndarray, " test"]:
    """Predict the most frequent class of the training units, shape (test,)."""
    names, counts = np.unique(cohort.truth[split.train], return_counts=True)
    return np.full(len(split.test), names[counts.argmax()])


def embed_rates(cohort: Cohort) -> tuple[Embeddings, ...]:
    """Embed every recording by the logarithms of firing rate and duration, or of duration if all recordings are traces.

    If only some recordings have spikes, the first dimension is 0 for recordings with traces. For recordings of a
    dataset, rates and durations are taken from the dataset.
    """
    known = [(each.spikes, each.observed_s) for each in cohort.stored] or [
        (each.activity.counts() if isinstance(each.activity, Spikes) else None, each.unit_duration_s())
        for each in cohort.populations
    ]
    has_spikes = any(spikes is not None for spikes, _ in known)
    found = []
    for population, (spikes, observed_s) in zip(cohort.populations, known, strict=True):
        seconds = np.maximum(observed_s, 1e-3)
        rate = np.zeros(len(seconds)) if spikes is None else np.log10((spikes + 0.5) / seconds)
        columns = [rate, np.log10(seconds)] if has_spikes else [np.log10(seconds)]
        found.append(Embeddings.of(population, np.column_stack(columns)))
    return tuple(found)


def correlate(population: Population) -> Float64[np.ndarray, "units units"]:
    """Correlate spike counts in bins of 50 ms, or traces. The correlation is 0 for a unit that never changes."""
    if isinstance(population.activity, Spikes):
        values = population.binned(BIN_S).astype(np.float64)
    else:
        values = np.nan_to_num(population.activity.values.astype(np.float64))
    centred = values - values.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    scaled = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    return np.asarray(scaled @ scaled.T)


def predict_from_neighbours(
    cohort: Cohort, split: Split, alike: Mapping[int, Float64[np.ndarray, "units units"]]
) -> Shaped[np.ndarray, " test"]:
    """Predict each test unit from the training units of its recording with the most correlated activity.

    Each of the 15 most correlated units votes, weighted by its correlation. If a recording has no training unit, or no
    training unit correlates with a test unit, the prediction is the majority class.

    Parameters
    ----------
    cohort, split
        The units, and which of them are used for training and for the test.
    alike
        Correlations of the units of each recording, by its index, see `correlate`.

    Returns
    -------
    array
        Classes, shape (test,).
    """
    predicted = predict_majority(cohort, split).astype(object)
    for recording in np.unique(cohort.recording[split.test]).tolist():
        rows = cohort.find_rows(recording)
        train, test = np.intersect1d(rows, split.train), np.intersect1d(rows, split.test)
        if not len(train):
            continue
        names, at = np.unique(cohort.truth[train], return_inverse=True)
        near = alike[recording][np.ix_(cohort.row[test], cohort.row[train])]
        voters = np.argsort(-near, axis=1, kind="stable")[:, :NEIGHBOURS]
        weight = np.maximum(np.take_along_axis(near, voters, axis=1), 0)
        votes = np.stack([(weight * (at[voters] == k)).sum(axis=1) for k in range(len(names))], axis=1)
        voted = votes.max(axis=1) > 0  # a unit that correlates with none has no vote
        predicted[np.searchsorted(split.test, test[voted])] = names[votes.argmax(axis=1)[voted]]
    return predicted.astype(np.str_)
