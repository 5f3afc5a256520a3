"""Everything that nwb-neurid writes: how it is written, and which version of it is there.

Each kind can write version 1, 2, ... of its output into a folder, and tell which version a reader finds: None if there
is none. Whatever is neither, or half of one and half of another, raises.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from recordings import make_embeddings, make_recording

import nwb_neurid
from nwb_neurid._system.arrays import hash_arrays
from nwb_neurid._system.file_sets import find_file, find_files
from nwb_neurid.errors import NoResults
from nwb_neurid.evaluation.results import SCORES, TABLE, Evaluation
from nwb_neurid.model.folder import ABOUT, Description, read_description, read_weights, write_folder
from nwb_neurid.population import Population
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.testing import mock_population
from nwb_neurid.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from nwb_neurid.writers import phy, table
from nwb_neurid.writers.nwb.entry import Results
from nwb_neurid.writers.nwb.standalone import write_standalone
from nwb_neurid.writers.nwb.store import read, remove, write

torch.set_num_threads(1)  # a child of this process cannot use threads that its parent started

UNITS = 200
RECORDING, SIDECAR = "recording.nwb", "recording.neurid.nwb"
NAME = "made"
SMALL = {"encoder": "nuclr", "preset": "small", "steps": 2, "windows": 2, "device": "cpu", "checkpoint_s": 0.0}


@dataclass(frozen=True)
class Kind:
    """One kind of output.

    Parameters
    ----------
    write
        Writes this version of it into a folder.
    read
        The version that is in a folder.
    own
        Names in the folder that may change.
    prepare
        Puts into an empty folder what there is before; by default a recording of so many megabytes.
    """

    write: Callable[[Path, int], object]
    read: Callable[[Path], int | None]
    own: tuple[str, ...]
    prepare: Callable[[Path, float], object] = lambda folder, megabytes: _recording(folder, megabytes)


def _recording(folder: Path, megabytes: float) -> None:
    (folder / RECORDING).write_bytes(_content_of_recording(megabytes))


@cache
def _content_of_recording(megabytes: float) -> bytes:
    with TemporaryDirectory() as folder:
        return make_recording(Path(folder) / RECORDING, megabytes, units=UNITS).read_bytes()


@cache
def embeddings_of(version: int) -> Any:
    """Vectors that all hold the number of the version."""
    made = make_embeddings(UNITS, 64)
    return replace(made, vectors=np.full_like(made.vectors, version))


def version_in(path: Path, name: str = NAME) -> int | None:
    """The version of the results in an NWB file, all of whose vectors must be of one."""
    if not path.exists():
        return None
    try:
        (found,) = read(path, name)
    except NoResults:
        return None
    (version,) = np.unique(found.embeddings.vectors).tolist()
    return int(version)


def _write_nwb(folder: Path, version: int, **options: Any) -> None:
    write(folder / RECORDING, embeddings_of(version), name=NAME, overwrite=True, **options)


def _remove(folder: Path, version: int) -> None:
    if version_in(folder / RECORDING) is None:
        write(folder / RECORDING, embeddings_of(1), name=NAME)
    if version > 1:
        remove(folder / RECORDING, NAME)


def _removed(folder: Path) -> int | None:
    return 2 if version_in(folder / RECORDING) is None else 1


@cache
def population() -> Population:
    """Units that are in no NWB file."""
    return mock_population(units=UNITS, duration_s=20.0)


def _write_table(kind: str) -> Callable[[Path, int], None]:
    def make(folder: Path, version: int) -> None:
        made = table.make_table(population(), embeddings_of(version))
        table.write_table(made, embeddings_of(version).provenance, folder / f"x.{kind}", kind, overwrite=True)

    return make


def _read_table(kind: str) -> Callable[[Path], int | None]:
    def find(folder: Path) -> int | None:
        import pandas as pd

        if not (folder / f"x.{kind}").exists():
            return None
        found = {"csv": pd.read_csv, "parquet": pd.read_parquet}[kind](folder / f"x.{kind}")
        assert len(found) == UNITS
        (version,) = np.unique(found.filter(regex=r"^e\d+$").to_numpy()).tolist()
        return int(version)

    return find


def _phy_folder(folder: Path, _: float) -> None:
    for name in ("spike_times.npy", "spike_clusters.npy"):
        np.save(folder / name, np.arange(4))
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n0\tgood\n")


def _write_phy(folder: Path, version: int) -> None:
    columns = {
        name: np.array([f"{version}"] * 4) for name in ("neurid_x", "neurid_x_type", "neurid_x_type_probability")
    }
    phy.write_columns(folder, np.arange(4), columns, overwrite=True)


def _read_phy(folder: Path) -> int | None:
    names = [f"cluster_neurid_x{end}.tsv" for end in ("", "_type", "_type_probability")]
    paths = [find_file(folder, names[0], name) for name in names]
    if not any(path.exists() for path in paths):
        return None
    (version,) = {line.split("\t")[1] for path in paths for line in path.read_text().splitlines()[1:]}
    return int(version)


def _write_model(folder: Path, version: int) -> None:
    state = {"weights": np.full(50_000, version, np.float32)}
    about = Description(
        encoder="isi",
        encoder_version="1",
        distribution="",
        config={},
        training=f"{version}",
        weights_sha256=hash_arrays(state),
        software={},
    )
    others = {f"heads/{name}.json": f"{version}".encode() for name in ("a", f"of {version}")}
    write_folder(folder / "model", about, f"{version}", state, overwrite=True, others=others)


def _read_model(folder: Path) -> int | None:
    model = folder / "model"
    if not model.exists():
        return None
    about = read_description(model)
    weights = read_weights(model, about.weights_sha256)["weights"]
    heads = find_files(model, ABOUT, "heads/*.json")
    told = {about.training, f"{weights[0]:.0f}", find_file(model, ABOUT, "README.md").read_text()}
    (version,) = told | {path.read_text() for path in heads}
    assert sorted(path.stem for path in heads) == ["a", f"of {version}"]
    return int(version)


def _model_with_others(folder: Path, megabytes: float) -> None:
    _recording(folder, megabytes)
    for name in (".git/config", "figures/one.png", "notes.md", "heads/notes.md"):
        (folder / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "model" / name).write_text("mine")
    _write_model_into(folder)


def _write_model_into(folder: Path) -> None:
    (folder / "model" / "model.json").write_text("{}")  # which makes it a folder of ours
    _write_model(folder, 1)


def _write_checkpoint(folder: Path, version: int) -> None:
    state = Checkpoint(tensors={"a": torch.full((50_000,), float(version))}, seconds=float(version), fingerprint={})
    write_checkpoint(folder / "checkpoint.safetensors", state)


def _read_checkpoint(folder: Path) -> int | None:
    if not (folder / "checkpoint.safetensors").exists():
        return None
    found = read_checkpoint(folder / "checkpoint.safetensors")
    (version,) = {found.seconds, *np.unique(found.tensors["a"].numpy()).tolist()}
    return int(version)


@cache
def _simulation(version: int) -> Any:
    return simulate(5, 20.0, version)


def _write_simulation(folder: Path, version: int) -> None:
    write_nwb(_simulation(version), folder / "simulated.nwb", overwrite=True)


def _read_simulation(folder: Path) -> int | None:
    if not (folder / "simulated.nwb").exists():
        return None
    trains = nwb_neurid.read(folder / "simulated.nwb").activity.times_s
    return next(version for version in (1, 2) if np.array_equal(trains, _simulation(version).times_s))


@cache
def _evaluation() -> Evaluation:
    rng = np.random.default_rng(0)
    animals = []
    for number in range(4):
        made = mock_population(units=12, duration_s=60.0, seed=number)
        labels = {"cell_type": rng.permutation(np.repeat(["PV", "SST"], 6))}
        animals.append(replace(made, labels=labels, subject_id=f"mouse {number}", source=""))
    return nwb_neurid.evaluate("isi", animals, label="cell_type", protocol="inductive-zero-shot", folds=2)


def _write_evaluation(folder: Path, version: int) -> None:
    found = _evaluation()
    replace(found, scores={**found.scores, "name": f"version {version}"}).save(folder / "scores", overwrite=True)


def _read_evaluation(folder: Path) -> int | None:
    import json

    scores, made = folder / "scores", find_file(folder / "scores", SCORES, SCORES)
    if not made.exists():
        return None
    name = json.loads(made.read_text())["name"]
    assert find_file(scores, SCORES, TABLE).read_text().splitlines()[1].startswith(name)
    assert len(find_files(scores, SCORES, "*.png")) >= 4
    return int(name.removeprefix("version "))


def _train(folder: Path, version: int) -> None:
    made = mock_population(units=6, duration_s=40.0)
    nwb_neurid.train([replace(made, source="")], folder / "trained", **SMALL, seed=version, overwrite=True)


def _read_trained(folder: Path) -> int | None:
    if not (folder / "trained").exists() or not find_file(folder / "trained", ABOUT, ABOUT).exists():
        return None
    model = nwb_neurid.load_model(folder / "trained", device="cpu")
    return int(model.training.partition("seed ")[2].partition(",")[0])


def _prepare_analyzer(form: str) -> Callable[[Path, float], None]:
    def make(folder: Path, _: float) -> None:
        import analyzer

        analyzer.make_analyzer(folder / f"analyzer{'.zarr' if form == 'zarr' else ''}", form)

    return make


def _analyzer(folder: Path) -> Path:
    (path,) = folder.glob("analyzer*")
    return path


def _compute(folder: Path, version: int) -> None:
    import analyzer

    analyzer.compute(_analyzer(folder), version)


def _computed(folder: Path) -> int | None:
    import analyzer

    return analyzer.find_seed(_analyzer(folder))


KINDS: Mapping[str, Kind] = {
    "copy": Kind(_write_nwb, lambda folder: version_in(folder / RECORDING), (RECORDING,)),
    "output": Kind(
        lambda folder, version: _write_nwb(folder, version, output=folder / "copy.nwb"),
        lambda folder: version_in(folder / "copy.nwb"),
        ("copy.nwb",),
    ),
    "sidecar": Kind(
        lambda folder, version: _write_nwb(folder, version, sidecar=True),
        lambda folder: version_in(folder / SIDECAR),
        (SIDECAR,),
    ),
    "remove": Kind(_remove, _removed, (RECORDING,)),
    "standalone": Kind(
        lambda folder, version: write_standalone(
            population(), [Results(NAME, embeddings_of(version), [])], folder / "x.nwb", overwrite=True
        ),
        lambda folder: version_in(folder / "x.nwb"),
        ("x.nwb",),
    ),
    "csv": Kind(_write_table("csv"), _read_table("csv"), ("x.csv",)),
    "parquet": Kind(_write_table("parquet"), _read_table("parquet"), ("x.parquet",)),
    "phy": Kind(
        _write_phy,
        _read_phy,
        tuple(f"cluster_neurid_x{end}.tsv" for end in ("", "_type", "_type_probability")),
        _phy_folder,
    ),
    "model": Kind(_write_model, _read_model, ("model",)),
    "model with others": Kind(_write_model, _read_model, ("model",), _model_with_others),
    "checkpoint": Kind(_write_checkpoint, _read_checkpoint, ("checkpoint.safetensors",)),
    "training": Kind(_train, _read_trained, ("trained",)),
    "evaluation": Kind(_write_evaluation, _read_evaluation, ("scores",)),
    "simulation": Kind(_write_simulation, _read_simulation, ("simulated.nwb",)),
    "analyzer": Kind(_compute, _computed, ("analyzer",), _prepare_analyzer("binary_folder")),
    "analyzer in zarr": Kind(_compute, _computed, ("analyzer.zarr",), _prepare_analyzer("zarr")),
}


def bystanders(folder: Path, kind: Kind) -> dict[str, bytes]:
    """Every file in the folder that the kind must not touch."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        mine = name.parts[0] in kind.own and path.read_bytes() != b"mine" if path.is_file() else True
        if path.is_file() and not mine and not is_ours(path):
            found[name.as_posix()] = path.read_bytes()
    return found


def is_ours(path: Path) -> bool:
    """Whether this is, or is in, something hidden of ours."""
    return any(part.startswith(".") and ".neurid-" in part for part in path.parts)


def strays(folder: Path) -> list[str]:
    """What is hidden of ours anywhere in the folder."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if is_ours(path.relative_to(folder))
    )


def modes(folder: Path) -> dict[str, int]:
    """The modes of all that is there."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mode for path in folder.rglob("*")}


def end_child(child: int) -> int:
    """Exit code of a child; minus the signal where one ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
