"""Write results into files by old and new versions of PyNWB, and let all of these versions judge them.

    python tests/faults/old_pynwb.py --environments FOLDER

Makes a virtual environment for each version there, unless it stands there already. Ends with code 1 if a version
cannot open what it could open before, if validation finds more than before, if anything else in a file differs by a
bit, if nwbinspector says anything about our objects, or `dandi validate` finds a new error.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import h5py
from recordings import make_embeddings

from nwb_neurid.results import Predictions
from nwb_neurid.writers.nwb.removal import are_same
from nwb_neurid.writers.nwb.store import remove, write

VERSIONS = {
    "2.8.3": ["pynwb==2.8.3", "hdmf<4", "numpy<2", "setuptools<80"],
    "3.1.3": ["pynwb==3.1.3"],
    "current": ["pynwb", "nwbinspector", "dandi"],
}
MAKE = """
import sys, numpy as np
from datetime import datetime, timezone
from pynwb import NWBFile, NWBHDF5IO, TimeSeries
from pynwb.file import Subject
start = datetime(2020, 1, 1, tzinfo=timezone.utc)
n = NWBFile(session_description="Rich.", identifier="rich", session_start_time=start, session_id="one",
            experimenter=["A, B"], institution="I", keywords=["spikes"], experiment_description="E.")
n.subject = Subject(subject_id="mouse", species="Mus musculus", sex="F", age="P90D", description="A mouse.")
group = n.create_electrode_group("probe", description="P.", location="V1", device=n.create_device("device"))
for row in range(5):
    n.add_electrode(group=group, location="V1")
series = TimeSeries(name="series", description="S.", data=np.random.rand(200, 3), rate=1.0, unit="m")
n.add_acquisition(series)
for row in range(4):
    n.add_trial(start_time=float(row), stop_time=row + 1.0, timeseries=[series])
n.add_unit_column("cell_type", "known identity")
for row in range(20):
    n.add_unit(spike_times=np.sort(np.random.rand(50)) * 100, electrodes=[0, 1], electrode_group=group, cell_type="Sst")
with NWBHDF5IO(sys.argv[1], "w") as io:
    io.write(n)
"""
LOOK = """
import json, subprocess, sys, warnings
warnings.simplefilter("ignore")
from pynwb import NWBHDF5IO, validate
seen = {}
for path in sys.argv[1:]:
    try:
        with NWBHDF5IO(path, "r", load_namespaces=True) as io:
            n = io.read()
            n.units.to_dataframe()
            n.trials.to_dataframe()
            for module in n.processing.values():
                for found in module.data_interfaces.values():
                    if hasattr(found, "to_dataframe"):
                        found.to_dataframe(index=True)
            try:
                found = validate(path=path)
            except TypeError:  # an old version
                found = validate(paths=[path])[0]
            seen[path] = sorted(map(str, found))
    except Exception as error:
        seen[path] = f"{type(error).__name__}: {error}"
json.dump(seen, sys.stdout)
"""
JUDGE = """
import json, sys
from nwbinspector import inspect_nwbfile
json.dump({path: sorted(f"{m.importance.name} {m.check_function_name} {m.object_name} {m.message}"
           for m in inspect_nwbfile(nwbfile_path=path)) for path in sys.argv[1:]}, sys.stdout)
