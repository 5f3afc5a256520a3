"""Groups of units with similar vectors, to have something to look at where no label is known."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Shaped

from nwb_neurid.results import Embeddings

COMPONENTS = 10
FEWEST, SHARE = 5, 0.04
NEIGHBOURS = 3


class Clusters(NamedTuple):
    """Which cluster each unit is in: its number as text, the largest first; "" for a unit in none."""

    names: Shaped[np.ndarray, " units"]
    smallest: int


def find_clusters(embeddings: Embeddings) -> Clusters:
    """Find clusters by HDBSCAN (Campello et al. 2013) on the first 10 principal components of standardised vectors.

    No cluster holds more than half of the units: what most have in common tells nothing. Many units are in none.

    Parameters
    ----------
    embeddings
        The vectors; units without one are in no cluster.
    """
    from sklearn.cluster import HDBSCAN

    seen = np.flatnonzero(embeddings.reasons == "")
    smallest = max(FEWEST, round(SHARE * len(seen)))
    names = np.full(len(embeddings), "", dtype="<U12")
    if len(seen) >= 2 * smallest:
        points = project_linearly(embeddings.vectors[seen].astype(np.float64), COMPONENTS)
        method = HDBSCAN(min_cluster_size=smallest, max_cluster_size=len(seen) // 2, min_samples=NEIGHBOURS, copy=True)
        found = method.fit_predict(points)
        numbers, counts = np.unique(found[found >= 0], return_counts=True)
        for rank, number in enumerate(numbers[np.argsort(-counts, kind="stable")].tolist(), 1):
            names[seen[found == number]] = str(rank)
    return Clusters(names, smallest)


def project_linearly(
    vectors: Float64[np.ndarray, "units dim"], components: int
) -> Float64[np.ndarray, "units components"]:
    """The first principal components of standardised vectors; as many as there are."""
    spread = vectors.std(axis=0)
    scaled = (vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, 1)
    _, _, axes = np.linalg.svd(scaled.T @ scaled)
    return np.asarray(scaled @ axes[:components].T)
