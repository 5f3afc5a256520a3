"""Reading, binning, windows and a whole `embed`, each against what people would otherwise use, in one run.

    python tests/benchmarks/stages.py

Rivals: SpikeInterface's spike vector of the same file; counting with `numpy.bincount`; a PyTorch DataLoader with two
worker processes that read the same windows from the same file. Reading alone is in reading.py, embedding and training
against their products and the authors' flow in nuclr.py, writing in writing.py. Memory is the most that reading
allocates, in a process of its own.
"""

import resource
import subprocess
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import torch
from _options import parse_options
from _recordings import draw_spikes, replace_spikes
from torch.utils.data import DataLoader, Dataset

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.training import WindowOptions
from nwb_neurid.training.recording import Recording
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.options import WriteOptions

RATE_HZ, BIN_S, BINS = 8.0, 0.02, 500


class Windows(Dataset):
    """Random windows of a file, read and counted when they are asked for, as a loader of files does."""

    def __init__(self, path, number, seconds):
        self.path, self.number, self.seconds = path, number, seconds
        self.file = None

    def __len__(self):
        return self.number

    def __getitem__(self, at):
        if self.file is None:  # each worker process opens the file by itself
            self.file = h5py.File(self.path, "r")
            self.times = self.file["units/spike_times"]
            self.ends = self.file["units/spike_times_index"][:]
            self.sorted = [self.times[a:b] for a, b in zip(np.r_[0, self.ends[:-1]], self.ends, strict=True)]
        length_s = BINS * BIN_S
        start_s = np.random.default_rng(at).uniform(0, self.seconds - length_s)
        counts = np.zeros((len(self.ends), BINS), np.uint8)
        for unit, times in enumerate(self.sorted):
            first, last = np.searchsorted(times, [start_s, start_s + length_s])
            places = ((times[first:last] - start_s) / BIN_S).astype(np.int64).clip(max=BINS - 1)
            counts[unit] = np.bincount(places, minlength=BINS)
        return torch.from_numpy(counts)


def take_s(call, rounds):
    """The fastest of some rounds, in seconds."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return min(taken)


def count_bare(times, counts, seconds):
    """Counts of all units in bins, by one call of NumPy."""
    bins = round(seconds / BIN_S)
    unit = np.repeat(np.arange(len(counts)), counts)
    place = unit * bins + (times / BIN_S).astype(np.int64).clip(max=bins - 1)
    return np.bincount(place, minlength=bins * len(counts)).reshape(len(counts), bins).astype(np.uint8)


def measure_memory(what, path):
    """The most that reading a file allocates, in a process of its own, in MiB."""
    head, code = {
        "ours": ("import nwb_neurid, h5py, pynwb", f"nwb_neurid.read({str(path)!r})"),
        "spikeinterface": ("import spikeinterface.extractors as se", SPIKE_VECTOR.format(str(path))),
    }[what]
    script = (
        f"import tracemalloc, warnings; warnings.simplefilter('ignore'); {head}\n"
        f"tracemalloc.start()\n{code}\nprint(tracemalloc.get_traced_memory()[1])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 2**20


SPIKE_VECTOR = "se.read_nwb_sorting({0!r}, sampling_frequency=30000.0, t_start=0.0).to_spike_vector()"


def compare_reading(path, options):
    import spikeinterface.extractors as se

    def read_vector():
        return se.read_nwb_sorting(str(path), sampling_frequency=30000.0, t_start=0.0).to_spike_vector()

    read_vector()
    ours, rival = (take_s(call, options.rounds) for call in (lambda: nwb_neurid.read(path), read_vector))
    held, other = measure_memory("ours", path), measure_memory("spikeinterface", path)
    what = f"read {options.units} units over {options.seconds:,.0f} s"
    print(
        f"{what}: {ours:.2f} s, {ours / rival:.2f} x SpikeInterface's "
        f"spike vector ({rival:.2f} s); memory {held:.0f} MiB, {held / max(other, 1):.2f} x that of SpikeInterface "
        f"({other:.0f} MiB)"
    )


def compare_windows(population, path, options):
    how = WindowOptions(bin_s=BIN_S, token_bins=50, tokens=BINS // 50)
    recording = Recording(population, how, torch.device("cpu"))
    rng, batch = np.random.default_rng(0), 16
    batches = max(1, options.windows // batch)

    def draw():
        for _ in range(batches):
            recording.draw(rng, batch // 2, BINS, 1500)

    files = Windows(path, batches * batch, options.seconds)
    loader = DataLoader(files, batch_size=batch, num_workers=2, persistent_workers=True)
    list(loader)  # its processes run, and hold the file
    ours, rival = take_s(draw, options.rounds), take_s(lambda: list(loader), options.rounds)
    held = recording.values.numel()
    what = f"draw {batches * batch} windows of {options.units} units"
    print(
        f"{what}: {ours:.3f} s, {ours / rival:.3f} x a DataLoader with "
        f"two processes ({rival:.2f} s); {held / 2**20:.0f} MiB of bins"
    )


def main() -> None:
    options = parse_options(
        __doc__,
        full={"units": 300, "seconds": 1800.0, "windows": 320, "rounds": 3},
        tiny={"units": 8, "seconds": 40.0, "windows": 16, "rounds": 1},
    )
    warnings.simplefilter("ignore")
    times, counts = draw_spikes(options.units, options.seconds, RATE_HZ)
    with TemporaryDirectory() as folder:
        path = write_nwb(simulate(options.units, 2.0, 0), Path(folder) / "recording.nwb")
        replace_spikes(path, times, counts, options.seconds)
        compare_reading(path, options)
        population = nwb_neurid.read(path)
        ours = take_s(lambda: population.binned(BIN_S), options.rounds)
        rival = take_s(lambda: count_bare(times, counts, options.seconds), options.rounds)
        print(f"bin {len(times):,} spikes: {ours:.3f} s, {ours / rival:.2f} x numpy.bincount ({rival:.3f} s)")
        compare_windows(population, path, options)
        bare = take_s(lambda: nwb_neurid.read(path), 1)
        model = nwb_neurid.new_model("isi")
        whole = take_s(lambda: embed_file(path, model, writing=WriteOptions(overwrite=True)), 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        print(
            f"embed {options.units} units with isi, all steps: {whole:.2f} s, {whole / bare:.2f} x reading it "
            f"({bare:.2f} s); peak of the process {peak:,.0f} MiB"
        )


if __name__ == "__main__":
    main()
