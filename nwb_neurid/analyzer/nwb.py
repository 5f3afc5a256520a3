"""Write the results of an analyzer into an NWB file with the same units."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from spikeinterface.core import SortingAnalyzer

from nwb_neurid._system.atomic import replace_file
from nwb_neurid.analyzer.embeddings import ComputeNeuridEmbeddings
from nwb_neurid.analyzer.predictions import ComputeNeuridPredictions
from nwb_neurid.analyzer.rows import spread_results
from nwb_neurid.errors import CannotWrite, NoResults
from nwb_neurid.labels.head import identify_encoder
from nwb_neurid.readers import read
from nwb_neurid.readers.nwb.file import open_file
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.writers.nwb import existing, standalone, store
from nwb_neurid.writers.nwb.entry import find_table
from nwb_neurid.writers.nwb.standalone import UNITS, write_recording

NAMES = ("unit_name", standalone.NAME)
"""Columns that contain the names of units, in files of NeuroConv and in files that this package made."""

ABSENT = "not in the sorting analyzer"


def write_neurid_results(analyzer: SortingAnalyzer, path: str | Path, *, new: bool = False, **options: Any) -> Path:
    """Write the results of an analyzer into an NWB file with the same units. Units are matched by their ids.

    The file can be the NWB file from which the analyzer was made, or a file that NeuroConv made from the analyzer. As
    in SpikeInterface, units are identified by the column `unit_name` if there is one, and otherwise by `id`. Units of
    the file that are not in the analyzer, because they were removed in curation, get a reason instead of results.

    Parameters
    ----------
    analyzer
        A sorting analyzer with the extension `neurid_embeddings`, and optionally with `neurid_predictions`.
    path
        The NWB file.
    new
        Make a new file with the units of the analyzer. There must be no file at `path`.
    **options
        The same as in `nwb_neurid.write`.

    Returns
    -------
    Path
        The file with the results.

    Raises
    ------
    NoResults
        If the analyzer has no embeddings.
    CannotWrite
        If the predictions were not computed from the embeddings, if the analyzer has units that are not in the file,
        or if the file cannot be written.
    NeuridError
        For the same reasons as in `nwb_neurid.write`.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from spikeinterface import core
    >>> recording, sorting = core.generate_ground_truth_recording(durations=[20.0], num_channels=4, num_units=5, seed=0)
    >>> analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    >>> extension = analyzer.compute("neurid_embeddings", encoder="isi", progress_bar=False)
    >>> write_neurid_results(analyzer, Path(mkdtemp()) / "results.nwb", new=True).name
    'results.nwb'
    """
    extension = analyzer.get_extension("neurid_embeddings")
    if extension is None:
        raise NoResults('The analyzer has no embeddings: analyzer.compute("neurid_embeddings") makes them.')
    predicted = analyzer.get_extension("neurid_predictions")
    beside = predicted.beside() if predicted else {}
    predictions = _check_vectors(extension, predicted) if predicted else []
    embeddings = replace(
        extension.embeddings(), predictions={part.label_name: part for part in predictions}, beside=beside
    )
    if not new:
        return _write(analyzer, Path(path), embeddings, options)
    with replace_file(Path(path), overwrite=False) as made:
        write_recording(read(analyzer), made.path)
        _write(analyzer, made.path, embeddings, options)
    return Path(path)


def _check_vectors(embedded: ComputeNeuridEmbeddings, predicted: ComputeNeuridPredictions) -> list[Predictions]:
    """Check that the predictions were computed from the embeddings that are written with them.

    Predictions may have been computed first, from vectors that were not kept. For the same model, these vectors equal
    the embeddings. Cell types by criteria and by included models have separate vectors.
    """
    provenance = embedded.embeddings().provenance
    own = predicted.params["encoder"].partition("@")[0]
    found = [part for part in predicted.all_predictions() if part.provenance.encoder == own]
    same_groups = embedded.params["pool_groups"] == predicted.params["pool_groups"]
    if (found and not same_groups) or any(
        identify_encoder(part.provenance) != identify_encoder(provenance) for part in found
    ):
        raise CannotWrite(
            f"The predictions of the analyzer come from encoder {predicted.params['encoder']!r} and from other "
            f"vectors than its neurid_embeddings, of encoder {embedded.params['encoder']!r}. Compute both with the "
            "same model: "
            'analyzer.compute("neurid_embeddings", model=...).'
        )
    return [replace(part, provenance=provenance) for part in found]


def _write(
    analyzer: SortingAnalyzer,
    path: Path,
    embeddings: Embeddings,
    options: Mapping[str, Any],
) -> Path:
    names, ids = _read_units(path, str(options.get("table", UNITS)))
    rows = _match_rows(np.asarray(analyzer.unit_ids), names, path)
    beside = {name: _spread(each, rows, ids) for name, each in embeddings.beside.items()}
    return store.write(path, replace(_spread(embeddings, rows, ids), beside=beside), **options)


def _spread(embeddings: Embeddings, rows: np.ndarray, ids: np.ndarray) -> Embeddings:
    """Transfer embeddings and their predictions to the units of a file."""
    predictions = {label: spread_results(part, rows, ids, ABSENT) for label, part in embeddings.predictions.items()}
    plain = replace(embeddings, predictions={}, beside={})
    return replace(spread_results(plain, rows, ids, ABSENT), predictions=predictions)


def _read_units(path: Path, table: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the names that SpikeInterface gives the units of a file, and their ids."""
    with open_file(path) as file:
        units = find_table(file, table)
        ids = existing.read_ids(units)
        columns = [name for name in NAMES if units.dataset(name) is not None]
        return (existing.read_column(units, columns[0]).values if columns else ids), ids


def _match_rows(unit_ids: np.ndarray, names: np.ndarray, path: Path) -> np.ndarray:
    """Find the row of the analyzer for each unit of the file; -1 if the analyzer does not have the unit."""
    own = {str(unit): row for row, unit in enumerate(unit_ids.tolist())}
    there = [str(name) for name in names.tolist()]
    if absent := sorted(own.keys() - set(there)):
        raise CannotWrite(
            f"{path} does not have all units of the analyzer; missing: {', '.join(absent[:5])} ({len(absent)} of "
            f"{len(own)} units). Pass the NWB file with the same units: the one that the analyzer was made from, or "
            "one that NeuroConv wrote from the analyzer."
        )
    if len(set(there)) < len(there):
        raise CannotWrite(f"{path} has several units of the same name, so results cannot be assigned to them.")
    return np.array([own.get(name, -1) for name in there], np.int64)
