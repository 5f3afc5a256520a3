"""Writing results into a file of 300 MB, against copying the file."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import repeat

import h5py
import numpy as np

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb

with TemporaryDirectory() as folder:
    path = write_nwb(simulate(1_000, 1.0, 0), Path(folder) / "recording.nwb")
    with h5py.File(path, "r+") as file:
        file["scratch/filling"] = np.random.default_rng(0).random(37_500_000)
    population = nwb_neurid.read(path)
    vectors = np.random.default_rng(0).normal(size=(1_000, 512))
    results = nwb_neurid.Embeddings.of(population, vectors, provenance=nwb_neurid.Provenance(encoder="normal"))

    def copy() -> None:
        """A copy that is as safe: on the disk, not only in memory."""
        twin = shutil.copyfile(path, Path(folder) / "twin.nwb")
        with open(twin, "rb+") as file:  # noqa: PTH123 - a descriptor is needed
            os.fsync(file.fileno())

    ours = min(repeat(lambda: nwb_neurid.write(path, results, name="bench", overwrite=True), number=1, repeat=3))
    rival = min(repeat(copy, number=1, repeat=3))
    print(f"write 1,000 x 512 into 300 MB: {ours:.2f} s, {ours / rival:.2f} x a copy of the file ({rival:.2f} s)")
