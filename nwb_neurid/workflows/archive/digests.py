"""Digests (hashes) of recordings, models and options, which show whether these have changed since an earlier run."""

import filecmp
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nwb_neurid import __version__
from nwb_neurid.contracts import ReadOptions, is_url
from nwb_neurid.errors import SourceNotFound, UnreadableSource
from nwb_neurid.labels.folder import pack_heads
from nwb_neurid.model.bundled import FOLDER, list_bundled
from nwb_neurid.model.folder import read_description
from nwb_neurid.model.model import Model

WHOLE_BYTES = 2**26
"""Maximum size of a file that is hashed completely. For larger files, the size, the date and parts of the content are
hashed.
"""

BLOCK_BYTES, BLOCKS = 2**16, 64
LARGE = "large"


def take_source_digest(source: str) -> str:
    """Compute the digest of a recording. It is the same for every name and path, and differs if the content changes.

    Parameters
    ----------
    source
        A file, a folder or a URL.

    Returns
    -------
    str
        The digest. For a file, it is computed from the content or, above 64 MiB, from the size, the date of the last
        change, and 64 blocks. For a folder, it is computed from the names and contents of its files, or from their
        sizes and dates if they are larger. For a URL, it is computed from what the server states about the object.

    Raises
    ------
    SourceNotFound, UnreadableSource
        If there is no such source, or it cannot be read.
    """
    if is_url(source):
        from nwb_neurid.readers.nwb.remote import identify

        return identify(source)
    path = Path(source)
    try:
        if path.is_dir():
            return _list_folder(path)
        if path.exists() and not path.is_file():
            raise UnreadableSource(f"{path} is a device or a pipe, a recording was expected. Choose a file.")
        return _hash_file(path)
    except FileNotFoundError as error:
        raise SourceNotFound(f"{path} does not exist.") from error
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}.") from error


def is_same_file(one: str, other: str) -> bool:
    """Return whether two large files have the same content, if their digests differ only in the date."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def drop_date(digest: str) -> str:
    """Return the digest of a large file without its date, which may differ between two copies."""
    return digest.rpartition(" ")[0] if digest.startswith(LARGE) else digest


def take_model_digest(model: Model | None) -> str:
    """Compute the digest of a model with its heads. None stands for all included models."""
    if model is not None:
        heads = {name: hashlib.sha256(content).hexdigest() for name, content in pack_heads(model.heads).items()}
        return hash_values({"model": model.identity, "training": model.training, "heads": heads})
    about = {name: read_description(FOLDER / name) for name in list_bundled()}
    bundled = {name: [each.weights_sha256, each.config] for name, each in about.items()}
    return hash_values({"bundled": bundled, "version": __version__})


def describe_reading(reading: ReadOptions) -> dict[str, Any]:
    """Return the options of the reader as values that can be hashed.

    A table of labels is represented by its content.
    """
    found = asdict(reading)
    if reading.labels is not None:
        try:
            found["labels"] = hashlib.sha256(Path(reading.labels).read_bytes()).hexdigest()
        except OSError as error:
            raise SourceNotFound(f"{reading.labels} cannot be read: {error.strerror or error}.") from error
    return found


def hash_values(values: Mapping[str, Any]) -> str:
    """Hash plain values. The order of their names does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_size <= WHOLE_BYTES:
            return f"file {hashlib.file_digest(file, 'sha256').hexdigest()}"
        digest = hashlib.sha256(str(status.st_size).encode())
        for number in range(BLOCKS):
            file.seek((status.st_size - BLOCK_BYTES) * number // (BLOCKS - 1))
            digest.update(file.read(BLOCK_BYTES))
    return f"{LARGE} {digest.hexdigest()} {status.st_mtime_ns}"


def _list_folder(path: Path) -> str:
    """Hash the files of a folder, by their content if they are small in total, or otherwise by size and date."""
    files = sorted(each for each in path.rglob("*") if each.is_file())
    is_small = sum(each.stat().st_size for each in files) <= WHOLE_BYTES
    digest = hashlib.sha256()
    for each in files:
        status = each.stat()
        content = _hash_file(each) if is_small else f"{status.st_size} {status.st_mtime_ns}"
        digest.update(json.dumps([each.relative_to(path).as_posix(), content]).encode())
    return f"folder {digest.hexdigest()}"
