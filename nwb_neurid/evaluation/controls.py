"""What a score must be compared with: guessing, the commonest class, rate and duration, and neighbours in activity."""

from collections.abc import Sequence
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


def guessed(cohort: Cohort, split: Split, seed: int) -> Shaped[np.ndarray, "guesses test"]:
    """Classes drawn as often as they occur in the training units, shape (guesses, test)."""
    rng = np.random.default_rng(seed)
    return rng.choice(cohort.truth[split.train], size=(GUESSES, len(split.test)))


def commonest(cohort: Cohort, split: Split) -> Shaped[np.ndarray, " test"]:
    """The commonest class of the training units, shape (test,)."""
    names, counts = np.unique(cohort.truth[split.train], return_counts=True)
    return np.full(len(split.test), names[counts.argmax()])


def rates(population: Population) -> Embeddings:
    """What rate and duration alone tell: their logarithms, as vectors of two dimensions."""
    seconds = population.unit_duration_s()
    if not isinstance(population.activity, Spikes):
        lengths = np.log10(np.maximum(seconds, 1e-3))
        return Embeddings.of(population, lengths[:, None])
    counts = population.activity.counts()
    rate_hz = (counts + 0.5) / np.maximum(seconds, 1e-3)
    return Embeddings.of(population, np.column_stack([np.log10(rate_hz), np.log10(np.maximum(seconds, 1e-3))]))


def rates_of(populations: Sequence[Population]) -> tuple[Embeddings, ...]:
    """`rates` of every recording, all of one width: traces, which have no rate, get a 0 for it beside spikes."""
    found = [rates(population) for population in populations]
    width = max(each.vectors.shape[1] for each in found)
    return tuple(
        replace(each, vectors=np.pad(each.vectors, ((0, 0), (width - each.vectors.shape[1], 0)))) for each in found
    )


def correlations(population: Population) -> Float64[np.ndarray, "units units"]:
    """Correlation of spike counts in bins of 50 ms, or of traces; 0 where a unit never changes."""
    if isinstance(population.activity, Spikes):
        values = population.binned(BIN_S).astype(np.float64)
    else:
        values = np.nan_to_num(population.activity.values.astype(np.float64))
    centred = values - values.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    scaled = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    return np.asarray(scaled @ scaled.T)


def neighbours_say(
    cohort: Cohort, split: Split, alike: dict[int, Float64[np.ndarray, "units units"]]
) -> Shaped[np.ndarray, " test"]:
    """The class that the training units with the most correlated activity in the recording vote for, shape (test,).

    Each of the 15 nearest votes with its correlation. Where a recording has no training unit, or a unit correlates with
    none, the commonest class of all.
    """
    said = commonest(cohort, split).astype(object)
    for recording in np.unique(cohort.recording[split.test]).tolist():
        rows = cohort.rows_of(recording)
        train, test = np.intersect1d(rows, split.train), np.intersect1d(rows, split.test)
        if not len(train):
            continue
        names, at = np.unique(cohort.truth[train], return_inverse=True)
        near = alike[recording][np.ix_(cohort.row[test], cohort.row[train])]
        voters = np.argsort(-near, axis=1, kind="stable")[:, :NEIGHBOURS]
        weight = np.maximum(np.take_along_axis(near, voters, axis=1), 0)
        votes = np.stack([(weight * (at[voters] == k)).sum(axis=1) for k in range(len(names))], axis=1)
        heard = votes.max(axis=1) > 0  # a unit that goes with none has no vote
        said[np.searchsorted(split.test, test[heard])] = names[votes.argmax(axis=1)[heard]]
    return said.astype(np.str_)
