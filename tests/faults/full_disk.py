"""Write to a disk with less and less room, in fresh processes, and look at what is left. Needs the right to mount.

    sudo python tests/faults/full_disk.py --megabytes 8 --steps 60

The free room goes from nothing to more than enough, so that the disk is full at every stage; every second time the
check before the work is left out, so that the disk fills up under way. Ends with code 1 if a file changed although
the write failed, a process crashed or said nothing, or something was left beside the file.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from recordings import copied, make_recording, same_bytes, strays

BALLAST = "ballast"
SMALL_BYTES = 1_500_000  # what the results take, without the recording
WRITE = """
import shutil, sys
from collections import namedtuple
from pathlib import Path
from recordings import make_embeddings
from nwb_neurid.errors import CannotWrite
from nwb_neurid.writers.nwb.store import remove, write

path, way, blind = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "blind"
if blind:
    shutil.disk_usage = lambda _: namedtuple("Usage", "free")(2**60)
try:
    if way == "remove":
        remove(path, "neurid_made")
    else:
        write(path, make_embeddings(), overwrite=True, sidecar=way == "sidecar")
except CannotWrite as error:
    sys.exit(f"said: {error}")
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        if not mounted(disk, 4 * options.megabytes):
            print("skipped: no right to mount a small disk")
            return 0
        try:
            found = fill(Path(folder), disk, options)
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    for kind, count in sorted(found.items()):
        print(f"{count:4} {kind}")
    return int(any(kind.startswith("WRONG") for kind in found))


def mounted(disk: Path, megabytes: float) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 2**20)}", "tmpfs", str(disk)]
    return (
        shutil.which("mount") is not None and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def fill(folder: Path, disk: Path, options: argparse.Namespace) -> Counter:
    from recordings import make_embeddings

    from nwb_neurid.writers.nwb.store import write

    plain = make_recording(folder / "pristine.nwb", options.megabytes)
    embedded = write(plain, make_embeddings(), output=folder / "embedded.nwb")
    found: Counter = Counter()
    for way in ("copy", "sidecar", "remove"):
        pristine = embedded if way == "remove" else plain
        for step in range(options.steps):
            size = sum(each.stat().st_size for each in (pristine, *pristine.rglob("*")))
            most = size if way in ("copy", "remove") else SMALL_BYTES
            free = int(step / options.steps * 1.4 * most)
            found[attempt(disk, pristine, way, free, "blind" if step % 2 else "seeing")] += 1
    return found


def attempt(disk: Path, pristine: Path, way: str, free: int, sight: str) -> str:
    """One write with that much free room, and what became of it."""
    path = copied(pristine, disk / f"recording{''.join(pristine.suffixes)}")
    with (disk / BALLAST).open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, max(1, shutil.disk_usage(disk).free - free))
    command = [sys.executable, "-c", WRITE, str(path), way, sight]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parent), *sys.path]))}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    (disk / BALLAST).unlink()
    kept, beside = same_bytes(path, pristine), strays(path)
    for other in disk.iterdir():
        shutil.rmtree(other) if other.is_dir() else other.unlink()
    if done.returncode == 0:
        expected = {"sidecar": ["recording.neurid.nwb"]}.get(way, [])
        return f"{way}: written" if beside == expected else f"WRONG {way}: written, left {beside}"
    if not done.stderr.startswith("said: "):
        return f"WRONG {way}: crashed with {done.returncode}: {done.stderr[-200:]}"
    if not kept or beside:
        return f"WRONG {way}: refused, file {'kept' if kept else 'CHANGED'}, left {beside}"
    return f"{way}: refused in one line, original bytes unchanged, nothing left"


if __name__ == "__main__":
    sys.exit(main())
