"""Embed an archive over workers while something goes wrong, and look at what is left.

    python tests/faults/archive.py
    python tests/faults/archive.py --recordings 40 --fault "worker killed" --rounds 5

Of every fault: the command ends with the code that it should, or goes on at the next call; the dataset holds each
recording once, whole, with the vectors of a run without a fault; failures are reported with their reason, and nothing
else is; and nothing of ours is left behind. Ends with code 1 otherwise.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import psutil

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.writers.dataset import read_dataset

WAIT_S = 120.0
HANG_S = 8
"""Less than reading waits for a disk that gives no answer."""
DATASET = "vectors"
SPARE_BYTES = (28_672, 0, 65_536)
"""What is left of the disk: room for the manifest alone, no room, room for a recording or two."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass
class Run:
    """A command that embeds the archive; what it reported comes line by line."""

    words: Sequence[str]
    folder: Path
    lines: list[dict[str, object]] = field(default_factory=list)
    said: str = ""

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "nwb_neurid", "embed", *self.words, "--encoder", "isi", "--json"]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD},
            start_new_session=True,
        )
        self.threads = [threading.Thread(target=read) for read in (self._read_lines, self._read_errors)]
        for thread in self.threads:
            thread.start()

    def _read_lines(self) -> None:
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def _read_errors(self) -> None:
        self.said = self.process.stderr.read()

    def reach(self, count: int) -> None:
        """Wait until so many recordings are embedded, or it has ended."""
        deadline = time.monotonic() + WAIT_S
        while len(self.embedded) < count and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)

    @property
    def embedded(self) -> list[str]:
        return [line["source"] for line in self.lines if line.get("what") == "embedded"]

    def end(self) -> int:
        code = self.process.wait(WAIT_S)
        for thread in self.threads:
            thread.join(WAIT_S)
        return code

    def kill(self) -> None:
        """Kill the command with the process that guards it."""
        for each in [*psutil.Process(self.process.pid).children(), self.process]:
            os.kill(each.pid, signal.SIGKILL)
        self.end()

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return [each for each in self._spawned() if not _is_spawned(each.parent())]

    def beside(self) -> list[psutil.Process]:
        """The processes beside its workers, which embed."""
        return [each for each in self._spawned() if _is_spawned(each.parent())]

    def _spawned(self) -> list[psutil.Process]:
        return [each for each in psutil.Process(self.process.pid).children(recursive=True) if _is_spawned(each)]


def _is_spawned(process: psutil.Process | None) -> bool:
    with suppress(psutil.Error):
        return process is not None and "spawn_main" in " ".join(process.cmdline())
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3, help="how often what is killed is, at other moments")
    parser.add_argument("--fault", choices=FAULTS, action="append", help="only these faults")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        pristine = Path(place).resolve() / "pristine"
        truth = prepare(pristine, options.recordings)
        for name in options.fault or FAULTS:
            folder = Path(place).resolve() / "now"
            shutil.copytree(pristine, folder, symlinks=True)
            found = FAULTS[name](folder, truth, options.rounds)
            shutil.rmtree(folder, ignore_errors=True)
            wrong += found.startswith("WRONG")
            print(f"{name}: {found}", flush=True)
    print(f"{len(options.fault or FAULTS)} faults, {options.recordings} recordings, wrong: {wrong}")
    return int(bool(wrong))


def prepare(folder: Path, count: int) -> dict[str, np.ndarray]:
    """An archive, and the vectors of each recording."""
    folder.mkdir()
    model = nwb_neurid.new_model("isi")
    truth = {}
    for number in range(count):
        path = write_nwb(simulate(6, 20.0, 0, animal=number), folder / f"r{number:03}.nwb")
        truth[path.name] = model.embed(nwb_neurid.read(path)).vectors
    return truth


def judge(folder: Path, truth: Mapping[str, np.ndarray], *, failed: Sequence[str] = ()) -> str:
    """What is wrong with the dataset; "" if nothing is."""
    parts = read_dataset(folder / DATASET)
    names = sorted(each.population.source for each in parts)
    wanted = sorted(name for name in truth if name not in failed)
    if names != wanted:
        lost, more = sorted(set(wanted) - set(names)), sorted(set(names) - set(wanted))
        return f"lost {lost[:3]}, more {more[:3]}, {len(names)} of {len(wanted)}"
    if other := [
        each.population.source
        for each in parts
        if not np.array_equal(each.embeddings.vectors, truth[each.population.source])
    ]:
        return f"other vectors of {other[:3]}"
    hidden = [path.name for path in folder.rglob(".*") if "neurid" in path.name]
    return f"left behind {hidden[:3]}" if hidden else ""


