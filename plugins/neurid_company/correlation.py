"""Correlations between units: their quantiles, loadings on population components, and functional neighbours.

Correlations are computed as matrix products of standardised rows, in pieces. Each unit is correlated with a fixed
number of other units, so the cost grows linearly with the number of units.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, Real

QUANTILES = np.array([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
DIM = len(QUANTILES) + 3
COMPONENTS = 32
MOST_OTHERS = 512
EXACT_UNITS = 1024
"""Maximum number of units for an exact decomposition of the correlation matrix. With more units, it is approximated."""

NEIGHBOUR_CANDIDATES = 4096
PIECE = 512
ROUNDS_OF_SKETCH = 3

Rows = Callable[[slice | Int64[np.ndarray, " rows"]], Float32[np.ndarray, "rows samples"]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Signals:
    """Rows of mean 0 and norm 1. They are computed when they are needed, so that they need not all fit into memory."""

    units: int
    samples: int
    read: Rows

    @classmethod
    def of(cls, values: Real[np.ndarray, "units samples"]) -> "Signals":
        """Make signals from an array of numbers of any type. Each piece is standardised when it is read."""
        return cls(units=len(values), samples=values.shape[1], read=lambda rows: standardise(values[rows]))

    def pieces(self) -> Iterator[tuple[slice, Float32[np.ndarray, "rows samples"]]]:
        """Iterate over all rows, in pieces."""
        for start in range(0, self.units, PIECE):
            rows = slice(start, min(start + PIECE, self.units))
            yield rows, self.read(rows)


def standardise(values: Real[np.ndarray, "rows samples"]) -> Float32[np.ndarray, "rows samples"]:
    """Scale rows to mean 0 and norm 1. A constant row becomes zeros.

    Sums are computed in double precision, but copies are made in single precision. For hours of spikes, allocating
    memory for copies in double precision took longer than the computation.
    """
    mean = values.mean(axis=1, keepdims=True, dtype=np.float64) if values.shape[1] else 0.0
    centred = np.subtract(values, mean, out=np.empty(values.shape, np.float32), casting="same_kind")
    norm = np.sqrt(np.einsum("ij,ij->i", centred, centred, dtype=np.float64))[:, None]
    return np.divide(centred, np.where(norm > 1e-6, norm, 1), out=centred, casting="same_kind")


def describe(
    left: Signals, right: Signals, others: Int64[np.ndarray, " others"]
) -> Float64[np.ndarray, "units features"]:
    """Describe the correlations of each row with other rows.

    The features are quantiles, the mean, the mean absolute value, and the cube root of the mean cube.

    Parameters
    ----------
    left, right
        Signals of the same units; `right` may be later in time.
    others
        Rows with which every row is compared (but not with itself), ascending.

    Returns
    -------
    array
        Shape (units, 10); NaN if there are fewer than three other rows.
    """
    found = np.full((left.units, DIM), np.nan)
    if len(others) < 4:
        return found
    against = right.read(others)
    for rows, values in left.pieces():
        products = (values @ against.T).astype(np.float64)
        itself = others[None, :] == np.arange(rows.start, rows.stop)[:, None]
        products[itself] = np.nan
        known = ~itself
        number = known.sum(axis=1)
        clean = np.where(known, products, 0.0)
        means = [clean.sum(1) / number, np.abs(clean).sum(1) / number, np.cbrt((clean**3).sum(1) / number)]
        found[rows] = np.column_stack([_quantiles(products, number), *means])
    return found


def _quantiles(
    products: Float64[np.ndarray, "rows others"], number: Int64[np.ndarray, " rows"]
) -> Float64[np.ndarray, "rows quantiles"]:
    """Compute quantiles of the known values in each row by linear interpolation. NaN are sorted to the end."""
    ordered = np.sort(products, axis=1)
    at = QUANTILES * (number[:, None] - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, number[:, None] - 1)
    below, above = np.take_along_axis(ordered, low, 1), np.take_along_axis(ordered, high, 1)
    return np.asarray(below + (at - low) * (above - below))


def load(signals: Signals) -> Float64[np.ndarray, "units components"]:
    """Compute loadings on the components of the population. Each component is weighted by its variance beyond noise.

    The product of the loadings of two units is their correlation without the noise of single pairs.
    """
    number = min(COMPONENTS, max(2, signals.units // 4))
    if signals.units <= EXACT_UNITS:
        whole = np.concatenate([values for _, values in signals.pieces()])
        matrix = (whole @ whole.T).astype(np.float64)
        np.fill_diagonal(matrix, 0.0)
        size, vectors = np.linalg.eigh(matrix)
        kept = np.argsort(-np.abs(size), kind="stable")[:number]
        return np.asarray(vectors[:, kept] * np.abs(size[kept]))
    return _sketch(signals, number)


def _sketch(signals: Signals, number: int) -> Float64[np.ndarray, "units components"]:
    """Approximate the leading components by randomised subspace iteration.

    It starts with random vectors along time, not units.
    """
    wide = min(number + 16, signals.samples)
    basis = np.random.default_rng(0).standard_normal((signals.samples, wide)).astype(np.float32)
    for _ in range(ROUNDS_OF_SKETCH):
        product = np.zeros((signals.samples, wide), np.float64)
        for _, values in signals.pieces():
            product += values.T @ (values @ basis)
        basis = np.linalg.qr(product)[0].astype(np.float32)
    scores = np.concatenate([values @ basis for _, values in signals.pieces()]).astype(np.float64)
    size, turn = np.linalg.eigh(scores.T @ scores)
    kept = np.argsort(-size, kind="stable")[:number]
    vectors = scores @ turn[:, kept] / np.sqrt(np.maximum(size[kept], 1e-12))
    return np.asarray(vectors * np.maximum(size[kept] - 1, 0.0))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Neighbours:
    """The functional neighbours of each unit. Their weights sum to 1, or to 0 if a unit has no neighbours."""

    rows: Int64[np.ndarray, "units neighbours"]
    weights: Float64[np.ndarray, "units neighbours"]

    def average(self, vectors: Float64[np.ndarray, "units dim"]) -> Float64[np.ndarray, "units dim"]:
        """Return the weighted mean of the vectors of the neighbours of each unit."""
        found = np.empty_like(vectors)
        for start in range(0, len(vectors), PIECE):
            part = slice(start, start + PIECE)
            found[part] = np.einsum("uk,ukd->ud", self.weights[part], vectors[self.rows[part]])
        return found


def find_neighbours(
    loadings: Float64[np.ndarray, "units components"], usable: Int64[np.ndarray, " usable"], most: int
) -> Neighbours:
    """Find the units with the most similar loadings to each unit. Their weight is the cosine similarity.

    Parameters
    ----------
    loadings
        Loadings from `load`.
    usable
        Rows of units that have a vector, ascending.
    most
        Largest number of neighbours of a unit. It is limited to an eighth of the units.
    """
    norm = np.linalg.norm(loadings, axis=1)
    pointing = loadings / np.where(norm > 1e-12, norm, 1)[:, None]
    pool = usable
    if len(usable) > NEIGHBOUR_CANDIDATES:
        strongest = np.argsort(-norm[usable], kind="stable")[:NEIGHBOUR_CANDIDATES]
        pool = np.sort(usable[strongest])
    number = min(most, max(3, len(usable) // 8), max(len(pool) - 1, 0))
    rows = np.zeros((len(loadings), number), np.int64)
    weights = np.zeros((len(loadings), number))
    for start in range(0, len(loadings) if number else 0, PIECE):
        part = np.arange(start, min(start + PIECE, len(loadings)))
        cosine = pointing[part] @ pointing[pool].T
        cosine[pool[None, :] == part[:, None]] = -np.inf
        nearest = np.argpartition(-cosine, number - 1, axis=1)[:, :number]
        rows[part] = pool[nearest]
        weights[part] = np.maximum(np.take_along_axis(cosine, nearest, 1), 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return Neighbours(rows=rows, weights=weights / np.where(total > 0, total, 1))
