"""Reads mutations of small valid NWB files: each must be read, or refused with one of our errors.

    python tests/faults/fuzz_nwb.py [--mutations 2000] [--seed 0] [--only NUMBER] [--keep FOLDER]

Every mutation is read in a process of its own, which may take `LIMIT_S` seconds and `LIMIT_BYTES` of memory. Where
HDF5 itself crashes, or never returns, that is counted apart: no caller in the same process can prevent it. Ends with
code 1 if anything else happened.
"""

import argparse
import faulthandler
import os
import resource
import signal
import sys
import tempfile
import traceback
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from mutations import mutate
from nwb_files import SOURCES

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import NeuridError
from nwb_neurid.readers.nwb.sources import read_file

LIMIT_S = 10
LIMIT_BYTES = 2**30
ADDRESSES_BYTES = 3 * 2**30
"""What a process may ask for beyond what it starts with, so that none takes the machine's memory."""

TOLERATED = {"read", "refused", "HDF5 crashed", "HDF5 hung", "HDF5 took too much memory"}
TOOK = "Python and NumPy took at most "


def read_once(path, options, told):
    """Reads a file in this process and tells what came of it; a child's whole life."""
    faulthandler.enable(told)
    faulthandler.dump_traceback_later(LIMIT_S, file=told, exit=True)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + ADDRESSES_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.simplefilter("ignore")
    tracemalloc.start()
    try:
        told.write(f"read: {read_file(path, ReadOptions(**options))}\n")
    except NeuridError as error:
        named = str(path) in str(error) or "--" in str(error)
        told.write(f"{'refused' if named and str(error).strip() else 'unclear'}: {type(error).__name__}: {error}\n")
    except BaseException:
        told.write(f"escaped: {traceback.format_exc()}\n")
    told.write(f"{TOOK}{tracemalloc.get_traced_memory()[1]} bytes.\n")


def outcome(path, options):
    """What came of reading a file, in a word or two, and all that was told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with open(writing, "w", buffering=1) as told:  # noqa: PTH123 - a descriptor
            read_once(path, options, told)
            told.flush()
            os._exit(0)
    os.close(writing)
    with open(reading, errors="replace") as told:  # noqa: PTH123 - a descriptor
        text = told.read()
    _, status, used = os.wait4(child, 0)
    return verdict(text, os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024), text


def verdict(text, code, most_bytes):
    """What happened, from what was told and how the process ended."""
    word = text.partition(":")[0]
    innermost = next((line for line in text.splitlines() if line.lstrip().startswith("File ")), "")
    in_hdf5 = "/h5py/" in innermost or "/readers/nwb/hdf5.py" in innermost  # which only calls h5py
    if code < 0:
        return "HDF5 crashed" if in_hdf5 else f"died of {signal.Signals(-code).name}"
    if text.startswith("Timeout"):
        return "HDF5 hung" if in_hdf5 else "hung"
    if code != 0:
        return f"ended with code {code}"
    if most_bytes <= LIMIT_BYTES:
        return word
    own_bytes = int(text.rpartition(TOOK)[2].split()[0])
    return "took too much memory" if own_bytes > LIMIT_BYTES / 2 else "HDF5 took too much memory"


def main():
    """Reads all mutations and prints how many there were of each outcome."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="read this mutation alone, and print all that is told")
    parser.add_argument("--keep", type=Path, help="where files go whose outcome is not a refusal")
    asked = parser.parse_args()
    counts, bad = Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        sources = written_in(Path(folder))
        for number in range(asked.mutations) if asked.only is None else [asked.only]:
            name, data, options = sources[number % len(sources)]
            path = Path(folder) / "recording.nwb"
            did = mutate(path, data, np.random.default_rng([asked.seed, number]))
            found, text = outcome(path, options)
            counts[found] += 1
            if asked.only is not None or found not in TOLERATED:
                bad.append(found not in TOLERATED)
                print(f"{number}: {name}, {did}: {found}\n{text}")
            if asked.keep is not None and found not in {"read", "refused"}:
                path.rename(asked.keep / f"{asked.seed}_{number}.nwb")
    print(", ".join(f"{found} {count}" for found, count in counts.most_common()))
    sys.exit(any(bad))


def written_in(folder):
    """Each source with its bytes and options; all of them can be read as they are."""
    sources, path = [], folder / "sound.nwb"
    data = {write: write(path) or path.read_bytes() for write in dict.fromkeys(write for write, _ in SOURCES.values())}
    for name, (write, options) in SOURCES.items():
        path.write_bytes(data[write])
        found, text = outcome(path, options)
        if found != "read":
            sys.exit(f"{name} is not read as it is: {found}\n{text}")
        sources.append((name, data[write], options))
    return sources


if __name__ == "__main__":
    main()
