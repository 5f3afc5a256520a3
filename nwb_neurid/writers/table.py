"""Results as one flat table with one row per unit, in a separate file."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from nwb_neurid._system.atomic import replace_file
from nwb_neurid._system.text import escape_cell
from nwb_neurid.clusters import find_clusters
from nwb_neurid.errors import CannotWrite
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Predictions, Provenance

if TYPE_CHECKING:
    import pandas as pd

CSV, PARQUET = "csv", "parquet"

PROVENANCE = b"nwb_neurid"
"""Key of a parquet file under which the provenance is stored as JSON."""


def make_table(
    population: Population, embeddings: Embeddings, predictions: Sequence[Predictions] = ()
) -> "pd.DataFrame":
    """Make a table with one row per unit: known labels, predictions, and the vector.

    The columns are `unit_id`, `group` (probe or plane, if known), every known label, `n_windows`, `stability` and
    `reason`, followed by the columns of each prediction, whose names begin with the name of the predicted label. If
    there are enough units, `cluster`, `map_x` and `map_y` follow (see `nwb_neurid.clusters`). The last columns are the
    vector: `e0`, `e1` and so on, or the names of the encoder's dimensions. A label with the same name as another column
    is called `label_<name>`. Unknown values are missing values, not empty text.

    Parameters
    ----------
    population, embeddings, predictions
        One row for each unit, in the same order.
    """
    import pandas as pd

    results = embeddings.to_dataframe()
    vectors = list(embeddings.name_dimensions())
    places = _tabulate_clusters(embeddings)
    after = results.drop(columns=["unit_id", *vectors])
    for part in predictions:
        told = part.to_dataframe().drop(columns="unit_id").add_prefix(f"{part.label_name}_")
        after = pd.concat([after, told], axis=1)
    after = pd.concat([after, places], axis=1)
    first = results[["unit_id"]].copy()
    if population.group is not None:
        first["group"] = population.group.astype(object)
    taken = {*first, *after, *vectors}
    for name, values in population.labels.items():
        while name in taken:
            name = f"label_{name}"
        taken.add(name)
        first[name] = values.astype(object)
    table = pd.concat([first, after, results[vectors]], axis=1)
    texts = [name for name in [*first, *after] if name != "unit_id" and not pd.api.types.is_numeric_dtype(table[name])]
    return table.assign(**{name: table[name].where(table[name] != "", None) for name in texts})


def _tabulate_clusters(embeddings: Embeddings) -> "pd.DataFrame":
    """Make the columns `cluster` (missing for a unit outside all clusters), `map_x` and `map_y`.

    There are no such columns if there are too few units.
    """
    import pandas as pd

    found = find_clusters(embeddings)
    if found is None:
        return pd.DataFrame()
    cluster = pd.Series(found.cluster, dtype="Int64")
    return pd.DataFrame(
        {"cluster": cluster.where(cluster >= 0), "map_x": found.places[:, 0], "map_y": found.places[:, 1]}
    )


def check_parquet() -> None:
    """Check in advance that parquet files can be written.

    Raises
    ------
    CannotWrite
        If pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise CannotWrite("Parquet files are written through pyarrow. Install it: pip install pyarrow") from error


def write_table(
    table: "pd.DataFrame",
    provenance: Provenance,
    target: Path,
    kind: str,
    *,
    overwrite: bool = False,
    like: Sequence[Path] = (),
) -> None:
    """Write a table, completely or not at all.

    Parameters
    ----------
    table
        A table from `make_table`.
    provenance
        Provenance of the vectors. A parquet file contains it in its metadata. It is not written into a csv file,
        because not all programs would ignore it there.
    target
        The file.
    kind
        One of `KINDS`.
    overwrite
        Whether an existing file may be replaced.
    like
        The recording. Users who may not read it may not read the table either.

    Raises
    ------
    CannotWrite
        If the file cannot be written.
    """
    with replace_file(target, overwrite=overwrite, like=like) as made:
        KINDS[kind](table, provenance, made.path)


def _write_csv(table: "pd.DataFrame", _: Provenance, path: Path) -> None:
    texts = table.select_dtypes(include=["object", "string"])
    safe = table.assign(**{name: texts[name].map(escape_cell) for name in texts})
    safe.rename(columns=escape_cell).to_csv(path, index=False)


def _write_parquet(table: "pd.DataFrame", provenance: Provenance, path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    arrow = pyarrow.Table.from_pandas(table, preserve_index=False)
    known = {field.name: getattr(provenance, field.name) for field in fields(Provenance)}
    known |= {name: dict(value) for name, value in known.items() if isinstance(value, Mapping)}
    metadata = {**(arrow.schema.metadata or {}), PROVENANCE: json.dumps(known).encode()}
    pyarrow.parquet.write_table(arrow.replace_schema_metadata(metadata), path)


KINDS: Mapping[str, Callable[["pd.DataFrame", Provenance, Path], None]] = {
    CSV: _write_csv,
    PARQUET: _write_parquet,
}
