"""Clusters of vectors, their places in two dimensions, and what sets them apart."""

from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.clusters import Clusters, describe_clusters, find_clusters
from nwb_neurid.population import Population, Spikes
from nwb_neurid.results import Embeddings
from nwb_neurid.writers.phy import make_columns
from nwb_neurid.writers.table import make_table


@pytest.fixture
def population():
    """12 slow units with wide spikes, 8 fast ones with narrow spikes, one silent."""
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, 100, 200 if unit < 12 else 3000)) for unit in range(20)]
    waves = np.zeros((21, 60), np.float32)
    waves[:, 20] = -1
    waves[:12, 38], waves[12:, 26] = 0.5, 0.5
    return Population(
        unit_ids=np.arange(21),
        activity=Spikes.of([*trains, np.empty(0)]),
        observed_s=np.array([[0.0, 100.0]]),
        waveforms_uv=waves,
        waveform_rate_hz=30000.0,
    )


@pytest.fixture
def embeddings(population):
    vectors = np.random.default_rng(1).normal(0, 0.3, (21, 4))
    vectors[12:, 0] += 10
    return Embeddings.of(population, vectors, reasons=[""] * 20 + ["no spikes"])


def test_units_that_are_alike_are_one_cluster(embeddings):
    found = find_clusters(embeddings)
    assert found.cluster.tolist()[20] == -1
    assert (found.count, set(found.cluster[:12].tolist()) - {-1}, set(found.cluster[12:20].tolist()) - {-1}) == (
        2,
        {0},
        {1},
    )
    assert np.isnan(found.places[20]).all()
    assert found.summary.startswith("clusters: 2 (")


def test_the_scale_of_a_dimension_does_not_matter(embeddings):
    found = find_clusters(embeddings)
    scaled = replace(embeddings, vectors=(embeddings.vectors * np.array([1, 10, 1, 1])).astype(np.float32))
    np.testing.assert_array_equal(find_clusters(scaled).cluster, found.cluster)
    np.testing.assert_allclose(find_clusters(scaled).places, found.places, atol=1e-4)


def test_of_few_units_or_equal_ones_there_are_none(population, embeddings):
    alike = Embeddings.of(population, np.ones((21, 3)))
    assert find_clusters(alike) is None
    rows = np.r_[np.full(9, ""), np.full(12, "no spikes")]
    vectors = np.where(rows[:, None] == "", embeddings.vectors, np.nan).astype(np.float32)
    assert find_clusters(replace(embeddings, vectors=vectors, reasons=rows)) is None


def test_what_sets_a_cluster_apart_is_said_in_words(population, embeddings):
    slow, fast = describe_clusters(population, find_clusters(embeddings))
    assert fast.startswith("cluster 1, ")
    assert "trough to peak 0.2 ms (others 0.6)" in fast
    assert "firing rate 30 Hz (others 2)" in fast
    assert "firing rate 2 Hz (others 30)" in slow


def test_tables_and_phy_have_them_as_columns(population, embeddings):
    table = make_table(population, embeddings)
    found = find_clusters(embeddings)
    assert table["cluster"].fillna(-1).astype(int).tolist() == found.cluster.tolist()
    np.testing.assert_array_equal(table[["map_x", "map_y"]].to_numpy(), found.places)
    columns = make_columns("isi", embeddings)
    assert columns["neurid_isi_cluster"].tolist() == [str(each) if each >= 0 else "" for each in found.cluster.tolist()]


def test_the_peak_of_the_autocorrelogram_sets_a_cluster_apart():
    """Pairs of spikes at random times: 5 ms apart in one cluster, 20 ms in the other."""
    first_s = np.sort(np.random.default_rng(0).uniform(0.5, 60, 400))
    trains = [np.sort(np.r_[first_s, first_s + apart_s]) for apart_s in [0.005] * 12 + [0.02] * 8]
    recording = Population(unit_ids=np.arange(20), activity=Spikes.of(trains), observed_s=np.array([[0.0, 61.0]]))
    found = Clusters(cluster=np.repeat([0, 1], [12, 8]), places=np.zeros((20, 2)))
    short, long = describe_clusters(recording, found)
    assert "ACG peak 5 ms (others 20)" in short
    assert "ACG peak 20 ms (others 5)" in long
    few = replace(recording, activity=Spikes.of([train[:20] for train in trains]))
    assert "ACG peak" not in describe_clusters(few, found)[0]
    coarse = replace(recording, activity=replace(recording.activity, resolution_s=0.01))
    assert "ACG peak" not in describe_clusters(coarse, found)[0]