"""
OTHER = {
    "namespace": """{"namespaces": [{"doc": "Theirs.", "name": "ndx-other", "version": "0.1.0", "author": ["A"],
        "contact": ["a@b.c"], "schema": [{"namespace": "core"}, {"source": "ndx-other.extensions"}]}]}""",
    "ndx-other.extensions": """{"groups": [{"neurodata_type_def": "OtherDevice", "neurodata_type_inc": "Device",
        "doc": "A device."}]}""",
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--environments", type=Path, required=True)
    environments = parser.parse_args().environments
    wrong: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        files = list(made(Path(folder), environments))
        for name, pythons in {name: environment(environments, name) for name in VERSIONS}.items():
            compare(f"pynwb {name}", said(pythons, LOOK, files), wrong)
        current = environment(environments, "current")
        compare("nwbinspector", said(current, JUDGE, files), wrong)
        compare("dandi validate", {str(path): dandi(current, path) for pair in files for path in pair}, wrong)
        for before, after in files:
            name = f"{after.parent.name}/{after.stem}"
            kept = unchanged(before, after)
            wrong[name] += not kept
            print(f"{name}: everything else {'identical' if kept else 'DIFFERS'}")
    print("wrong:", sum(wrong.values()))
    return int(bool(wrong.total()))


def environment(folder: Path, name: str) -> Path:
    """The Python of an environment with that version."""
    python = folder / name / "bin" / "python"
    if not python.exists():
        venv.create(folder / name, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *VERSIONS[name]], check=True)
    return python


def made(folder: Path, environments: Path) -> Iterator[tuple[Path, Path]]:
    """Pairs of files, without results and with them."""
    for name in VERSIONS:
        for kind in ("ndx", "core", "removed"):
            before = folder / f"{name}-before" / f"{kind}.nwb"
            after = folder / f"{name}-after" / f"{kind}.nwb"
            for path in (before, after):
                path.parent.mkdir(exist_ok=True)
            subprocess.run([environment(environments, name), "-c", MAKE, before], check=True)
            if kind == "core":
                add_extension(before)
            shutil.copyfile(before, after)
            write(after, *results(), units_columns=True)
            if kind == "removed":
                remove(after, "neurid_made")
            yield before, after


def add_extension(path: Path) -> None:
    """A device of another extension, which the electrode group links to: what a second namespace would break."""
    with h5py.File(path, "r+") as file:
        group = file.create_group("specifications/ndx-other/0.1.0")
        for name, text in OTHER.items():
            group[name] = text
        file["general/devices/device"].attrs["namespace"] = "ndx-other"
        file["general/devices/device"].attrs["neurodata_type"] = "OtherDevice"


def results() -> tuple[object, list[Predictions]]:
    import numpy as np

    embeddings = make_embeddings(20, 16)
    probabilities = np.random.default_rng(2).dirichlet([1, 1], 20).astype(np.float32)
    classes = np.array(["Pvalb", "Sst"])
    predictions = Predictions(
        label_name="cell_type",
        scope="interneurons",
        classes=classes,
        unit_ids=embeddings.unit_ids,
        label=classes[probabilities.argmax(axis=1)],
        class_probabilities=probabilities,
        prediction_set=probabilities > 0.1,
        abstained=probabilities.max(axis=1) < 0.6,
        reasons=np.where(probabilities.max(axis=1) < 0.6, "undecided", ""),
        ood_score=np.linspace(0, 1, 20).astype(np.float32),
        prevalence=np.array([0.5, 0.5], np.float32),
        coverage=0.9,
        provenance=embeddings.provenance,
        descriptions={"Pvalb": "expresses parvalbumin", "Sst": "expresses somatostatin"},
    )
    return embeddings, [predictions]


def said(python: Path, code: str, files: list[tuple[Path, Path]]) -> dict[str, object]:
    paths = [str(path) for pair in files for path in pair]
    done = subprocess.run([python, "-c", code, *paths], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{python}: {done.stderr}")
    return json.loads(done.stdout[done.stdout.index("{") :])


def dandi(python: Path, path: Path) -> list[str]:
    """Errors alone; they are told about a path, which is left out."""
    command = [python.with_name("dandi"), "validate", "--min-severity", "ERROR", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return sorted(line.replace(str(path), "") for line in done.stdout.splitlines() if "[" in line)


def compare(judge: str, said: dict[str, object], wrong: Counter) -> None:
    """What a judge says of a file with results that it did not say of it before."""
    for path in (path for path in map(Path, said) if path.parent.name.endswith("-after")):
        now, before = said[str(path)], said[str(path).replace("-after", "-before")]
        if isinstance(before, list):
            new = [line for line in now if line not in before] if isinstance(now, list) else [now]
            wrong[judge] += len(new)
            print(f"{judge}: {path.parent.name}/{path.stem}: {len(before)} before, new: {new or 'none'}")
        elif judge.endswith(path.parent.name.partition("-")[0]):
            wrong[judge] += 1
            print(f"{judge} does not open what it wrote: {before}")
        else:
            print(f"{judge}: {path.parent.name}/{path.stem}: could not be opened before either: {before}")


def unchanged(before: Path, after: Path) -> bool:
    """Without the results, a file holds what it held, to the bit."""
    if after.stem == "removed":
        without = after
    else:
        without = remove(after, "neurid_made", output=after.with_name("without.nwb"), overwrite=True)
    with h5py.File(before) as first, h5py.File(without) as second:
        return are_same(first, second)


if __name__ == "__main__":
    sys.exit(main())
