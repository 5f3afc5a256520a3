"""Write to a disk with less and less room, by every command that writes, and look at what is left.

    sudo python tests/faults/full_disk.py --steps 30

The free room goes from nothing to more than enough, so that the disk is full at every stage; every second time no
command can ask how much room there is, so that the disk fills up under way. Each command must end with code 0, or with
code 2 and one line; what was there before must be as it was, or be the finished output. Needs the right to mount. Ends
with code 1 otherwise.
"""

import argparse
import hashlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter, namedtuple
from collections.abc import Mapping, Sequence
from pathlib import Path

from other_files import write_phy
from outputs import NAME, RECORDING, embeddings_of, end_child, is_ours
from recordings import make_recording

import nwb_neurid
from nwb_neurid.cli import main as command_line
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.writers.nwb.store import write

BALLAST = "ballast"
SPARE_BYTES = 65_536  # the disk has more room than is needed by so much, at the last step

COMMANDS: Mapping[str, Sequence[str]] = {
    "embed": ("embed", "--encoder", "isi", RECORDING, "--overwrite"),
    "embed --output": ("embed", "--encoder", "isi", RECORDING, "--output", "x.nwb", "--overwrite"),
    "embed --sidecar": ("embed", "--encoder", "isi", RECORDING, "--sidecar", "--overwrite"),
    "embed --format csv": ("embed", "--encoder", "isi", RECORDING, "--format", "csv", "--overwrite"),
    "embed --format parquet": ("embed", "--encoder", "isi", RECORDING, "--format", "parquet", "--overwrite"),
    "embed phy": ("embed", "--encoder", "isi", "phy", "--overwrite"),
    "embed phy --format phy": ("embed", "--encoder", "isi", "phy", "--format", "phy", "--overwrite"),
    "embed --fit": (
        *("embed", "--encoder", "nuclr", "--preset", "small", "--fit", "--steps", "1"),
        *("labelled-0.nwb", "--device", "cpu", "--overwrite"),
    ),
    "remove": ("remove", RECORDING, "--name", NAME),
    "remove --output": ("remove", RECORDING, "--name", NAME, "--output", "without.nwb", "--overwrite"),
    "train": (
        *("train", "labelled-0.nwb", "--encoder", "nuclr", "--preset", "small", "--steps", "1"),
        *("--device", "cpu", "--output", "trained", "--overwrite"),
    ),
    "fit-labels": (
        *("fit-labels", "isi", *(f"labelled-{number}.nwb" for number in range(3))),
        *("--label", "cell_type", "--output", "model", "--overwrite"),
    ),
    "evaluate": (
        *("evaluate", "--encoder", "isi", *(f"labelled-{number}.nwb" for number in range(3)), "--label", "cell_type"),
        *("--protocol", "inductive-zero-shot", "--folds", "3", "--output", "scores", "--overwrite"),
    ),
    "simulate": ("simulate", "simulated.nwb", "--units", "20", "--duration", "20", "--overwrite"),
    "plugins new": ("plugins", "new", "encoder", "mine", "--output", "plugin"),
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=float, default=2)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--command", action="append", choices=COMMANDS, help="only these commands")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        disk.mkdir()
        if not mounted(disk, 64 + 8 * options.megabytes):
            print("skipped: no right to mount a small disk")
            return 0
        try:
            wrong = fill(Path(folder), disk, options)
        finally:
            os.chdir("/")
            subprocess.run(["umount", "-l", str(disk)], check=True)
    print(f"wrong: {wrong}")
    return int(bool(wrong))


def mounted(disk: Path, megabytes: float) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={int(megabytes * 2**20)}", "tmpfs", str(disk)]
    return (
        shutil.which("mount") is not None and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def fill(folder: Path, disk: Path, options: argparse.Namespace) -> int:
    pristine = prepare(folder / "pristine", options.megabytes)
    wrong = 0
    for name in options.command or COMMANDS:
        found: Counter[str] = Counter()
        outcome, most = attempt(disk, pristine, name, None, "seeing")
        if outcome != "succeeded":
            sys.exit(f"{name} does not work as it is: {outcome}")
        for step in range(options.steps):
            free = int(step / max(1, options.steps - 1) * (1.2 * most + SPARE_BYTES))
            found[attempt(disk, pristine, name, free, "blind" if step % 2 else "seeing")[0]] += 1
        wrong += sum(count for what, count in found.items() if what.startswith("WRONG"))
        print(f"{name}: " + "; ".join(f"{count} {what}" for what, count in sorted(found.items())), flush=True)
    return wrong


def prepare(folder: Path, megabytes: float) -> Path:
    """What every command starts from."""
    folder.mkdir()
    make_recording(folder / RECORDING, megabytes)
    write(folder / RECORDING, embeddings_of(1), name=NAME)
    write_phy(folder / "phy")
    for number in range(3):
        write_nwb(simulate(14, 40.0, 0, animal=number), folder / f"labelled-{number}.nwb")
    nwb_neurid.new_model("isi").save(folder / "model")
    return folder


def attempt(disk: Path, pristine: Path, name: str, free: int | None, sight: str) -> tuple[str, int]:
    """One command with that much free room: what became of it, and how much room it took."""
    for other in disk.iterdir():
        shutil.rmtree(other) if other.is_dir() else other.unlink()
    shutil.copytree(pristine, disk, dirs_exist_ok=True)
    before, free_before = hashes(disk), shutil.disk_usage(disk).free
    if free is not None:
        with (disk / BALLAST).open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, max(1, free_before - free))
    code, said, least = run(disk, COMMANDS[name], sight)
    (disk / BALLAST).unlink(missing_ok=True)
    taken = free_before - min(least, shutil.disk_usage(disk).free)
    after = hashes(disk)
    lines = [line for line in said.splitlines() if line.startswith("nwb-neurid: ")]
    if left := [path for path in after if is_ours(Path(path))]:
        return f"WRONG code {code}, left {left[:3]}", taken
    if code == 0:
        return "succeeded", taken
    if free is None or code != 2 or len(lines) != 1 or "Traceback" in said:
        return f"WRONG code {code}: {said[-300:]!r}", taken
    changed = [path for path, digest in before.items() if after.get(path) != digest]
    new = set(after) - set(before)
    if changed or (new and name != "train"):  # a training keeps the model of its last checkpoint
        return f"WRONG refused, changed {changed[:3]}, new {sorted(new)[:3]}", taken
    return "refused in one line, nothing changed", taken


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != BALLAST
    }


def run(disk: Path, words: Sequence[str], sight: str) -> tuple[int, str, int]:
    """Exit code of a command in that folder, what it said, and the least room that was free meanwhile."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))  # of the pipe, not of what was there
        os.chdir(disk)
        if sight == "blind":
            shutil.disk_usage = lambda _: namedtuple("Usage", "free")(2**60)
        sys.argv = ["nwb-neurid", *words]
        end(command_line)
    os.close(writing)
    said, least = b"", shutil.disk_usage(disk).free
    while True:
        ready, _, _ = select.select([reading], [], [], 0.01)
        least = min(least, shutil.disk_usage(disk).free)
        if ready:
            if not (more := os.read(reading, 2**16)):
                break
            said += more
    os.close(reading)
    return end_child(child), said.decode(errors="replace"), least


def end(command) -> None:
    """Run a command and end this process as it does."""
    try:
        command()
        code = 0
    except SystemExit as asked:
        code = asked.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    sys.exit(main())
