"""Mutations of files that nwb-neurid wrote itself, results and models, given to the commands that read them.

    python tests/faults/own_files.py --mutations 500 --models 100

Of files with results (in both layouts, in a sidecar, with columns of units), `show`, `embed` under another name, `embed
--overwrite` and `remove` are run; of model folders, `embed` and `fit-labels`. Each must end with code 0, or with code 2
and one line, within `LIMIT_S` seconds of the clock and `LIMIT_BYTES` of memory; a file that was refused must keep its
bytes. Ends with code 1 otherwise.
"""

import argparse
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

import h5py
import mutations
import numpy as np
import torch
from folder_mutations import mutate_folder
from fuzz import run
from mutations import mutate_bytes
from nwb_files import write_units
from old_pynwb import add_extension
from recordings import make_recording

import nwb_neurid
from nwb_neurid.cli.app import app
from nwb_neurid.results import Predictions
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.writers.nwb.store import write

LIMIT_S, LIMIT_BYTES = 15.0, int(1.5 * 2**30)
NAME = "made"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mutations", type=int, default=500)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # a fork of a process that computed in several hangs
    worst, found = [0.0, 0.0], Counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sources, models, recording = make_results(folder), make_models(folder), folder / "labelled-0.nwb"
        load(sources, models, recording)
        for number in range(asked.mutations):
            source = sources[number % len(sources)]
            path = folder / "mutated.nwb"
            did = mutate_results(source, path, np.random.default_rng([asked.seed, number]))
            for words in commands_on_results(path):
                found[judge(path, words, worst, f"{number}: {source.name}, {did}")] += 1
        for number in range(asked.models):
            path = folder / "mutated model"
            shutil.copytree(models[number % len(models)], path)
            did = mutate_folder(path, np.random.default_rng([asked.seed, number]))
            for words in commands_on_models(path, recording):
                found[judge(recording, words, worst, f"model {number}: {did}")] += 1
            shutil.rmtree(path)
    for kind, count in sorted(found.items()):
        print(f"{count:5} {kind}")
    print(
        f"{asked.mutations} files with results and {asked.models} models; at most {worst[0]:.1f} s of "
        f"wall-clock time and {worst[1] / 2**20:.0f} MiB of memory"
    )
    return int(any(kind.startswith("WRONG") for kind in found))


def commands_on_results(path: Path) -> list[list[str]]:
    return [
        ["show", str(path)],
        ["embed", "--encoder", "isi", "--name", "other", str(path)],
        ["embed", "--encoder", "isi", "--name", NAME, "--overwrite", str(path)],
        ["remove", str(path), "--name", NAME],
    ]


def commands_on_models(path: Path, recording: Path) -> list[list[str]]:
    labelled = [str(recording.with_name(f"labelled-{number}.nwb")) for number in range(3)]
    out = str(recording.with_name("fitted"))
    return [
        ["embed", "--model", str(path), str(recording), "--name", "other", "--overwrite", "--device", "cpu"],
        ["fit-labels", str(path), *labelled, "--label", "cell_type", "--output", out, "--overwrite"],
    ]


def make_results(folder: Path) -> list[Path]:
    """Files with results and predictions, in every form."""
    made = []
    for name in ("ndx", "core", "sidecar", "columns", "bare"):
        path = folder / f"{name}.nwb"
        write_units(path) if name == "bare" else make_recording(path, 0.02, units=20)
        if name == "core":
            add_extension(path) if "general/devices/device" in h5py.File(path) else _add_namespace(path)
        embeddings = _embeddings(path)
        options = {"sidecar": name == "sidecar", "units_columns": name == "columns"}
        made.append(write(path, embeddings, [_predictions(embeddings)], name=NAME, **options))
    return made


