"""Eight processes write the same output at once, for every kind of output.

    python tests/faults/concurrent_writers.py

Whoever reports that it wrote must have written: results of different names all stand in the file afterwards; of one
name, where nothing may be replaced, exactly one process succeeds; and where it may, the output is of one of them,
whole. All others must be refused in one line. Ends with code 1 otherwise, or if something of ours is left.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from outputs import (
    KINDS,
    RECORDING,
    SIDECAR,
    SMALL,
    _content_of_recording,
    _evaluation,
    embeddings_of,
    end_child,
    population,
    strays,
)

import nwb_neurid
from nwb_neurid.errors import NeuridError, SourceChanged
from nwb_neurid.testing import mock_population
from nwb_neurid.writers import phy, table
from nwb_neurid.writers.nwb.entry import Results
from nwb_neurid.writers.nwb.standalone import write_standalone
from nwb_neurid.writers.nwb.store import read, write

REFUSED = 2
Write = Callable[[Path, int], object]


def names_in(path: Path) -> set[str]:
    return {found.name for found in read(path)} if path.exists() else set()


def write_table(folder: Path, kind: str, overwrite: bool, number: int) -> None:
    made = table.make_table(population(), embeddings_of(number))
    table.write_table(made, embeddings_of(number).provenance, folder / f"x.{kind}", kind, overwrite=overwrite)


def write_phy(folder: Path, name: str) -> None:
    phy.write_columns(folder, np.arange(4), {f"neurid_{name}": np.array(["a"] * 4)})


def train(folder: Path, number: int) -> None:
    nwb_neurid.train([mock_population(units=6, duration_s=40.0)], folder / "trained", **SMALL, seed=number)


def save_model(folder: Path, number: int, overwrite: bool) -> None:
    nwb_neurid.new_model("isi").save(folder / "model", overwrite=overwrite)


EACH_ITS_OWN: Mapping[str, tuple[Write, Callable[[Path], set[str]]]] = {
    "sidecar": (
        lambda folder, number: write(folder / RECORDING, embeddings_of(1), name=f"n{number}", sidecar=True),
        lambda folder: names_in(folder / SIDECAR),
    ),
    "copy in place": (
        lambda folder, number: write(folder / RECORDING, embeddings_of(1), name=f"n{number}"),
        lambda folder: names_in(folder / RECORDING),
    ),
    "columns of phy": (
        lambda folder, number: write_phy(folder, f"n{number}"),
        lambda folder: {path.stem.removeprefix("cluster_neurid_") for path in folder.glob("cluster_neurid_n*.tsv")},
    ),
}
"""Each process writes results called `n<number>`; and what is there afterwards."""

ONE_WINS: Mapping[str, Write] = {
    "sidecar, one name": lambda folder, _: write(folder / RECORDING, embeddings_of(1), name="n", sidecar=True),
    "output": lambda folder, _: write(folder / RECORDING, embeddings_of(1), output=folder / "x.nwb"),
    "standalone": lambda folder, _: write_standalone(
        population(), [Results("n", embeddings_of(1), [])], folder / "x.nwb"
    ),
    "csv": lambda folder, number: write_table(folder, "csv", False, number),
    "parquet": lambda folder, number: write_table(folder, "parquet", False, number),
    "columns of phy, one name": lambda folder, _: write_phy(folder, "n"),
    "model": lambda folder, number: save_model(folder, number, False),
    "training": train,
    "evaluation": lambda folder, _: _evaluation().save(folder / "scores"),
}
"""Nothing may be replaced."""

ANY_WINS = ("copy", "output", "sidecar", "standalone", "csv", "parquet", "phy", "model", "checkpoint", "evaluation")
"""Kinds of output that may be replaced: one version of eight is there afterwards."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        for name, outcome in judged(Path(place).resolve() / "now", asked):
            wrong += sum(count for what, count in outcome.items() if what.startswith("WRONG"))
            print(f"{name}: " + "; ".join(f"{count} {what}" for what, count in sorted(outcome.items())), flush=True)
    print(f"{asked.rounds} rounds of {asked.writers} writers at once, wrong: {wrong}")
    return int(bool(wrong))


def judged(folder: Path, asked: argparse.Namespace):
    """Every way to write at once, and what came of it."""
    for name, (make, find) in EACH_ITS_OWN.items():
        outcome: Counter[str] = Counter()
        for _ in range(asked.rounds):
            codes = race(folder, make, asked.writers)
            wrote = {f"n{number}" for number, code in enumerate(codes) if code == 0}
            there = find(folder)
            right = there == wrote and wrote and set(codes) <= {0, REFUSED} and not strays(folder)
            outcome[f"{'' if right else 'WRONG '}{len(wrote)} writers succeeded, {len(there)} results found"] += 1
        yield f"{name}, names of their own", outcome
    for name, make in ONE_WINS.items():
        outcome = Counter()
        for _ in range(asked.rounds):
            codes = race(folder, make, asked.writers)
            right = codes.count(0) == 1 and codes.count(REFUSED) == asked.writers - 1 and not strays(folder)
            outcome[f"{'' if right else 'WRONG '}{codes.count(0)} writers succeeded"] += 1
        yield f"{name}, nothing replaced", outcome
    for name in ANY_WINS:
        outcome = Counter()
        for _ in range(asked.rounds):
            codes = race(folder, lambda where, number, name=name: KINDS[name].write(where, number + 1), asked.writers)
            version = KINDS[name].read(folder)
            wrote = [number + 1 for number, code in enumerate(codes) if code == 0]
            right = version in wrote and set(codes) <= {0, REFUSED} and not strays(folder)
            outcome[f"{'' if right else 'WRONG '}result of one of the writers"] += 1
        yield f"{name}, replaced", outcome


def race(folder: Path, make: Write, writers: int) -> list[int]:
    """Exit codes of processes that write at the same time: 0, or `REFUSED`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / RECORDING).write_bytes(_content_of_recording(1.0))
    for name in ("spike_times.npy", "spike_clusters.npy"):
        np.save(folder / name, np.arange(4))
    begin, children = time.monotonic() + 0.2, []
    for number in range(writers):
        child = os.fork()
        if not child:
            time.sleep(max(0, begin - time.monotonic()))
            try:
                make(folder, number)
            except NeuridError as error:
                told = len(str(error).splitlines()) == 1 or isinstance(error, SourceChanged)
                os._exit(REFUSED if told else 1)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", flush=True)
                os._exit(1)
            os._exit(0)
        children.append(child)
    return [end_child(child) for child in children]


if __name__ == "__main__":
    sys.exit(main())
