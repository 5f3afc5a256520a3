"""A scatter plot for notebooks. The units that are selected in it are available in Python."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from nwb_neurid.errors import InvalidOption
from nwb_neurid.plots.embedding import choose_values, place_units
from nwb_neurid.plots.figure import show_text
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings


@final
class EmbeddingWidget:
    """A scatter plot of the vectors in a notebook (Jupyter, VS Code, Colab, marimo), in which units can be selected.

    Select units with a lasso (Shift and drag) or a click. `selected_unit_ids` contains the ids of the selected units.
    The plot needs jupyter-scatter: `pip install jupyter-scatter`.

    Parameters
    ----------
    embeddings, color_by, population, points, seed
        The same as in `nwb_neurid.plots.plot_embedding`.
    height
        Height of the plot, in pixels.

    Raises
    ------
    InvalidOption
        If jupyter-scatter is not installed, or for the reasons given for `plot_embedding`.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        *,
        color_by: str | Sequence[object] | Shaped[np.ndarray, " units"] | None = None,
        population: Population | None = None,
        points: Float64[np.ndarray, "units 2"] | None = None,
        seed: int = 0,
        height: int = 480,
    ) -> None:
        import pandas as pd

        values, title = choose_values(embeddings, color_by, population)
        places, _ = place_units(embeddings, points, seed)
        self._rows = np.flatnonzero((embeddings.reasons == "") & np.isfinite(places).all(axis=1))
        self._unit_ids = embeddings.unit_ids
        table = pd.DataFrame(places[self._rows], columns=["x", "y"])
        table["unit"] = [show_text(unit) for unit in embeddings.unit_ids[self._rows].tolist()]
        options: dict[str, Any] = {}
        if color_by is not None:
            named = values[self._rows]
            is_number = named.dtype.kind in "biuf"
            texts = [show_text(name) if name else "not labelled" for name in named.tolist()]
            table["colour"] = named.astype(float) if is_number else pd.Categorical(texts)
            options = {"color_by": "colour", **({"color_map": "viridis"} if is_number else {}), "legend": True}
        self._scatter = _load_library().Scatter(data=table, x="x", y="y", height=height, **options)
        self._scatter.tooltip(enable=True, properties=["unit"])
        self._title = title

    @property
    def selected_rows(self) -> Int64[np.ndarray, " selected"]:
        """Rows of the selected units, ascending, shape (selected,)."""
        return np.sort(self._rows[np.asarray(self._scatter.selection(), np.int64)])

    @property
    def selected_unit_ids(self) -> Shaped[np.ndarray, " selected"]:
        """Ids of the selected units in the order of their rows, shape (selected,)."""
        return self._unit_ids[self.selected_rows]

    def select(self, rows: Iterable[int]) -> None:
        """Select units. They replace the current selection.

        Parameters
        ----------
        rows
            Rows of units.

        Raises
        ------
        InvalidOption
            If a unit has no point in the plot.
        """
        at = {row: index for index, row in enumerate(self._rows.tolist())}
        wanted = [int(row) for row in rows]
        if strange := [row for row in wanted if row not in at]:
            raise InvalidOption(f"Row {strange[0]} is not in the plot: there is no such unit, or it has no vector.")
        self._scatter.selection([at[row] for row in wanted])

    def _repr_mimebundle_(self, **options: Any) -> Mapping[str, Any] | tuple[Mapping[str, Any], ...] | None:
        """Return the content that a notebook shows."""
        return self._scatter.show()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        by = f" by {show_text(self._title)}" if self._title else ""
        return f"EmbeddingWidget({len(self._rows)} units{by}, {len(self.selected_rows)} selected)"


def _load_library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what newer pandas deprecates
            import jscatter
    except ImportError as error:
        raise InvalidOption(
            "The widget is drawn by jupyter-scatter, which is not installed. Install it: pip install jupyter-scatter"
        ) from error
    return jscatter
