"""Put a pipe, a device and a link to nothing in place of every file of a source or a model in turn, and read it.

    python tests/faults/pipes.py

Each command must end within `LIMIT_S` seconds of the clock, which is less than the limit by the clock on reading, with
code 0, or with code 2 and one line. Ends with code 1 if one does not.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
from fuzz import run, written_in

import nwb_neurid
from nwb_neurid.cli.app import app
from nwb_neurid.simulate import simulate, write_nwb

LIMIT_S = 9.0


def put_pipe(path: Path) -> None:
    os.mkfifo(path)


def put_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def put_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


WAYS = (put_pipe, put_device, put_dangling_link)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1, help="replace only every so many-th file")
    every, wrong, worst_s = parser.parse_args().every, 0, 0.0
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        for number, (what, path, words) in enumerate(cases(Path(place))):
            if number % every:
                continue
            for put in WAYS:
                saved = path.read_bytes()
                path.unlink()
                put(path)
                begin = time.monotonic()
                code, said, _ = run(words)
                seconds = time.monotonic() - begin
                worst_s = max(worst_s, seconds)
                path.unlink()
                path.write_bytes(saved)
                lines = [line for line in said.splitlines() if line.startswith("nwb-neurid: ")]
                good = code in {0, 2} and len(lines) == (code == 2) and seconds < LIMIT_S and "Traceback" not in said
                wrong += not good
                found["read" if code == 0 else "refused in one line"] += good
                name = f"{put.__name__.removeprefix('put_').replace('_', ' ')} for {what}"
                warned = [line for line in said.splitlines() if line.startswith(("warning: ", "  - "))]
                outcome = said.strip()[-300:] if code else f"read; {' '.join(warned)}"
                print(f"{'' if good else f'WRONG (code {code}, {seconds:.1f} s) '}{name}: {outcome}")
    print(
        f"{found.total() + wrong} commands, read: {found['read']}, refused in one line: "
        f"{found['refused in one line']}, wrong: {wrong}; at most {worst_s:.1f} s of wall-clock time"
    )
    return int(bool(wrong))


def cases(folder: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """What is replaced, where, and the command that then reads it."""
    for source in written_in(folder):
        files = sorted(path for path in source.copy.rglob("*") if path.is_file()) or [source.copy]
        for path in files:
            inner = path.relative_to(source.copy).as_posix() if path != source.copy else path.suffix
            yield f"{inner} of {source.name}", path, ["inspect", str(source.copy), *source.options]
    sources = [write_nwb(simulate(14, 40.0, 0, animal=number), folder / f"animal {number}.nwb") for number in range(3)]
    yield from links(folder, Path(sources[0]))
    with_head = nwb_neurid.fit_labels("isi", sources, label="cell_type").save(folder / "head")
    with_weights = nwb_neurid.new_model("nuclr", preset="small", untrained=True, device="cpu").save(folder / "weights")
    for model in (with_head, with_weights):
        words = ["embed", "--model", str(model), str(sources[1]), "--name", "x", "--overwrite", "--device", "cpu"]
        app([*words], standalone_mode=False)
        for path in sorted(path for path in Path(model).rglob("*") if path.is_file()):
            yield f"{path.name} of a model", path, words


def links(folder: Path, recording: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Files that a recording links to, or that hold data of it."""
    other = Path(shutil.copy(recording, folder / "other.nwb"))
    for number, place in enumerate(("units", "general/subject", "units/spike_times")):
        linking = Path(shutil.copy(recording, folder / f"linking {number}.nwb"))
        with h5py.File(linking, "r+") as file:
            del file[place]
            file[place] = h5py.SoftLink("/out") if number == 1 else h5py.ExternalLink("other.nwb", place)
            if number == 1:
                file["out"] = h5py.ExternalLink("other.nwb", place)
        for words in (["inspect", str(linking)], ["embed", "--encoder", "isi", "--overwrite", str(linking)]):
            yield f"the target of a link at {place} ({words[0]})", other, words


if __name__ == "__main__":
    sys.exit(main())
