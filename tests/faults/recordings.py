"""Recordings to write to, results to write, and comparing what is left."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from nwb_neurid.results import Embeddings, Provenance
from nwb_neurid.writers.nwb.removal import are_same
from nwb_neurid.writers.nwb.store import read, remove

SPIKES_PER_MEGABYTE = 125_000


def make_recording(path: Path, megabytes: float, units: int = 200) -> Path:
    """An NWB file by PyNWB of about that size, most of it spike times."""
    from hdmf.common import VectorData, VectorIndex
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.misc import Units

    start = datetime(2020, 1, 1, tzinfo=UTC)
    nwbfile = NWBFile(session_description="Poisson neurons.", identifier="made", session_start_time=start)
    count = max(2, int(megabytes * SPIKES_PER_MEGABYTE / units))
    times_s = np.sort(np.random.default_rng(0).uniform(0, 3600, (units, count)), axis=1)
    spikes = VectorData(name="spike_times", description="When each unit fired.", data=times_s.ravel())
    ends = VectorIndex(name="spike_times_index", data=np.arange(1, units + 1) * count, target=spikes)
    nwbfile.units = Units(name="units", description="The neurons.", id=np.arange(units), columns=[ends, spikes])
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def make_zarr(source: Path, path: Path) -> Path:
    """The same recording as a Zarr folder by hdmf-zarr."""
    from hdmf_zarr import NWBZarrIO
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(source, "r") as recorded, NWBZarrIO(str(path), "w") as io:
        io.export(src_io=recorded, write_args={"link_data": False})
    return path


def copied(source: Path, path: Path) -> Path:
    """A copy of a file or a folder, in place of what was there."""
    if source.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return Path(shutil.copytree(source, path))
    return Path(shutil.copyfile(source, path))


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
    """Whether two files, or all files in two folders, are the same, byte for byte."""
    if one.is_dir():
        names = _names(one)
        return names == _names(other) and all(same_bytes(one / name, other / name) for name in names)
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
    if not np.array_equal(found.embeddings.vectors, embeddings.vectors):
        return False
    without = remove(path, found.name, output=path.with_name("without.nwb"), overwrite=True)
    with h5py.File(without) as first, h5py.File(pristine) as second:
        kept = are_same(first, second)
    without.unlink()
    return kept


def _names(folder: Path) -> set[str]:
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}


def strays(path: Path) -> list[str]:
    """What lies beside the file."""
    return sorted(other.name for other in path.parent.iterdir() if other != path)
