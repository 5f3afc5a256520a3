"""Clusters of vectors, and a map in two dimensions, for recordings without labels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.correlogram import count_pairs
from nwb_neurid.population import Population, Spikes
from nwb_neurid.results import Embeddings

FEWEST_UNITS = 10
"""Smallest number of units with a vector for which clusters are computed."""

MOST_UNITS = 20_000
"""Largest number of units for which clusters are computed. With more units, it would take minutes."""

FEWEST_DIMENSIONS = 3
COMPONENTS = 10
NONE = -1
LATE_S, BURST_S = 0.1, 0.01
ACG_S, SMOOTHING_BINS, FEWEST_PAIRS = 1e-3, 2.0, 100


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Clusters:
    """Clusters of the units of a recording, and positions of the units on a two-dimensional map.

    Parameters
    ----------
    cluster
        Number of the cluster of each unit, from 0 for the largest, shape (units,); -1 for a unit in no cluster.
    places
        The first two principal components of the standardised vectors, shape (units, 2); NaN for a unit without a
        vector.
    """

    cluster: Int64[np.ndarray, " units"]
    places: Float64[np.ndarray, "units 2"]

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.cluster.max(initial=NONE)) + 1

    @property
    def summary(self) -> str:
        """One line on the number of clusters and their sizes.

        Examples
        --------
        >>> Clusters(cluster=np.array([0, 0, -1]), places=np.zeros((3, 2))).summary
        'clusters: 1 (2 units), 1 unit in none'
        """
        alone = int((self.cluster == NONE).sum())
        rest = f"{alone} unit{'' if alone == 1 else 's'} in none"
        if not self.count:
            return f"clusters: none, {rest}"
        sizes = np.bincount(self.cluster[self.cluster != NONE])
        return f"clusters: {self.count} ({', '.join(map(str, sizes.tolist()))} units), {rest}"


def find_clusters(embeddings: Embeddings) -> Clusters | None:
    """Find clusters of vectors by HDBSCAN (Campello, Moulavi and Sander 2013), and the first two components.

    Parameters
    ----------
    embeddings
        Vectors of one recording.

    Returns
    -------
    Clusters or None
        None if there are fewer than 10 or more than 20,000 vectors, or fewer than three dimensions, or if all vectors
        are the same. Units between clusters belong to no cluster. No cluster holds more than half of the units, because
        such a cluster would not be informative.

    Examples
    --------
    >>> from nwb_neurid.testing import mock_population
    >>> vectors = np.repeat(np.eye(3)[:2] * 9, 10, axis=0) + np.random.default_rng(0).normal(0, 0.1, (20, 3))
    >>> find_clusters(Embeddings.of(mock_population(units=20), vectors)).cluster.tolist()[::10]
    [0, 1]
    """
    seen = np.flatnonzero(embeddings.reasons == "")
    if not FEWEST_UNITS <= len(seen) <= MOST_UNITS or embeddings.vectors.shape[1] < FEWEST_DIMENSIONS:
        return None
    from sklearn.cluster import HDBSCAN

    vectors = embeddings.vectors[seen].astype(np.float64)
    spread = vectors.std(axis=0)
    scaled = (vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, 1)
    values, axes = np.linalg.eigh(scaled.T @ scaled)
    axes = axes[:, np.argsort(-values, kind="stable")[: min(COMPONENTS, len(seen))]]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])  # the sign of an axis is free
    points = scaled @ axes
    if not points.any():
        return None
    smallest = max(5, len(seen) // 50)
    found = HDBSCAN(min_cluster_size=smallest, max_cluster_size=len(seen) // 2, min_samples=3, copy=True).fit_predict(
        points
    )
    sizes = np.bincount(found[found >= 0])
    order = np.argsort(np.argsort(-sizes, kind="stable"), kind="stable")
    cluster = np.full(len(embeddings), NONE)
    cluster[seen] = [NONE if own < 0 else order[own] for own in found.tolist()]
    places = np.full((len(embeddings), 2), np.nan)
    places[seen] = points[:, :2]
    return Clusters(cluster=cluster, places=places)


def describe_clusters(population: Population, clusters: Clusters) -> list[str]:
    """Describe what distinguishes each cluster from the other units, in words.

    Parameters
    ----------
    population
        The recording.
    clusters
        The clusters of its units.

    Returns
    -------
    list of str
        A line for each cluster: its size, and the median of up to three measures that differ most from those of the
        other units, such as "cluster 1, 12 units: firing rate 21 Hz (others 3.2)".
    """
    measures = _measure(population)
    lines = []
    for number in range(clusters.count):
        own = clusters.cluster == number
        found = []
        for name, values in measures.items():
            inside, outside = values[own & np.isfinite(values)], values[~own & np.isfinite(values)]
            if len(inside) < 3 or len(outside) < 3:
                continue
            spread = np.subtract(*np.percentile(np.r_[inside, outside], [75, 25]))
            apart = abs(np.median(inside) - np.median(outside)) / spread if spread > 0 else 0.0
            if apart >= 0.5:
                label, _, unit = name.partition(" in ")
                unit = f" {unit}" if unit else ""
                text = f"{label} {np.median(inside):.2g}{unit} (others {np.median(outside):.2g})"
                found.append((-apart, text))
        told = ", ".join(text for _, text in sorted(found)[:3]) or "no measure distinguishes it"
        lines.append(f"cluster {number}, {int(own.sum())} units: {told}")
    return lines


def _measure(population: Population) -> dict[str, Float64[np.ndarray, " units"]]:
    """Measure firing rate, burst index, median interval, ACG peak and waveform width of units with spikes."""
    if not isinstance(population.activity, Spikes):
        return {}
    found = {
        name: np.full(len(population), np.nan)
        for name in ("firing rate in Hz", "burst index", "median interval in s", "ACG peak in ms")
    }
    coarse = population.resolution_s() > ACG_S
    observed_s = population.unit_duration_s()
    for unit in range(len(population)):
        steps = population.intervals_s(unit)
        if len(steps) < 2 or observed_s[unit] <= 0:
            continue
        found["firing rate in Hz"][unit] = len(population.spikes.train_s(unit)) / observed_s[unit]
        found["burst index"][unit] = (steps < BURST_S).sum() / max((steps < LATE_S).sum(), 1)
        found["median interval in s"][unit] = np.median(steps)
        if not coarse:
            found["ACG peak in ms"][unit] = _find_peak_ms(population.spikes.train_s(unit), population.runs_s(unit))
    if population.waveforms_uv is not None and population.waveform_rate_hz is not None:
        waves = population.waveforms_uv
        width = np.full(len(population), np.nan)
        for unit in np.flatnonzero(np.isfinite(waves).all(axis=1)).tolist():
            trough = int(waves[unit].argmin())
            width[unit] = 1e3 * int(waves[unit][trough:].argmax()) / population.waveform_rate_hz
        found["trough to peak in ms"] = width
    return found


def _find_peak_ms(train_s: Float64[np.ndarray, " spikes"], runs_s: Float64[np.ndarray, "runs 2"]) -> float:
    """Find the lag of the peak of the smoothed autocorrelogram, up to 100 ms. NaN with fewer than 100 pairs."""
    from scipy.ndimage import gaussian_filter1d

    pairs = count_pairs(train_s, runs_s, (np.arange(round(LATE_S / ACG_S) + 1) + 0.5) * ACG_S)
    if pairs.sum() < FEWEST_PAIRS:
        return np.nan
    return 1e3 * ACG_S * (1 + int(gaussian_filter1d(pairs.astype(np.float64), SMOOTHING_BINS).argmax()))
