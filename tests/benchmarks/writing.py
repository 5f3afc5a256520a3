"""Writing results into a file of 300 MB, and very many of them in every way, against copying the file."""

import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import repeat

from nwb_neurid.writers.nwb.store import write

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from recordings import make_embeddings, make_recording, make_zarr

WAYS = {"": {}, " as a sidecar": {"sidecar": True}}


def copy(path: Path) -> None:
    """A copy that is as safe: on the disk, not only in memory."""
    twin = shutil.copyfile(path, path.with_name("twin.nwb"))
    with open(twin, "rb+") as file:  # noqa: PTH123 - a descriptor is needed
        os.fsync(file.fileno())


def fastest_s(step: object) -> float:
    """The fastest of three rounds, in seconds."""
    return min(repeat(step, number=1, repeat=3))


with TemporaryDirectory() as folder:
    path = make_recording(Path(folder) / "recording.nwb", 300, units=1_000)
    ours = fastest_s(lambda: write(path, make_embeddings(1_000), overwrite=True))
    rival = fastest_s(lambda: copy(path))
    print(f"write 1,000 x 512 into 300 MB: {ours:.2f} s, {ours / rival:.2f} x a copy of the file ({rival:.2f} s)")

with TemporaryDirectory() as folder:
    path = make_recording(Path(folder) / "recording.nwb", 1.6, units=100_000)
    embeddings = make_embeddings(100_000)
    for way, options in WAYS.items():
        ours = fastest_s(lambda options=options: write(path, embeddings, overwrite=True, **options))
        rival = fastest_s(lambda: copy(path))
        print(f"write 100,000 x 512{way}: {ours:.2f} s; a copy of the file: {rival:.2f} s")
    zarr = make_zarr(make_recording(Path(folder) / "other.nwb", 1.6, units=100_000), Path(folder) / "other.nwb.zarr")
    print(f"write 100,000 x 512 into a Zarr folder: {fastest_s(lambda: write(zarr, embeddings, overwrite=True)):.2f} s")
