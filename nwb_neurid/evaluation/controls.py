"""Baselines for a score: guesses, the majority class, rate and duration, correlated activity."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

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


def embed_rates(populations: Sequence[Population]) -> tuple[Embeddings, ...]:
    """Embed every recording by the firing rate and the duration of its units alone, all with the same dimensions.

    If only some recordings have spikes, the rate is 0 for those with traces.
    """
    found = [_embed_rate(population) for population in populations]
    width = max(each.vectors.shape[1] for each in found)
    return tuple(
        replace(each, vectors=np.pad(each.vectors, ((0, 0), (width - each.vectors.shape[1], 0)))) for each in found
    )


def embed_stored_rates(cohort: Cohort) -> tuple[Embeddings, ...]:
    """Embed the recordings of a dataset like `embed_rates`, from the rates and durations that the dataset contains."""
    found, has_spikes = [], any(each.spikes is not None for each in cohort.stored)
    for population, each in zip(cohort.populations, cohort.stored, strict=True):
        seconds = np.maximum(each.observed_s, 1e-3)
        rate = np.zeros(len(seconds)) if each.spikes is None else np.log10((each.spikes + 0.5) / seconds)
        columns = [rate, np.log10(seconds)] if has_spikes else [np.log10(seconds)]
        found.append(Embeddings.of(population, np.column_stack(columns)))
    return tuple(found)


def _embed_rate(population: Population) -> Embeddings:
    """The logarithms of rate and duration, or of the duration alone for traces."""
    seconds = np.maximum(population.unit_duration_s(), 1e-3)
    if not isinstance(population.activity, Spikes):
        return Embeddings.of(population, np.log10(seconds)[:, None])
    rate_hz = (population.activity.counts() + 0.5) / seconds
    return Embeddings.of(population, np.column_stack([np.log10(rate_hz), np.log10(seconds)]))


def correlate(population: Population) -> Float64[np.ndarray, "units units"]:
    """Correlate spike counts in bins of 50 ms, or traces; 0 where a unit never changes."""
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
