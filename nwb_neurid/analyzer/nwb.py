"""Results of an analyzer in an NWB file of the same units."""

from pathlib import Path
from typing import Any

import numpy as np
from spikeinterface.core import SortingAnalyzer

from nwb_neurid.analyzer.spread import spread_embeddings, spread_predictions
from nwb_neurid.errors import CannotWrite, NoResults, SourceNotFound
from nwb_neurid.ndx import store, stored
from nwb_neurid.ndx.entry import table_in
from nwb_neurid.ndx.faults import unreadable
from nwb_neurid.ndx.opening import opened

NAME = "unit_name"
ABSENT = "not in the sorting analyzer"


def write_neurid_results(analyzer: SortingAnalyzer, path: str | Path, **options: Any) -> Path:
    """Write the results of an analyzer into an NWB file with the same units, row for row by unit id.

    That is the file that the analyzer came from, or the one that NeuroConv makes of it. As for SpikeInterface, units
    are named by the column `unit_name` where there is one, or else by `id`. Units of the file that the analyzer lacks,
    because they were removed in curation, have no results, and the reason.

    Parameters
    ----------
    analyzer
        With `neurid_embeddings`, and with `neurid_predictions` if there are to be predictions.
    path
        The file.
    **options
        As for `nwb_neurid.write`.

    Raises
    ------
    NoResults
        If the analyzer has no embeddings.
    CannotWrite
        If it has units that the file lacks, or the file cannot be written.
    NeuridError
        As `nwb_neurid.write`.
    """
    extension = analyzer.get_extension("neurid_embeddings")
    if extension is None:
        raise NoResults('The analyzer has no embeddings: analyzer.compute("neurid_embeddings") makes them.')
    predicted = analyzer.get_extension("neurid_predictions")
    table = str(options.get("table", "units"))
    names, ids = _units_of(Path(path), table)
    rows = _rows(np.asarray(analyzer.unit_ids), names, Path(path))
    return store.write(
        path,
        spread_embeddings(extension.embeddings(), rows, ids, ABSENT),
        [spread_predictions(part, rows, ids, ABSENT) for part in (predicted.all_predictions() if predicted else ())],
        **options,
    )


def _units_of(path: Path, table: str) -> tuple[np.ndarray, np.ndarray]:
    """What SpikeInterface calls the units of a file, and their ids."""
    if not path.exists():
        raise SourceNotFound(f"{path} does not exist.")
    with unreadable(path), opened(path) as file:
        units = table_in(file, path, table)
        ids = stored.unit_ids(units)
        return (stored.column(units, NAME).values if NAME in stored.column_names(units) else ids), ids


def _rows(unit_ids: np.ndarray, names: np.ndarray, path: Path) -> np.ndarray:
    """The row of the analyzer for each unit of the file, -1 where there is none."""
    own = {str(unit): row for row, unit in enumerate(unit_ids.tolist())}
    there = [str(name) for name in names.tolist()]
    if absent := sorted(own.keys() - set(there)):
        raise CannotWrite(
            f"{path} lacks units that the analyzer has: {', '.join(absent[:5])} ({len(absent)} of {len(own)} in all). "
            "Name the file of the same units: the one the analyzer came from, or one that NeuroConv made of it."
        )
    if len(set(there)) < len(there):
        raise CannotWrite(f"{path} has several units of one name, so that results cannot be told apart.")
    return np.array([own.get(name, -1) for name in there], np.int64)
