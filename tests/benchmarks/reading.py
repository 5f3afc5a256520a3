"""Reading the units of a large file, against a bare bulk read of the spike times with h5py.

python tests/benchmarks/reading.py
"""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import timeit

import h5py
import numpy as np
from _options import parse_options
from _recordings import replace_spikes

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb

DURATION_S = 3600.0


def read_bare(path: Path) -> np.ndarray:
    """The column, and nothing else."""
    with h5py.File(path, "r") as file:
        return file["units/spike_times"][:]


def main() -> None:
    options = parse_options(
        __doc__,
        full={"units": 1_000, "spikes": 36_000_000, "rounds": 7},
        tiny={"units": 50, "spikes": 200_000, "rounds": 2},
    )
    warnings.simplefilter("ignore", nwb_neurid.NeuridWarning)
    each = options.spikes // options.units
    times = np.sort(np.random.default_rng(0).uniform(0, DURATION_S, (options.units, each)), axis=1).ravel()
    with TemporaryDirectory() as folder:
        path = write_nwb(simulate(options.units, 1.0, 0), Path(folder) / "recording.nwb")
        for name, storage in (
            ("uncompressed", {"chunks": (min(524_288, len(times)),)}),
            ("one compressed chunk", {"chunks": (len(times),), "compression": "gzip", "compression_opts": 1}),
        ):
            replace_spikes(path, times, np.full(options.units, each), DURATION_S, **storage)
            turns = [  # by turns, so that other work falls on both
                (timeit(lambda: nwb_neurid.read(path), number=1), timeit(lambda: read_bare(path), number=1))
                for _ in range(options.rounds)
            ]
            ours, rival = np.min(turns, axis=0)
            print(
                f"read {len(times):,} spikes, {name}: {ours:.2f} s, {ours / rival:.2f} x a bare h5py read "
                f"({rival:.2f} s)"
            )


if __name__ == "__main__":
    main()
