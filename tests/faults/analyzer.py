"""Compute an extension of a sorting analyzer again, and stop it at every moment; earlier results must stay.

    python tests/faults/analyzer.py --format zarr

At each call to the file system that changes something below the folder of the analyzer, in a process of its own, the
process is killed, or the call is refused as on a full disk; and again with files that cannot grow beyond a size. It is
done with no earlier results, with some, and with some of version 0.1. Then two processes compute in one folder at the
same time. Ends with code 1 if what is found afterwards is neither the earlier nor the new results, whole, or if the
error is another.
"""

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from moments import stop_at
from spikeinterface import core
from spikeinterface.core.sortinganalyzer import AnalyzerExtension

import nwb_neurid
import nwb_neurid.analyzer
from nwb_neurid.errors import CannotWrite

NAME = "neurid_embeddings"
RATE_HZ, DURATION_S, UNITS = 30_000.0, 20.0, 5
FULL, KILLED = 28, 9


def make_analyzer(folder: Path, format: str) -> core.SortingAnalyzer:
    rng = np.random.default_rng(0)
    trains = {unit: np.unique(rng.integers(0, int(DURATION_S * RATE_HZ), 300)) for unit in range(UNITS)}
    voltage = core.NumpyRecording([np.zeros((int(DURATION_S * RATE_HZ), 1), np.float32)], RATE_HZ)
    voltage.set_dummy_probe_from_locations(np.zeros((1, 2)))
    return core.create_sorting_analyzer(
        core.NumpySorting.from_unit_dict([trains], RATE_HZ),
        voltage,
        format=format,
        folder=folder,
        sparse=False,
        main_channel_indices=np.zeros(UNITS, int),
    )


def compute(folder: Path, seed: int) -> None:
    """Compute from vectors that differ by seed, so that one can tell which are there."""
    nwb_neurid.load_analyzer(folder).compute(NAME, encoder="isi", seed=seed, progress_bar=False)


def save_in_many_files(folder: Path) -> None:
    """Save as SpikeInterface does, and version 0.1 did."""
    analyzer = nwb_neurid.load_analyzer(folder)
    extension = analyzer.get_extension(NAME)
    extension._reset_extension_folder()
    AnalyzerExtension.save(extension)


def find_seed(folder: Path) -> int | None:
    """The seed of what is saved; None if that is nothing."""
    analyzer = nwb_neurid.load_analyzer(folder)
    extension = analyzer.get_extension(NAME)
    if extension is None:
        return None
    assert np.isfinite(extension.get_data()).all()
    assert extension.get_data().shape[0] == UNITS
    return int(extension.params["seed"])


def attempt(folder: Path, way: str, moment: int) -> int:
    """Compute in a process of its own; 0 if it succeeded, FULL if it was refused, KILLED, or 1 for another error."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        return KILLED if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    try:
        if way == "limited":
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(100 * 1.35**moment), resource.RLIM_INFINITY))
        else:
            stop_at(moment, folder, way)
        compute(folder, 1)
    except CannotWrite:
        os._exit(FULL)
    except BaseException as error:
        print(f"WRONG {type(error).__name__}: {error}", flush=True)
        os._exit(1)
    os._exit(0)


def sweep(pristine: Path, way: str) -> Counter:
    """Stop at every moment, until it goes through."""
    found: Counter = Counter()
    before = find_seed(pristine)
    for moment in range(1, 200):
        folder = pristine.with_name("now" + pristine.suffix)
        shutil.copytree(pristine, folder)
        code = attempt(folder, way, moment)
        try:
            seed = find_seed(folder)
        except Exception as error:
            seed = f"{type(error).__name__}: {error}"
        right = seed == 1 if code == 0 else seed in ({before, 1} if code in (KILLED, FULL) else set())
        kept = "earlier results" if seed == before else "new results" if seed == 1 else f"found {seed}"
        found[f"{'' if right else 'WRONG '}{way}: {'succeeded' if code == 0 else 'stopped'}, {kept}"] += 1
        shutil.rmtree(folder)
        if code == 0:
            break
    return found


def race(pristine: Path, rounds: int) -> Counter:
    """Two processes at once in one folder: what is there afterwards is of one of them, whole."""
    found: Counter = Counter()
    for _ in range(rounds):
        folder = pristine.with_name("race" + pristine.suffix)
        shutil.copytree(pristine, folder)
        children = []
        for seed in (1, 2):
            child = os.fork()
            if not child:
                try:
                    compute(folder, seed)
                except BaseException as error:
                    print(f"WRONG {type(error).__name__}: {error}", flush=True)
                    os._exit(1)
                os._exit(0)
            children.append(child)
        codes = [os.waitpid(child, 0)[1] for child in children]
        right = find_seed(folder) in (1, 2) and codes == [0, 0]
        found[f"{'' if right else 'WRONG '}race: one of two, whole"] += 1
        shutil.rmtree(folder)
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--format", choices=["binary_folder", "zarr"], default="binary_folder")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found: Counter = Counter()
    with tempfile.TemporaryDirectory() as place:
        suffix = ".zarr" if options.format == "zarr" else ""
        bare, again, older = (Path(place).resolve() / f"{name}{suffix}" for name in ("bare", "again", "older"))
        make_analyzer(bare, options.format)
        for folder in (again, older):
            shutil.copytree(bare, folder)
            compute(folder, 0)
        save_in_many_files(older)
        for pristine in (again, bare, older):
            for way in ("killed", "full", "limited"):
                found += sweep(pristine, way)
        found += race(again, options.rounds)
    for kind, count in sorted(found.items()):
        print(f"{count:4} {options.format}, {kind}")
    return int(any(kind.startswith("WRONG") for kind in found))


if __name__ == "__main__":
    sys.exit(main())
