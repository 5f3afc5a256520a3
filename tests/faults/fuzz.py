"""Reads mutations of small valid sources by the command line: each must be read, or refused in one line.

    python tests/faults/fuzz.py [--mutations 2000] [--seed 0] [--only NUMBER] [--keep FOLDER]

Every mutation is given to `nwb-neurid inspect`, in a process of its own that must end within `LIMIT_S` seconds, without
a traceback, with code 0, or with code 2 and a line that names what is wrong, and whose memory must stay below
`LIMIT_BYTES`. Ends with code 1 if one does not.
"""

import argparse
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import nwb_files
import other_files
from folder_mutations import mutate_folder
from mutations import mutate_bytes, mutate_hdf5

from nwb_neurid._system.limits import CRASHES, FAULTS
from nwb_neurid.cli import main as command_line
from nwb_neurid.cli.app import app

LIMIT_S, LIMIT_BYTES = 10, 2**30
"""CPU time, since the machine may have other work."""

KILLED_AFTER_S = 60
ENDED = {CRASHES: "after a crash", FAULTS["SIGPROF"]: "at the CPU-time limit", FAULTS["SIGKILL"]: "at the memory limit"}
SIMPLE = {"read", "refused in one line"}
GOOD = SIMPLE | {f"refused {how}" for how in ENDED.values()}


@dataclass(frozen=True)
class Source:
    """A small valid source: its name, a copy of it, the options that it is read with."""

    name: str
    copy: Path
    options: list[str]

    def mutated(self, path, rng):
        """Writes one mutation of it, and tells what was done."""
        if self.copy.is_dir():
            shutil.copytree(self.copy, path)
            return mutate_folder(path, rng)
        return (mutate_hdf5 if path.suffix == ".nwb" else mutate_bytes)(path, self.copy.read_bytes(), rng)


def inspect(path, options):
    """What `nwb-neurid inspect` comes to, as `run`."""
    return run(["inspect", str(path), *options])


def run(words):
    """What a command comes to: exit code, what it said on both streams, time and memory it took."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))  # of the pipe, not of what was there
        os.closerange(3, writing + 1)
        sys.argv = ["nwb-neurid", *words]
        end(command_line)
    os.close(writing)
    said, deadline = b"", time.monotonic() + KILLED_AFTER_S
    while select.select([reading], [], [], max(0, deadline - time.monotonic()))[0]:
        if not (more := os.read(reading, 2**16)):
            break
        said += more
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), said.decode(errors="replace"), used


def end(command):
    """Runs a command and ends this process as it does."""
    try:
        command()
    except SystemExit as asked:
        code = asked.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def verdict(path, code, said, used):
    """What happened, in a few words."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    if "Traceback" in said or "bug in the plugin" in said or code not in {0, 2}:
        return f"failed with exit code {code} or a traceback"
    if used.ru_utime + used.ru_stime > LIMIT_S:
        return "used too much CPU time"
    if used.ru_maxrss * 1024 > LIMIT_BYTES:
        return "used too much memory"
    if code == 0:
        return "read"
    lines = [line for line in said.splitlines() if not line.startswith(("warning: ", "  "))]
    line = lines[-1] if lines else ""
    if len(lines) != 1 or not line.startswith("nwb-neurid: ") or (str(path) not in line and "--" not in line):
        return "refused without one clear line"
    memory = ENDED[FAULTS["SIGKILL"]] if "memory" in line else "in one line"
    return f"refused {next((how for words, how in ENDED.items() if words in line), memory)}"


def written_in(folder):
    """Every source; all of them can be read as they are."""
    sources = []
    endings = {name: (write, ".nwb", options) for name, (write, options) in nwb_files.SOURCES.items()}
    for name, (write, suffix, options) in (endings | other_files.SOURCES).items():
        copy = folder / f"{len(sources)}{suffix}"
        write(copy)
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
            app(["inspect", str(copy), *options], standalone_mode=False)  # loads what the forks then have
        if "nwb-neurid: " in said.getvalue():
            sys.exit(f"{name} cannot be read without a mutation: {said.getvalue()}")
        sources.append(Source(name, copy, options))
    return sources


def main():
    """Reads all mutations and prints how many there were of each outcome."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="read this mutation alone, and print what the command prints")
    parser.add_argument("--keep", type=Path, help="folder for sources that were neither read nor refused in one line")
    asked = parser.parse_args()
    counts, bad, most_s, most_bytes = Counter(), 0, 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        sources = written_in(Path(folder))
        for number in range(asked.mutations) if asked.only is None else [asked.only]:
            source = sources[number % len(sources)]
            path = Path(folder) / f"mutation{source.copy.suffix}"
            did = source.mutated(path, np.random.default_rng([asked.seed, number]))
            code, said, used = inspect(path, source.options)
            found = verdict(path, code, said, used)
            counts[found] += 1
            bad += found not in GOOD
            most_s, most_bytes = max(most_s, used.ru_utime + used.ru_stime), max(most_bytes, used.ru_maxrss * 1024)
            if asked.only is not None or found not in GOOD:
                print(f"{number}: {source.name}, {did}: {found}\n{said}")
            if asked.keep is not None and found not in SIMPLE:
                path.rename(asked.keep / f"{asked.seed}_{number}{path.suffix}")
            elif path.is_dir():
                shutil.rmtree(path)
    told = ", ".join(f"{count} {found}" for found, count in sorted(counts.items()))
    print(f"{counts.total()} mutations of {len(sources)} sources: {told}; ", end="")
    print(f"at most {most_s:.1f} s of CPU time and {most_bytes / 2**20:.0f} MiB of memory")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
