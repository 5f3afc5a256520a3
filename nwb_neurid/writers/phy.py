"""Results as columns of phy's cluster table. Each column is a file `cluster_<column>.tsv`, which phy reads by itself.

phy shows every `.tsv` file of its folder that has the header `cluster_id` and the name of a column (phylib,
`TemplateModel._load_metadata`). When phy saves, it writes each column back to the same file. The file then contains
the clusters after merges and splits.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.atomic import check_target, convert_errors
from nwb_neurid._system.file_sets import replace_files
from nwb_neurid._system.lock import lock
from nwb_neurid._system.names import PREFIX
from nwb_neurid.clusters import find_clusters
from nwb_neurid.errors import CannotWrite, InvalidOption
from nwb_neurid.population import Population
from nwb_neurid.readers.spikeinterface import is_phy
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.writers.nwb.objects import PREDICTIONS, name_object

EMBEDDED = "embedded"

Columns = Mapping[str, Shaped[np.ndarray, " units"]]


def check_folder(source: str | Path) -> None:
    """Refuse a folder that phy would not open.

    Raises
    ------
    InvalidOption
        If it is not a folder of phy or Kilosort.
    """
    if not is_phy(Path(source)):
        raise InvalidOption(
            f"--format phy writes columns into a folder of phy or Kilosort, but {source} is not one: it must hold "
            f"spike_times.npy, and spike_clusters.npy or spike_templates.npy. Choose another --format."
        )


def check_ids(population: Population) -> None:
    """Refuse units that are not clusters.

    Raises
    ------
    CannotWrite
        If their ids are not unique whole numbers from 0.
    """
    ids = population.unit_ids
    if ids.dtype.kind not in "iu" or np.any(ids < 0) or len(np.unique(ids)) < len(ids):
        raise CannotWrite(
            f"{population.source}: phy identifies clusters by unique whole numbers from 0, but the units have other "
            "ids "
            f"({', '.join(map(str, ids[:3].tolist()))}, ...). Choose another --format."
        )


def name_files(folder: Path, columns: Sequence[str]) -> list[Path]:
    """Return the file of each column."""
    return [folder / f"cluster_{name}.tsv" for name in columns]


def name_column(name: str) -> str:
    """Return the name of the column that is always written for the results `name`, with or without predictions.

    The name has a prefix that phy's own columns do not have. The reader of phy does not use columns with this prefix
    as labels.
    """
    return name if name.startswith(PREFIX) else f"{PREFIX}{name}"


def make_columns(name: str, embeddings: Embeddings, predictions: Sequence[Predictions] = ()) -> Columns:
    """Make the columns for phy, by name.

    `neurid_isi` states whether a cluster has a vector, and if not, why. With predictions, `neurid_isi_cell_type` is
    the predicted class (empty if the model abstains), and `neurid_isi_cell_type_probability` is the probability of
    this class. With enough units, `neurid_isi_cluster` is the number of the cluster of vectors.

    Parameters
    ----------
    name
        Name of the results.
    embeddings, predictions
        One row for each cluster.

    Raises
    ------
    InvalidOption
        If the name of the results or of a label cannot be part of a file name.
    """
    state = np.where(embeddings.reasons == "", EMBEDDED, embeddings.reasons)
    columns = {name_column(name): state}
    if (found := find_clusters(embeddings)) is not None:
        numbers = ["" if each < 0 else str(each) for each in found.cluster.tolist()]
        columns[f"{name_column(name)}_cluster"] = np.array(numbers, np.str_)
    return {**columns, **make_labels(name, predictions)}


def make_labels(name: str, predictions: Sequence[Predictions]) -> dict[str, Shaped[np.ndarray, " units"]]:
    """Make only the columns of predictions that `make_columns` would make. It raises the same errors."""
    columns = {}
    for part in predictions:
        name_object(name, PREDICTIONS, part.label_name)  # raises an error if the label cannot be part of a file name
        label = f"{name_column(name)}_{part.label_name}"
        columns[label] = np.where(part.abstained, "", part.label)
        if not np.isnan(part.class_probabilities).all():
            shown = [f"{value:.3g}" if value == value else "" for value in part.probability.tolist()]
            columns[f"{label}_probability"] = np.array(shown, np.str_)
    return columns


def write_columns(
    folder: Path,
    cluster_ids: Shaped[np.ndarray, " units"],
    columns: Columns,
    *,
    overwrite: bool = False,
    beside: Columns | None = None,
) -> list[Path]:
    """Write the columns of these clusters, all of them or none. Clusters without a value have no row.

    Parameters
    ----------
    folder
        The folder of phy.
    cluster_ids
        The clusters, one per row.
    columns
        Columns from `make_columns`.
    overwrite
        Whether existing columns may be replaced.
    beside
        Further columns, which replace existing columns of the same names.

    Raises
    ------
    CannotWrite
        If a column exists and `overwrite` is False, or a file cannot be written.
    """
    every = {**columns, **(beside or {})}
    targets = name_files(folder, list(every))
    with convert_errors(targets[0]), lock(targets[0].resolve()):
        check_target(*targets[: len(columns)], overwrite=overwrite, instead="choose another name (--name)")
        with replace_files(folder.resolve(), targets[0].name, like=[folder]) as made:
            for target, (name, values) in zip(targets, every.items(), strict=True):
                _write_column(made / target.name, name, cluster_ids, values)
    return targets


def _write_column(
    path: Path, name: str, ids: Shaped[np.ndarray, " units"], values: Shaped[np.ndarray, " units"]
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["cluster_id", name])
        rows = zip(ids.tolist(), values.tolist(), strict=True)
        writer.writerows(row for row in rows if row[1] != "")
