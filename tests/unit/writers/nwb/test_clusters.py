"""Clusters and two dimensions stand in the table of vectors, for programs that know nothing of nwb-neurid."""

import subprocess
import sys

import numpy as np
import pynwb
import pytest

import nwb_neurid
from nwb_neurid.clusters import find_clusters
from nwb_neurid.results import Embeddings, Provenance
from nwb_neurid.simulate import simulate, write_nwb

READ = """
import sys
from pynwb import NWBHDF5IO
with NWBHDF5IO(sys.argv[1], "r") as io:
    table = io.read().processing["ecephys"]["neurid_isi_embeddings"]
    frame = table.to_dataframe()
    assert "nwb_neurid" not in sys.modules
    print(table.colnames)
    print(frame["cluster"].tolist())
    print(frame["map_x"].round(3).tolist())
    print(table["cluster"].description)
"""


@pytest.fixture
def recording(tmp_path):
    return write_nwb(simulate(31, 5.0, 0), tmp_path / "recording.nwb")


def three_clouds(unit_ids):
    """30 vectors around three centres, and a unit without one."""
    vectors = np.repeat(9 * np.eye(3, 4), 10, axis=0) + np.random.default_rng(0).normal(0, 0.1, (30, 4))
    return Embeddings(
        vectors=np.vstack([vectors, np.full(4, np.nan)]).astype(np.float32),
        unit_ids=unit_ids,
        n_windows=np.r_[np.ones(30), 0].astype(np.int32),
        stability=np.full(31, np.nan, np.float32),
        reasons=np.array([""] * 30 + ["silent"]),
        provenance=Provenance(encoder="isi", encoder_version="1"),
    )


def test_pynwb_reads_them_without_us(recording):
    embeddings = three_clouds(nwb_neurid.read(recording).unit_ids)
    nwb_neurid.write(recording, embeddings, name="neurid_isi")
    done = subprocess.run([sys.executable, "-c", READ, recording], capture_output=True, text=True, check=True)
    names, cluster, map_x, about = done.stdout.splitlines()
    assert names == "('neuron', 'embedding', 'reason', 'cluster', 'map_x', 'map_y')"
    found = find_clusters(embeddings)
    assert cluster == str(found.cluster.tolist()), "the same as in a csv file"
    assert sorted(set(found.cluster.tolist())) == [-1, 0, 1, 2]
    assert map_x.endswith(", nan]")
    assert about.startswith("Cluster of the vector within this recording, by HDBSCAN")
    assert not pynwb.validate(path=recording)
    (back,) = nwb_neurid.read_results(recording)
    np.testing.assert_array_equal(back.embeddings.vectors, embeddings.vectors)


def test_they_stand_in_a_sidecar_and_are_replaced_with_the_vectors(recording):
    embeddings = three_clouds(nwb_neurid.read(recording).unit_ids)
    for _ in range(2):
        path = nwb_neurid.write(recording, embeddings, name="neurid_isi", sidecar=True, overwrite=True)
    with pynwb.NWBHDF5IO(path, "r") as file:
        table = file.read().processing["ecephys"]["neurid_isi_embeddings"]
        assert table["cluster"].data[:].tolist() == find_clusters(embeddings).cluster.tolist()
        assert table["map_y"].data.dtype == np.float32


def test_a_few_units_have_none(recording):
    population = nwb_neurid.read(recording)
    few = np.where(np.arange(31)[:, None] < 9, three_clouds(population.unit_ids).vectors, np.nan).astype(np.float32)
    reasons = np.where(np.isnan(few).any(axis=1), "silent", "").tolist()
    nwb_neurid.write(recording, Embeddings.of(population, few, reasons=reasons, provenance=Provenance(encoder="isi")))
    with pynwb.NWBHDF5IO(recording, "r") as file:
        assert "cluster" not in file.read().processing["ecephys"]["neurid_isi_embeddings"].colnames
