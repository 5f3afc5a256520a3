"""Kill a writing process (SIGKILL) at random moments, and look at what is left.

    python tests/faults/kills.py --kills 200 --megabytes 300

Ends with code 1 if a recording was neither the original nor the finished one, or a stray file outlived the next run.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from recordings import copied, is_finished, make_embeddings, make_recording, same_bytes, strays

from nwb_neurid.writers.nwb.store import check_writable, read, write
from nwb_neurid.writers.options import WriteOptions

WAYS = {"copy": {}, "sidecar": {"sidecar": True}}
SIDECAR = "recording.neurid.nwb"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=300)
    parser.add_argument("--way", choices=WAYS, default="copy")
    asked = parser.parse_args()
    embeddings, moments, found = make_embeddings(), random.Random(0), Counter()
    with tempfile.TemporaryDirectory() as folder:
        pristine = make_recording(Path(folder) / "pristine.nwb", asked.megabytes)
        path = Path(folder) / "there" / f"recording{''.join(pristine.suffixes)}"
        path.parent.mkdir()
        options = WAYS[asked.way] | {"overwrite": True}
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        tempfile.tempdir = str(scratch)  # what is left there is left for good
        write(copied(pristine, path), embeddings, **options)  # what this process has loaded, its children have
        durations_s = []
        for _ in range(5):
            copied(pristine, path)
            (path.parent / SIDECAR).unlink(missing_ok=True)
            start = time.perf_counter()
            kill(path, embeddings, None, options)
            durations_s.append(time.perf_counter() - start)
        duration_s = sorted(durations_s)[2]
        for _ in range(asked.kills):
            copied(pristine, path)
            (path.parent / SIDECAR).unlink(missing_ok=True)
            kill(path, embeddings, moments.uniform(0, 1.2 * duration_s), options)
            results = {path.name, SIDECAR if asked.way == "sidecar" else Path(options.get("output", path)).name}
            found["with something left beside it"] += bool(set(strays(path)) - results)
            check_writable(path, WriteOptions(name="neurid_made", **options))  # as any next run begins
            found[state_of(path, pristine, embeddings, asked.way, options)] += 1
            write(path, embeddings, **options)
            found["strays after the next run"] += len(set(strays(path)) - results) + len(list(scratch.iterdir()))
        size_mb = sum(each.stat().st_size for each in (pristine, *pristine.rglob("*"))) / 1e6
    print(f"{asked.kills} kills over {duration_s:.2f} s of writing to {size_mb:.0f} MB, {asked.way}: {dict(found)}")
    return int(bool(found["damaged"] or found["strays after the next run"]))


def kill(path: Path, embeddings: object, after_s: float | None, options: dict) -> None:
    """Let a child write, and end it; or, without a time, let it end by itself."""
    child = os.fork()
    if not child:
        write(path, embeddings, **options)
        os._exit(0)
    if after_s is not None:
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def state_of(path: Path, pristine: Path, embeddings: object, way: str, options: dict) -> str:
    """What became of the recording, or, where that must not change, of the file with the results."""
    if way == "copy":
        if same_bytes(path, pristine):
            return "original"
        return "finished" if is_finished(path, pristine, embeddings) else "damaged"
    if not same_bytes(path, pristine):
        return "damaged"
    if not (path.parent / SIDECAR).exists():
        return "original"
    (results,) = read(path.parent / SIDECAR)
    return "finished" if np.array_equal(results.embeddings.vectors, embeddings.vectors) else "damaged"


if __name__ == "__main__":
    sys.exit(main())
