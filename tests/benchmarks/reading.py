"""Reading the units of a large file, against a bare bulk read of the spike times with h5py."""

import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import timeit

import h5py
import numpy as np

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb

UNITS, SPIKES = 1_000, 36_000_000


def enlarge(path: Path, **storage: object) -> None:
    """Give the file 1,000 units with 36 million spikes over an hour."""
    times = np.sort(np.random.default_rng(0).uniform(0, 3600, (UNITS, SPIKES // UNITS)), axis=1).ravel()
    with h5py.File(path, "r+") as file:
        old = file["units/spike_times"]
        kept = dict(old.attrs)
        del file["units/spike_times"]
        column = file["units"].create_dataset("spike_times", data=times, **storage)
        column.attrs.update(kept)
        index = file["units/spike_times_index"]
        attrs = dict(index.attrs)
        del file["units/spike_times_index"]
        ends = np.arange(1, UNITS + 1, dtype=np.uint32) * (SPIKES // UNITS)
        file["units"].create_dataset("spike_times_index", data=ends).attrs.update(attrs)
        file["units/spike_times_index"].attrs["target"] = column.ref
        file["units/obs_intervals"][:] = [0.0, 3600.0]


def bare(path: Path) -> np.ndarray:
    """The column, and nothing else."""
    with h5py.File(path, "r") as file:
        return file["units/spike_times"][:]


warnings.simplefilter("ignore", nwb_neurid.NeuridWarning)
with TemporaryDirectory() as folder:
    template = write_nwb(simulate(UNITS, 1.0, 0), Path(folder) / "recording.nwb")
    for name, storage in (
        ("uncompressed", {"chunks": (524_288,)}),
        ("one compressed chunk", {"chunks": (SPIKES,), "compression": "gzip", "compression_opts": 1}),
    ):
        enlarge(template, **storage)
        rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
        both = ([], [])  # by turns, so that other work falls on both
        for _ in range(rounds):
            both[0].append(timeit(lambda: nwb_neurid.read(template), number=1))
            both[1].append(timeit(lambda: bare(template), number=1))
        ours, rival = map(min, both)
        print(f"read {SPIKES:,} spikes, {name}: {ours:.2f} s, {ours / rival:.2f} x a bare h5py read ({rival:.2f} s)")
