"""Kill a writing process (SIGKILL) at random moments, and look at what is left.

    python tests/faults/kills.py --kills 200 --megabytes 300
    python tests/faults/kills.py --kills 200 --megabytes 300 --no-copy

Ends with code 1 if a file was neither the original nor the finished one, or a stray file outlived the next run.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from recordings import is_finished, make_embeddings, make_recording, same_bytes, strays

from nwb_neurid.ndx.store import check_writable, write


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=300)
    parser.add_argument("--no-copy", action="store_true")
    options = parser.parse_args()
    embeddings = make_embeddings()
    moments, found = random.Random(0), Counter()
    with tempfile.TemporaryDirectory() as folder:
        pristine = make_recording(Path(folder) / "pristine.nwb", options.megabytes)
        (Path(folder) / "there").mkdir()
        path = Path(folder) / "there" / "recording.nwb"
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        tempfile.tempdir = str(scratch)  # what is left there is left for good
        shutil.copyfile(pristine, path)
        for _ in range(2):  # the first warms the caches
            start = time.perf_counter()
            write(path, embeddings, overwrite=True, copy=not options.no_copy)
            duration_s = time.perf_counter() - start
        shutil.copyfile(pristine, path)
        for _ in range(options.kills):
            kill(path, embeddings, moments.uniform(0, 1.5 * duration_s), not options.no_copy)
            found["with something left beside it"] += bool(strays(path))
            check_writable(path, name="neurid_made", overwrite=True)  # as any next run begins
            state = state_of(path, pristine, embeddings)
            found[state] += 1
            write(path, embeddings, overwrite=True, copy=not options.no_copy)
            found["strays after the next run"] += len(strays(path)) + len(list(scratch.iterdir()))
            shutil.copyfile(pristine, path)
        size_mb = pristine.stat().st_size / 1e6
    print(f"{options.kills} kills over {duration_s:.2f} s of writing to {size_mb:.0f} MB: {dict(found)}")
    return int(bool(found["damaged"] or found["strays after the next run"]))


def kill(path: Path, embeddings: object, after_s: float, copy: bool) -> None:
    """Let a child write, and end it."""
    child = os.fork()
    if not child:
        write(path, embeddings, copy=copy)
        os._exit(0)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def state_of(path: Path, pristine: Path, embeddings: object) -> str:
    if same_bytes(path, pristine):
        return "original"
    return "finished" if is_finished(path, pristine, embeddings) else "damaged"


if __name__ == "__main__":
    sys.exit(main())
