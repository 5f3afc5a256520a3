"""Results as one flat table, a row per unit, in a file of its own."""

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
"""Under which key a parquet file holds the provenance, as JSON."""


def make_table(
    population: Population, embeddings: Embeddings, predictions: Sequence[Predictions] = ()
) -> "pd.DataFrame":
    """One row per unit: what is known of it, its predictions, and its vector.

    Columns are `unit_id`, `group` (probe or plane, where told), every known label, `n_windows`, `stability` and
    `reason`; the columns of each prediction follow, behind the name of what is predicted, then `cluster`, `map_x` and
    `map_y` (see `nwb_neurid.clusters`) where there are enough units, and last the vector:
    `e0`, `e1` and so on, or what the encoder calls its dimensions. A label that is called as another column is called
    `label_<name>`. What is not known is missing, and no empty text.

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
    """The columns `cluster`, missing for a unit in none, `map_x` and `map_y`; none where there are too few units."""
    import pandas as pd

    found = find_clusters(embeddings)
    if found is None:
        return pd.DataFrame()
    cluster = pd.Series(found.cluster, dtype="Int64")
    return pd.DataFrame(
        {"cluster": cluster.where(cluster >= 0), "map_x": found.places[:, 0], "map_y": found.places[:, 1]}
    )


def check_parquet() -> None:
    """Refuse to begin what could not be written.

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
    """Write a table, whole or not at all.

    Parameters
    ----------
    table
        As `make_table` makes it.
    provenance
        Of the vectors. A parquet file holds it in its metadata; in a csv file there is no room for it that every
        program would pass over.
    target
        The file.
    kind
        One of `KINDS`.
    overwrite
        Whether a file that is there may be replaced.
    like
        The recording: nobody may read the table who may not read it.

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
