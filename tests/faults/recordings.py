"""Recordings to write to, results to write, and comparing what is left."""

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from nwb_neurid.ndx.compaction import same
from nwb_neurid.ndx.overlay import Overlay
from nwb_neurid.ndx.store import read, remove
from nwb_neurid.results import Embeddings, Provenance

SPIKES_PER_MEGABYTE = 125_000


def make_recording(path: Path, megabytes: float, units: int = 200) -> Path:
    """An NWB file by PyNWB of about that size, most of it spike times."""
    from pynwb import NWBHDF5IO, NWBFile

    rng = np.random.default_rng(0)
    start = datetime(2020, 1, 1, tzinfo=UTC)
    nwbfile = NWBFile(session_description="Poisson neurons.", identifier="made", session_start_time=start)
    count = max(2, int(megabytes * SPIKES_PER_MEGABYTE / units))
    for unit in range(units):
        nwbfile.add_unit(spike_times=np.sort(rng.uniform(0, 3600, count)), id=unit)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def make_embeddings(units: int = 200, dim: int = 512) -> Embeddings:
    """Vectors for its units."""
    return Embeddings(
        vectors=np.random.default_rng(1).normal(size=(units, dim)).astype(np.float32),
        unit_ids=np.arange(units),
        n_windows=np.full(units, 3, np.int32),
        stability=np.full(units, np.nan, np.float32),
        reasons=np.full(units, ""),
        provenance=Provenance(encoder="made"),
    )


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files are the same, byte for byte."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(2**24):
            if block != second.read(2**24):
                return False
    return True


def is_finished(path: Path, pristine: Path, embeddings: Embeddings) -> bool:
    """Whether the file holds the results, and without them everything that it held before."""
    (found,) = read(path)
    without = remove(path, found.name, output=path.with_name("without.nwb"), overwrite=True)
    with Overlay(without) as one, Overlay(pristine) as other, h5py.File(one) as first, h5py.File(other) as second:
        kept = same(first, second)
    without.unlink()
    return kept and np.array_equal(found.embeddings.vectors, embeddings.vectors)


def strays(path: Path) -> list[str]:
    """What lies beside the file."""
    return sorted(other.name for other in path.parent.iterdir() if other != path)
