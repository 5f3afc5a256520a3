"""Datasets of vectors, used as sources instead of recordings, so that the recordings are not embedded again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, WrongWeights
from nwb_neurid.labels.head import identify_encoder
from nwb_neurid.model.model import Model
from nwb_neurid.readers.label_table import add_labels, check_sources
from nwb_neurid.results import Json
from nwb_neurid.writers.dataset import StoredRecording as StoredRecording
from nwb_neurid.writers.dataset import is_dataset, list_parts, read_dataset


def open_datasets(
    sources: Sequence[object], model: Model, *, reading: ReadOptions | None = None, pool_groups: bool = False
) -> Sequence[object]:
    """Replace datasets by their recordings. Other sources are not changed.

    Parameters
    ----------
    sources
        Recordings, or the folders of datasets that `nwb-neurid embed --output` writes.
    model
        The model that must have computed the vectors.
    reading, pool_groups
        Options for reading and embedding recordings. With datasets, only a table of labels can be used. Its labels
        are added to those of the datasets.

    Returns
    -------
    sequence
        The sources, or a `StoredRecording` for each recording of the datasets.

    Raises
    ------
    InvalidOption
        If datasets and recordings are mixed, or an option for recordings is used with a dataset.
    WrongWeights
        If the vectors are from another model.
    NeuridError
        If a dataset cannot be read.

    Warns
    -----
    NeuridWarning
        If some vectors are from other models, and are left out.
    """
    folders = [source for source in sources if is_dataset(source)]
    if not folders:
        return sources
    if len(folders) < len(sources):
        raise InvalidOption(
            f"{folders[0]} is a dataset of vectors, and the other sources are not. Embed those into a dataset too, "
            "with the same model (nwb-neurid embed --workers N --output), or pass recordings only."
        )
    labels = None if reading is None else reading.labels
    if (reading is not None and replace(reading, labels=None) != ReadOptions()) or pool_groups:
        raise InvalidOption(
            f"{folders[0]} is a dataset of vectors: the units and time to use were chosen when the recordings were "
            "embedded. Leave out the options that select units or time, and --pool-groups."
        )
    found = [each for folder in folders if isinstance(folder, str | Path) for each in read_dataset(folder)]
    _check_once(found)
    chosen = _select(found, model, str(folders[0]))
    return chosen if labels is None else _add_labels(chosen, Path(labels))


def is_stored(sources: Sequence[object]) -> TypeGuard[Sequence[StoredRecording]]:
    """Return whether these are recordings of datasets."""
    return bool(sources) and isinstance(sources[0], StoredRecording)


def list_files(sources: Sequence[str]) -> list[str | Path]:
    """List the files of sources, including those of datasets. Results get the same read permissions as these files."""
    return [file for source in sources for file in (list_parts(source) if is_dataset(source) else [source])]


def _add_labels(found: Sequence[StoredRecording], path: Path) -> list[StoredRecording]:
    """Add the labels of a table to recordings. The table identifies each recording by its source."""
    sources = {each.population.source for each in found}
    check_sources(path, sources)
    return [
        replace(each, population=add_labels(each.population, path, own, sources - {own}))
        for each in found
        for own in [each.population.source]
    ]


def _check_once(found: Sequence[StoredRecording]) -> None:
    seen = set()
    for each in found:
        key = (each.population.source, each.population.session_id, len(each.population))
        if key in seen:
            raise InvalidOption(f"{each.population.source} is in two of the datasets and would be counted twice.")
        seen.add(key)


def _select(found: Sequence[StoredRecording], model: Model, folder: str) -> list[StoredRecording]:
    """Select the recordings whose vectors were computed with this model."""
    wanted = _as_json(model.identity)
    own = [each for each in found if _as_json(identify_encoder(each.embeddings.provenance)) == wanted]
    if not own:
        other = found[0].embeddings.provenance
        weights = f" with weights {other.weights_sha256[:12]}" if other.weights_sha256 else ""
        raise WrongWeights(
            f"{folder} holds vectors of {other.encoder} {other.encoder_version}{weights}, and {model.name} "
            f"{model.spec.version}{f' with weights {model.weights_sha256[:12]}' if model.weights_sha256 else ''} was "
            "given. Use the model that made them, or embed the archive with this one into another --output."
        )
    if len(own) < len(found):
        warn(
            f"{len(found) - len(own)} of {len(found)} recordings in {folder} have vectors of other models than "
            f"{model.name}, and are left out."
        )
    return own


def _as_json(identity: Mapping[str, Json]) -> str:
    return json.dumps(identity, sort_keys=True, default=list)