def check_report(run: Run, truth: Mapping[str, np.ndarray], failed: Mapping[str, str]) -> str:
    """What is wrong with what a run reported; "" if nothing is."""
    told = [str(line["source"]) for line in run.lines]
    if sorted(told) != sorted({*truth, *failed}):
        return f"reported {len(told)} of {len({*truth, *failed})} recordings"
    errors = {str(line["source"]): str(line["error"]) for line in run.lines if "error" in line}
    if errors.keys() != failed.keys() or any(failed[name] not in errors[name] for name in failed):
        return f"reported as failed: {errors}"
    if any(failed[name] not in run.said for name in failed):
        return f"the reasons are not at the end: {run.said[-300:]!r}"
    return "a traceback" if "Traceback" in run.said else ""


def finish(run: Run, folder: Path, truth: Mapping[str, np.ndarray], said: str, failed: Mapping[str, str] = {}) -> str:
    """The verdict on a run that was to go through."""
    code = run.end()
    if code != int(bool(failed)):
        return f"WRONG code {code}: {run.said[-400:]!r}"
    fault = check_report(run, truth, failed) or judge(folder, truth, failed=list(failed))
    return f"WRONG {fault}" if fault else said


def kill_now_and_then(
    folder: Path,
    truth: Mapping[str, np.ndarray],
    rounds: int,
    find: Callable[[Run], Sequence[psutil.Process]],
    what: str,
) -> str:
    """Kill the first of the processes that are found, at several moments of a run."""
    run = Run([*truth, "--workers", "2", "--output", DATASET], folder)
    killed = 0
    for number in range(rounds):
        run.reach(1 + number * len(truth) // (rounds + 1))
        for process in find(run)[:1] if run.process.poll() is None else []:
            process.kill()
            killed += 1
    return finish(run, folder, truth, f"{killed} {what} killed, all embedded by the same run")


def kill_worker(folder: Path, truth: Mapping[str, np.ndarray], rounds: int) -> str:
    """Kill a worker, at several moments: another one embeds what it had."""
    return kill_now_and_then(folder, truth, rounds, Run.workers, "workers")


def kill_run(folder: Path, truth: Mapping[str, np.ndarray], rounds: int) -> str:
    """Kill the command itself, at several moments: the next one goes on."""
    done: list[str] = []
    for number in range(rounds):
        run = Run([*truth, "--workers", "2", "--output", DATASET], folder)
        run.reach(1 + number)
        run.kill()
        done += run.embedded
    last = Run([*truth, "--workers", "2", "--output", DATASET], folder)
    verdict = finish(last, folder, truth, f"killed {rounds} times, all embedded in the end")
    again = sorted(name for name in {*done} if (done + last.embedded).count(name) > 1)
    return f"WRONG reported twice: {again[:3]}" if again else verdict


def kill_run_in_place(folder: Path, truth: Mapping[str, np.ndarray], rounds: int) -> str:
    """The same where the tables go into the recordings themselves."""
    from nwb_neurid.writers.stored import find_results

    for number in range(rounds):
        run = Run([*truth, "--workers", "2"], folder)
        run.reach(1 + number)
        run.kill()
    last = Run([*truth, "--workers", "2"], folder)
    if code := last.end():
        return f"WRONG code {code}: {last.said[-400:]!r}"
    for name, vectors in truth.items():
        found = find_results(folder / name)[1]
        if len(found) != 1 or not np.array_equal(found[0].embeddings.vectors, vectors):
            return f"WRONG results in {name}"
    hidden = [path.name for path in folder.rglob(".*") if "neurid" in path.name]
    return f"WRONG left behind {hidden[:3]}" if hidden else f"killed {rounds} times, each file has its tables once"


def interrupt(folder: Path, truth: Mapping[str, np.ndarray], _: int) -> str:
    """Press Ctrl-C, which reaches the workers as well."""
    run = Run([*truth, "--workers", "2", "--output", DATASET], folder)
    run.reach(1)
    os.killpg(run.process.pid, signal.SIGINT)
    code, said = run.end(), run.said.strip().splitlines()
    if code != 130 or len(said) != 1 or "run the same command again to continue" not in said[0]:
        return f"WRONG code {code}: {run.said[-400:]!r}"
    last = Run([*truth, "--workers", "2", "--output", DATASET], folder)
    return finish(last, folder, truth, "one line and code 130, all embedded by the next run")


def restart_scheduler(folder: Path, truth: Mapping[str, np.ndarray], rounds: int) -> str:
    """Kill the scheduler, and start it again under its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    killed = 0
    with serve(port, folder) as start:
        run = Run([*truth, "--scheduler", f"tcp://127.0.0.1:{port}", "--output", DATASET], folder)
        for number in range(rounds):
            run.reach(1 + number * len(truth) // (rounds + 1))
            if run.process.poll() is None:
                start()
                killed += 1
        return finish(run, folder, truth, f"restarted {killed} times, all embedded by the same run")


@contextmanager
def serve(port: int, folder: Path) -> Iterator[Callable[[], None]]:
    """A scheduler with a worker, as a batch system keeps them: calling it ends both and starts them again."""
    processes: list[subprocess.Popen[bytes]] = []

    def stop() -> None:
        for each in processes:
            for child in [*psutil.Process(each.pid).children(recursive=True), each] if each.poll() is None else []:
                child.kill()
            each.wait()
        processes.clear()

    def start() -> None:
        stop()
        address = f"tcp://127.0.0.1:{port}"
        for words in (
            ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
            ["worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder.parent)],
        ):
            log = subprocess.DEVNULL
            command = [sys.executable, "-m", "dask", *words]
            processes.append(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=os.environ | ONE_THREAD))

    start()
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    try:
        yield start
    finally:
        stop()


def fill_disk(folder: Path, truth: Mapping[str, np.ndarray], rounds: int) -> str:
    """Fill the disk of the dataset half-way, more and less: the rest fails, and is embedded once there is room."""
    disk = folder / DATASET
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        return "skipped: no right to mount a small disk"
    failed = stops = 0
    try:
        for spare in SPARE_BYTES[:rounds]:
            run = Run([*truth, "--workers", "2", "--output", DATASET], folder)
            run.reach(1)
            with (disk / "_ballast").open("wb", buffering=0) as file:
                with suppress(OSError):
                    while True:
                        file.write(bytes(4096))
                os.ftruncate(file.fileno(), max(0, os.fstat(file.fileno()).st_size - spare))
            code = run.end()
            (disk / "_ballast").unlink()
            full = [str(line["error"]) for line in run.lines if "error" in line]
            stopped = code == 2 and "manifest" in run.said and "Traceback" not in run.said
            if any("space" not in why for why in full) or not (stopped or code == int(bool(full))):
                return f"WRONG code {code}, {full[:2]} {run.said[-300:]!r}"
            failed, stops = failed + len(full), stops + stopped
        last = Run([*truth, "--workers", "2", "--output", DATASET], folder)
        how = f"{rounds} times: {failed} recordings failed for lack of space, {stops} times the run stopped"
        return finish(last, folder, truth, f"{how}; all embedded by the next run")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def break_file(folder: Path, truth: Mapping[str, np.ndarray], _: int) -> str:
    """Damage a recording, and name one that is not there."""
    name = next(iter(truth))
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    failed = {name: "truncated", "gone.nwb": "does not exist"}
    run = Run([*truth, "gone.nwb", "--workers", "2", "--output", DATASET], folder)
    verdict = finish(run, folder, truth, "both reported with their reasons, the others embedded", failed)
    if verdict.startswith("WRONG"):
        return verdict
    (folder / name).write_bytes(content)
    run = Run([*truth, "--workers", "2", "--output", DATASET], folder)
    return finish(run, folder, truth, f"{verdict}; repaired, it is embedded by the next run")


def kill_beside(folder: Path, truth: Mapping[str, np.ndarray], rounds: int) -> str:
    """Kill the process beside a worker that embeds, at several moments: what it had is tried again."""
    return kill_now_and_then(folder, truth, rounds, Run.beside, "processes")


def loop_for_ever(folder: Path, truth: Mapping[str, np.ndarray], _: int) -> str:
    """Add a damaged file on which HDF5 (2.0 and before) computes for ever: its process is ended, no worker is lost."""
    make_endless(folder / "endless.nwb")
    run = Run(["endless.nwb", *truth, "--workers", "1", "--output", DATASET], folder)
    return finish(run, folder, truth, "reported as damaged, the others embedded", {"endless.nwb": "endless.nwb"})


def make_endless(path: Path) -> None:
    """A file in whose heap of texts one entry is 0 bytes long, so that the search in it makes no way."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file["units/id"], file["units/spike_times"], file["units/spike_times_index"] = [0, 1], [0.0, 1.0, 2.0], [2, 3]
        file["units/cell_type"] = ["PV", "SST"]
    content = path.read_bytes()
    entry = content.index(b"GCOL") + 16
    while content[entry : entry + 2] != bytes(2):  # entry 0 is what is free
        entry += 16 + -(-int.from_bytes(content[entry + 8 : entry + 16], "little") // 8) * 8
    path.write_bytes(content[: entry + 8] + bytes(8) + content[entry + 16 :])


def hang(folder: Path, truth: Mapping[str, np.ndarray], _: int) -> str:
    """Stop the process that embeds, so that it never ends: its time is over, and its worker goes on with the others."""
    words = [*truth, "--workers", "1", "--time-limit", f"{HANG_S}s", "--output", DATASET]
    run = Run(words, folder)
    run.reach(1)
    for process in run.beside():
        process.suspend()
    code = run.end()
    failed = {str(line["source"]): f"not finished after {HANG_S}s" for line in run.lines if "error" in line}
    if code != 1 or not failed:
        return f"WRONG code {code}, {len(failed)} failed: {run.said[-300:]!r}"
    if fault := check_report(run, truth, failed) or judge(folder, truth, failed=list(failed)):
        return f"WRONG {fault}"
    last = Run([*truth, "--workers", "1", "--output", DATASET], folder)
    return finish(last, folder, truth, f"{len(failed)} failed in time, the others embedded; all by the next run")


def replace_recordings(folder: Path, truth: Mapping[str, np.ndarray], _: int) -> str:
    """Put another recording in the place of one that waits for its turn: it is refused, or embedded as it was."""
    name, other = list(truth)[-1], next(iter(truth))
    content = (folder / name).read_bytes()
    run = Run([*truth, "--workers", "1", "--output", DATASET], folder)
    run.reach(1)
    (folder / "new").write_bytes((folder / other).read_bytes()[:-1] + b"x")  # no copy of the other
    (folder / "new").replace(folder / name)
    run.end()
    failed = {name: "changed after this run had looked at it"} if name not in run.embedded else {}
    if fault := check_report(run, truth, failed) or judge(folder, truth, failed=list(failed)):
        return f"WRONG {fault}"
    (folder / name).write_bytes(content)
    last = Run([*truth, "--workers", "1", "--output", DATASET], folder)
    return finish(last, folder, truth, f"{len(failed)} refused; all embedded by the next run")


def rename_file(folder: Path, truth: Mapping[str, np.ndarray], _: int) -> str:
    """Give recordings second names: a copy, a symbolic link and a hard link."""
    first, second, third, *_ = truth
    shutil.copy(folder / first, folder / "z-copy.nwb")
    (folder / "z-link.nwb").symlink_to(second)
    (folder / "z-hard.nwb").hardlink_to(folder / third)
    again = {"z-copy.nwb": first, "z-link.nwb": second, "z-hard.nwb": third}
    run = Run([*truth, *again, "--workers", "2", "--output", DATASET], folder)
    verdict = finish(run, folder, truth | dict.fromkeys(again, np.empty(0)), "")
    told = {line["source"]: line["same_as"] for line in run.lines if "same_as" in line}
    if run.process.returncode or told != again:
        return f"WRONG code {run.process.returncode}, {told}: {verdict}"
    fault = judge(folder, truth)
    return f"WRONG {fault}" if fault else "a copy, a link and a hard link reported as the same, embedded once"


def run_twice(folder: Path, truth: Mapping[str, np.ndarray], _: int) -> str:
    """Two commands at once on one manifest."""
    both = [Run([*truth, "--workers", "1", "--output", DATASET], folder) for _ in range(2)]
    for run in both:
        if (verdict := finish(run, folder, truth, "")).startswith("WRONG"):
            for other in both:
                other.end()
            return verdict
    one, other = ({*run.embedded} for run in both)
    if one & other or one | other != {*truth}:
        return f"WRONG embedded by both: {sorted(one & other)[:3]}"
    return f"one embedded {len(one)}, the other {len(other)}, both reported all"


FAULTS: Mapping[str, Callable[[Path, Mapping[str, np.ndarray], int], str]] = {
    "worker killed": kill_worker,
    "run killed": kill_run,
    "run killed, results in the files": kill_run_in_place,
    "Ctrl-C": interrupt,
    "scheduler restarted": restart_scheduler,
    "disk full": fill_disk,
    "process killed": kill_beside,
    "HDF5 computes for ever": loop_for_ever,
    "recording hangs": hang,
    "recording replaced": replace_recordings,
    "file corrupt": break_file,
    "one file, two names": rename_file,
    "two runs at once": run_twice,
}


if __name__ == "__main__":
    sys.exit(main())
