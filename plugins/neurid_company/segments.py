"""Two parts of the observed time of a recording that do not overlap."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from nwb_neurid.population import Population

SHORTEST_S = 10.0
"""Minimum length of a part. Shorter parts contain too little information on a unit."""

LONGEST_HALF_S = 90.0
"""Maximum length of the two parts from which the stability is computed. Longer parts would double the time of
embedding.
"""

SHARES = (0.25, 0.5)
"""Minimum and maximum share of a recording in a part."""


def draw_pair(population: Population, rng: np.random.Generator) -> tuple[Population, Population]:
    """Draw two parts of the same length, one after the other in observed time, and return them in random order."""
    whole_s = population.duration_s
    share = max(rng.uniform(*SHARES), min(SHORTEST_S / whole_s, SHARES[1]))
    length_s = share * whole_s
    first, second = np.sort(rng.uniform(0, whole_s - 2 * length_s + 1e-9, 2)) + np.array([0.0, length_s])
    parts = [_cut(population, start_s, start_s + length_s) for start_s in rng.permutation([first, second])]
    return parts[0], parts[1]


def draw_halves(population: Population) -> tuple[Population, Population] | None:
    """Split observed time into two halves. If they are longer than `LONGEST_HALF_S`, the middle of each is used.

    Return None if the halves are too short.
    """
    half_s = population.duration_s / 2
    if half_s < SHORTEST_S:
        return None
    length_s = min(half_s, LONGEST_HALF_S)
    begins_s = [middle_s - length_s / 2 for middle_s in (half_s / 2, 3 * half_s / 2)]
    first, second = (_cut(population, begin_s, begin_s + length_s) for begin_s in begins_s)
    return first, second


def _cut(population: Population, start_s: float, stop_s: float) -> Population:
    """Restrict a population to a range of observed time, measured from its beginning without gaps."""
    intervals = list(_intervals(population.runs_s(), start_s, stop_s))
    return population.restrict(np.array(intervals).reshape(-1, 2))


def _intervals(runs_s: Float64[np.ndarray, "runs 2"], start_s: float, stop_s: float) -> Iterator[tuple[float, float]]:
    before_s = 0.0
    for begin_s, end_s in runs_s.tolist():
        low, high = max(start_s - before_s, 0.0), min(stop_s - before_s, end_s - begin_s)
        if high - low > 1e-3:
            yield begin_s + low, begin_s + high
        before_s += end_s - begin_s