def _add_namespace(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.create_group("specifications/ndx-other/0.1.0")


def _embeddings(path: Path):
    return nwb_neurid.new_model("isi").embed(nwb_neurid.read(path))


def _predictions(embeddings) -> Predictions:
    shares = np.random.default_rng(0).dirichlet([1, 1], len(embeddings)).astype(np.float32)
    shares[embeddings.reasons != ""] = np.nan
    classes = np.array(["Pvalb", "Sst"])
    seen = embeddings.reasons == ""
    label = np.where(seen, classes[np.nan_to_num(shares).argmax(axis=1)], "")
    return Predictions(
        label_name="cell_type",
        scope="interneurons",
        classes=classes,
        unit_ids=embeddings.unit_ids,
        label=label,
        class_probabilities=shares,
        prediction_set=np.nan_to_num(shares) > 0.1,
        abstained=~seen,
        reasons=embeddings.reasons,
        ood_score=np.zeros(len(embeddings), np.float32),
        prevalence=np.array([0.5, 0.5], np.float32),
        coverage=0.9,
        provenance=embeddings.provenance,
    )


def make_models(folder: Path) -> list[Path]:
    """A model with a head, and one with weights; and the recordings for them."""
    for number in range(3):
        write_nwb(simulate(14, 40.0, 0, animal=number), folder / f"labelled-{number}.nwb")
    sources = [folder / f"labelled-{number}.nwb" for number in range(3)]
    with_head = nwb_neurid.fit_labels("isi", sources, label="cell_type").save(folder / "with head")
    with_weights = nwb_neurid.new_model("nuclr", preset="small", untrained=True, device="cpu").save(folder / "weights")
    return [with_head, with_weights]


def load(sources: list[Path], models: list[Path], recording: Path) -> None:
    """Run each command once, so that the forks have loaded what they need; each must go through."""
    mutated = recording.with_name("mutated.nwb")
    on_results = [(path, words) for path in sources for words in commands_on_results(mutated)]
    on_models = [(recording, words) for path in models for words in commands_on_models(path, recording)]
    for path, words in on_results + on_models:
        if path in sources:
            shutil.copyfile(path, mutated)
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
            app([*words], standalone_mode=False)
        if "nwb-neurid: " in said.getvalue() and not ("neurid.nwb" in path.name and words[0] == "embed"):
            sys.exit(f"{' '.join(words)} does not work as it is: {said.getvalue()}")


def mutate_results(source: Path, path: Path, rng: np.random.Generator) -> str:
    """Write a mutation of a file; mostly of what is ours in it."""
    data = source.read_bytes()
    if rng.random() < 0.3:
        return str(mutate_bytes(path, data, rng))
    path.write_bytes(data)
    with h5py.File(path, "r+") as file, mock.patch.object(mutations, "anywhere", anywhere_in_ours):
        return str(mutations.mutate_objects(file, rng))


def anywhere_in_ours(file: h5py.File, rng: np.random.Generator, kind: object) -> str:
    """A group or a dataset of our results."""
    paths: list[str] = []
    file["processing"].visititems(lambda path, item: paths.append(path) if isinstance(item, kind) else None)
    return f"processing/{rng.choice(sorted(paths))}"


def judge(path: Path, words: list[str], worst: list[float], what: str) -> str:
    """Run a command, and put what came of it in a few words."""
    before, begin = path.read_bytes(), time.monotonic()
    code, said, used = run(words)
    seconds, memory = time.monotonic() - begin, used.ru_maxrss * 1024
    worst[:] = max(worst[0], seconds), max(worst[1], memory)
    lines = [line for line in said.splitlines() if line.startswith("nwb-neurid: ")]
    fault = ""
    if code not in {0, 2} or "Traceback" in said or "bug in" in said:
        fault = f"code {code}"
    elif code == 2 and len(lines) != 1:
        fault = "not one line"
    elif code == 2 and path.read_bytes() != before:
        fault = "refused, and the file changed"
    elif seconds > LIMIT_S or memory > LIMIT_BYTES:
        fault = f"{seconds:.1f} s, {memory / 2**20:.0f} MiB"
    if code == 0 and words[0] in {"embed", "remove"}:
        path.write_bytes(before)  # the next command gets the mutation too
    if fault:
        print(f"{what}: {' '.join(words)}: {fault}\n{said[-600:]}", flush=True)
        return f"WRONG {words[0]}: {fault}"
    return f"{words[0]}: {'done' if code == 0 else 'refused in one line'}"


if __name__ == "__main__":
    sys.exit(main())
