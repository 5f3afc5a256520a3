"""What every reader owes."""

from pathlib import Path

import numpy as np
import pytest

from nwb_neurid.readers.neo import PLUGIN as NEO
from nwb_neurid.readers.nwb import PLUGIN as NWB
from nwb_neurid.readers.spikeinterface import PLUGIN as SPIKEINTERFACE
from nwb_neurid.readers.suite2p import PLUGIN as SUITE2P
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.testing import ReaderConformance


class TestNwb(ReaderConformance):
    plugin = NWB

    def source(self, folder: Path) -> Path:
        return write_nwb(simulate(5, 10.0, 3), folder / "recording.nwb")


class TestSuite2p(ReaderConformance):
    plugin = SUITE2P

    def source(self, folder: Path) -> Path:
        plane = folder / "plane0"
        plane.mkdir()
        traces = np.random.default_rng(0).normal(100, 5, (4, 300)).astype(np.float32)
        np.save(plane / "F.npy", traces)
        np.save(plane / "Fneu.npy", traces / 2)
        np.save(plane / "spks.npy", np.abs(traces))
        np.save(plane / "iscell.npy", np.ones((4, 2)))
        np.save(plane / "ops.npy", np.array({"fs": 30.0}, object), allow_pickle=True)
        return plane


class TestPhy(ReaderConformance):
    plugin = SPIKEINTERFACE

    def source(self, folder: Path) -> Path:
        rng = np.random.default_rng(0)
        np.save(folder / "spike_times.npy", np.sort(rng.integers(0, 300_000, 500)))
        np.save(folder / "spike_clusters.npy", rng.integers(0, 4, 500))
        (folder / "params.py").write_text("sample_rate = 30000.0\n", "utf-8")
        return folder


class TestNeo(ReaderConformance):
    plugin = NEO

    def source(self, _folder: Path) -> object:
        neo = pytest.importorskip("neo")
        times = np.sort(np.random.default_rng(0).uniform(0, 10, 50))
        return [neo.SpikeTrain(times, units="s", t_start=0, t_stop=10), neo.SpikeTrain(times, units="s", t_stop=10)]
