"""A cache of binned recordings on disk. Each recording is read once, and is later memory-mapped from the cache.

The cache has one folder (entry) for each recording. The name of the folder is a hash of everything that determines
its content: the bytes of the source, the options for reading and binning, and the version of nwb-neurid. An entry is
made in a temporary folder and moved into place when it is complete. Damaged or wrong entries are made again. Several
processes can share a cache. While one process makes an entry, other processes that need this entry wait.
"""

import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from nwb_neurid import __version__
from nwb_neurid._system.atomic import convert_errors
from nwb_neurid._system.file_sets import make_folder
from nwb_neurid._system.lock import lock
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import Progress, ReadOptions, is_url
from nwb_neurid.contracts.training import Binned, BinsRecordings
from nwb_neurid.errors import InvalidOption
from nwb_neurid.model.fitting import bin_groups
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.readers import read_for, reader_for
from nwb_neurid.workflows.archive.digests import take_source_digest

ABOUT = "entry.json"
FORMAT = 1
WAIT_S = 3600.0
"""Maximum time to wait for another process that makes an entry."""

PLAIN = ("source", "subject_id", "session_id", "duration_s")
ARRAYS = tuple(each.name for each in fields(Binned) if each.name not in PLAIN)


def read_binned(
    sources: Sequence[object],
    model: Model,
    reading: ReadOptions,
    folder: Path,
    *,
    pool_groups: bool = False,
    share: tuple[int, int] = (0, 1),
    progress: Progress,
) -> tuple[list[Binned], list[str]]:
    """Return the binned groups of recordings. A recording is read only if it is not in the cache.

    Parameters
    ----------
    sources
        Files, folders and URLs, which are cached, or objects in memory, which are binned each time.
    model
        The model to train.
    reading
        Options for reading them.
    folder
        The cache. It is made if it does not exist.
    pool_groups
        Bin all groups of a recording together.
    share
        Number of this process, and total number of processes. Each process starts with different recordings.
    progress
        Progress callback, called at every recording.

    Returns
    -------
    tuple
        The groups, in the order of the recordings, and notes on recordings that cannot be used for training.

    Raises
    ------
    InvalidOption
        If the encoder cannot be trained on binned recordings alone, or two sources are the same recording.
    CannotWrite
        If the folder cannot be written.
    NeuridError
        If a recording cannot be read.

    Warns
    -----
    NeuridWarning
        If an entry is damaged.
    """
    with convert_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    rank, number = share
    order = [*range(rank, len(sources), number), *(at for at in range(len(sources)) if at % number != rank)]
    found: dict[int, tuple[list[Binned], list[str]]] = {}
    seen: dict[str, object] = {}
    for at in progress(order, label="recordings", total=len(order)):
        found[at] = _find(sources[at], model, reading, folder.resolve(), pool_groups, seen)
    ordered = [found[at] for at in range(len(sources))]
    return [*chain(*(parts for parts, _ in ordered))], [*chain(*(notes for _, notes in ordered))]


def _find(
    source: object, model: Model, reading: ReadOptions, folder: Path, pool_groups: bool, seen: dict[str, object]
) -> tuple[list[Binned], list[str]]:
    """Return one recording, from the cache or newly binned."""

    def make() -> tuple[list[Binned], list[str]]:
        population = source
        if not isinstance(population, Population):
            population = read_for(model.spec, reader_for(source), source, reading)
        return bin_groups(model, population, pool_groups=pool_groups)

    if not isinstance(source, str | Path):
        return make()
    reader_for(source)  # raises the usual error if the source does not exist
    key = _describe(source, model, reading, pool_groups)
    name = sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:40]
    if (other := seen.setdefault(name, source)) is not source:
        raise InvalidOption(
            f"{source} is the recording {other} under another name, and would be counted twice. Give only one of them."
        )
    entry = folder / name
    if (there := _load(entry, key)) is not None:
        return there
    with convert_errors(entry), lock(entry, "is being made by", wait_s=WAIT_S):
        if (there := _load(entry, key)) is not None:  # another process has made the entry
            return there
        if entry.exists():
            warn(f"The cached bins of {source} ({entry}) are damaged, and are computed again.")
            shutil.rmtree(entry)
        parts, notes = make()
        _write(entry, key, parts, notes, [] if is_url(source) else [Path(source)])
    return _load(entry, key) or (parts, notes)


def _describe(source: str | Path, model: Model, reading: ReadOptions, pool_groups: bool) -> dict[str, Any]:
    """Return everything that determines the content of an entry."""
    encoder = model.encoder
    about = {
        "format": FORMAT,
        "version": __version__,
        "digest": take_source_digest(str(source)),
        "reading": {name: value for name, value in asdict(reading).items() if name != "labels"},
        "encoder": f"{model.name} {model.spec.version}",
        "config": {**encoder.config},
        "binning": encoder.binning if isinstance(encoder, BinsRecordings) else "",
        "pool_groups": pool_groups,
    }
    told: dict[str, Any] = json.loads(json.dumps(about))  # in the form in which it is read back
    return told


def _write(
    entry: Path, key: Mapping[str, Any], parts: Sequence[Binned], notes: Sequence[str], like: Sequence[Path]
) -> None:
    with make_folder(entry, like=like) as made:
        described = [_write_part(made, at, part) for at, part in enumerate(parts)]
        text = json.dumps({"key": key, "notes": [*notes], "parts": described})
        (made / ABOUT).write_text(text, encoding="utf-8")


def _write_part(folder: Path, number: int, part: Binned) -> dict[str, Any]:
    arrays = {}
    for name in ARRAYS:
        if (array := getattr(part, name)) is not None:
            np.save(folder / f"{number}.{name}.npy", array, allow_pickle=False)
            arrays[name] = {"shape": array.shape, "dtype": array.dtype.str, "crc32": _sum(array)}
    return {**{name: getattr(part, name) for name in PLAIN}, "arrays": arrays}


def _load(entry: Path, key: Mapping[str, Any]) -> tuple[list[Binned], list[str]] | None:
    """Load an entry with memory-mapped arrays. Return None if it does not exist, is damaged, or has another content."""
    try:
        told = json.loads((entry / ABOUT).read_text("utf-8"))
        if told["key"] != key:
            return None
        parts = [_load_part(entry, at, each) for at, each in enumerate(told["parts"])]
        return parts, [str(note) for note in told["notes"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _load_part(folder: Path, number: int, told: Mapping[str, Any]) -> Binned:
    arrays = {}
    for name, expected in told["arrays"].items():
        if name not in ARRAYS:
            raise ValueError(name)
        path = folder / f"{number}.{name}.npy"
        array = np.load(path, mmap_mode="c", allow_pickle=False)  # with this mode, changes are not written to the file
        same = [*array.shape] == expected["shape"] and array.dtype.str == expected["dtype"]
        if not same or _sum(array) != expected["crc32"]:
            raise ValueError(path)
        arrays[name] = array
    return Binned(**{name: told[name] for name in PLAIN}, **arrays)


def _sum(array: np.ndarray) -> int:
    """Compute the checksum of an array."""
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
