"""Put a link to another file in place of every object of a recording in turn, and write into the recording.

    python tests/faults/links.py

The other file holds the same objects, results of nwb-neurid among them, so that whatever follows a link finds what it
looks for. Each object is replaced by an external link, every second one by a soft link to one; then results are written
(as a copy in place, elsewhere, beside it), replaced, and removed. Ends with code 1 if the other file
changed, in its bytes or its date, if something else than an error of ours was raised, or a file was left beside the
recording.
"""

import argparse
import shutil
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
from nwb_files import write_imaging, write_units
from recordings import make_embeddings, make_recording, strays

from nwb_neurid.errors import NeuridError
from nwb_neurid.writers.nwb.store import remove, write

PLANE = "processing/ophys/ImageSegmentation/upper ROIs"
WAYS: dict[str, dict[str, Any]] = {
    "copy": {},
    "output": {"output": "output.nwb"},
    "sidecar": {"sidecar": True},
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1, help="replace only every so many-th object")
    every = parser.parse_args().every
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources = ((write_units, "units", 6), (write_imaging, PLANE, 3), (write_with_specification, "units", 5))
        for make, table, units in sources:
            other = Path(folder) / "other.nwb"
            make(other)
            embeddings = make_embeddings(units=units, dim=4)
            write(other, embeddings, table=table)
            for number, path in enumerate(objects(other)):
                if number % every == 0:
                    for way in WAYS:
                        found += outcomes(other, path, way, embeddings, table, soft=number // every % 2 == 1)
    for kind, count in sorted(found.items()):
        print(f"{count:5} {kind}")
    return int(any(kind.startswith("WRONG") for kind in found))


def write_with_specification(path: Path) -> None:
    """Units alone, in a file that caches its specification."""
    make_recording(path, 0.01, units=5)


def objects(path: Path) -> list[str]:
    """The paths of all groups and datasets in a file."""
    names: list[str] = []
    with h5py.File(path) as file:
        file.visit(names.append)
    return names


def outcomes(other: Path, path: str, way: str, embeddings: Any, table: str, *, soft: bool) -> Counter[str]:
    """What came of writing, replacing and removing, with a link at `path`."""
    found: Counter[str] = Counter()
    folder = other.parent / "beside"
    folder.mkdir()
    recording = Path(shutil.copy(other, folder / "recording.nwb"))
    with h5py.File(recording, "r+") as file:
        del file[path]
        link = h5py.ExternalLink("../other.nwb", f"/{path}")
        file[path] = h5py.SoftLink("/link out") if soft else link
        if soft:
            file["link out"] = link
    before, date = other.read_bytes(), other.stat().st_mtime_ns
    options = {**WAYS[way]}
    if "output" in options:
        options["output"] = folder / options["output"]
    for step in ("write", "replace", "remove"):
        try:
            if step == "remove":
                remove(recording, "neurid_made")
            else:
                write(recording, embeddings, table=table, overwrite=step == "replace", **options)
            found[f"{way}: {step}: done"] += 1
        except NeuridError:
            found[f"{way}: {step}: refused in one line"] += 1
        except Exception as error:
            found[f"WRONG: {way}: {step}: {path}: {error!r}"] += 1
        if other.read_bytes() != before or other.stat().st_mtime_ns != date:
            found[f"WRONG: {way}: {step}: {path}: the other file changed"] += 1
            other.write_bytes(before)
            date = other.stat().st_mtime_ns
    left = set(strays(recording)) - {"output.nwb", "recording.neurid.nwb"}
    found += Counter(f"WRONG: {way}: {name} was left" for name in left)
    shutil.rmtree(folder)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
