"""Kill a process that writes (SIGKILL), for every kind of output, and look at what is left.

    python tests/faults/kills.py
    python tests/faults/kills.py --kind sidecar --timed 200 --megabytes 300

The process is killed at every change that Python makes to the folder, and at random moments, which also fall into what
HDF5 writes; where there was an output before, and where there was none. Then a reader must find the old output or the
new one, whole; every other file must have its bytes, and every file its mode; and after the next run nothing of ours
may lie there. Ends with code 1 otherwise.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from moments import stop_at
from outputs import KINDS, Kind, bystanders, end_child, modes, strays

MOST_MOMENTS = 300
SLOW = 5  # of an output that takes long, only every so many-th moment is tried
OF_TORCH = "torchinductor"  # a cache of torch, which it keeps


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these kinds")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th change")
    parser.add_argument("--timed", type=int, default=10, help="kills at random moments, for each kind")
    parser.add_argument("--megabytes", type=float, default=2.0)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    kills = wrong = 0
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place).resolve() / "scratch"
        scratch.mkdir()
        tempfile.tempdir = str(scratch)
        for name in asked.kind or KINDS:
            found: Counter[str] = Counter()
            for before in (None, 1):
                found += sweep(KINDS[name], Path(place).resolve(), before, asked)
            kills += sum(count for what, count in found.items() if "killed" in what)
            wrong += sum(count for what, count in found.items() if what.startswith("WRONG"))
            print(f"{name}: " + "; ".join(f"{count} {what}" for what, count in sorted(found.items())), flush=True)
    print(f"{kills} kills of {len(asked.kind or KINDS)} kinds of output, wrong: {wrong}")
    return int(bool(wrong))


def sweep(kind: Kind, place: Path, before: int | None, asked: argparse.Namespace) -> Counter[str]:
    """Kill at every moment."""
    found: Counter[str] = Counter()
    base, now = place / "base", place / "now"
    base.mkdir()
    kind.prepare(base, asked.megabytes)
    if before is not None:
        kind.write(base, before)
    elif kind.read(base) is not None:  # there is always one before
        shutil.rmtree(base)
        return found
    new = 2 if before else 1
    start = time.perf_counter()
    attempt(kind, base, now, new, lambda _: None)  # what this process has loaded, its children have
    shutil.rmtree(now)
    duration_s = time.perf_counter() - start
    for prepare in ways(asked.every * (SLOW if duration_s > 1.5 else 1)):
        code = attempt(kind, base, now, new, prepare)
        found[judge(kind, base, now, before, new, code)] += 1
        shutil.rmtree(now)
        if code == 0 and isinstance(prepare, partial):
            break
    for prepare in timed(asked, duration_s):
        code = attempt(kind, base, now, new, prepare)
        found[judge(kind, base, now, before, new, code)] += 1
        shutil.rmtree(now)
    shutil.rmtree(base)
    return found


def ways(every: int) -> Iterator[partial]:
    """What the child does before it writes: it waits for a change at which it dies."""
    for moment in range(1, MOST_MOMENTS, every):
        yield partial(_die_at, moment)


def timed(asked: argparse.Namespace, duration_s: float) -> Iterator[float]:
    """When the child is killed from outside."""
    moments = random.Random(0)
    for _ in range(asked.timed // 2):
        yield moments.uniform(0, 1.2 * duration_s)


def _die_at(moment: int, folder: Path) -> None:
    stop_at(moment, folder, "killed")


def attempt(kind: Kind, base: Path, now: Path, version: int, how: object) -> int:
    """Write in a process of its own that is killed; its exit code."""
    shutil.copytree(base, now, symlinks=True)
    child = os.fork()
    if not child:
        try:
            if callable(how):
                how(now)
            kind.write(now, version)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", flush=True)
            os._exit(1)
        os._exit(0)
    if isinstance(how, float):
        time.sleep(how)
        os.kill(child, signal.SIGKILL)
    return end_child(child)


def judge(kind: Kind, base: Path, now: Path, before: int | None, new: int, code: int) -> str:
    """What became of it, in a few words; WRONG first if it is not as it should be."""
    what = {0: "succeeded", -signal.SIGKILL: "killed"}.get(code, f"ended with {code}")
    others = bystanders(base, kind)
    try:
        version = kind.read(now)
    except Exception as error:
        return f"WRONG {what}, found {type(error).__name__}: {error}"
    if version not in {before, new} or (code == 0 and version != new) or code > 0:
        return f"WRONG {what}, found version {version}"
    if bystanders(now, kind) != others:
        return f"WRONG {what}, other files changed"
    try:
        kind.write(now, new)
        after = kind.read(now)
    except Exception as error:
        return f"WRONG {what}, the next run failed: {type(error).__name__}: {error}"
    if after != new or bystanders(now, kind) != others:
        return f"WRONG {what}, the next run left version {after}"
    scratch = [path.name for path in (now.parent / "scratch").iterdir() if not path.name.startswith(OF_TORCH)]
    if left := [*strays(now), *scratch]:
        return f"WRONG {what}, the next run left {left[:3]}"
    changed = [path for path, mode in modes(base).items() if modes(now).get(path, mode) != mode]
    if changed:
        return f"WRONG {what}, other modes of {changed[:3]}"
    return f"{what}, {'new' if version == new else 'old'} output in place"


if __name__ == "__main__":
    sys.exit(main())
