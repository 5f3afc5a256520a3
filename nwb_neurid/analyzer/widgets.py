"""SpikeInterface widgets of vectors and predictions, for matplotlib and ipywidgets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jaxtyping import Shaped
from spikeinterface.core import SortingAnalyzer
from spikeinterface.widgets.base import BaseWidget

from nwb_neurid.analyzer.predictions import find_names
from nwb_neurid.analyzer.properties import get_predictions
from nwb_neurid.errors import InvalidOption, NoResults
from nwb_neurid.plots.embedding import draw_points, project_vectors
from nwb_neurid.plots.predictions import plot_predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CM_PER_INCH = 2.54
FEWEST = 3
"""The smallest number of units with a vector that can be plotted."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Shown:
    """A function that draws some units on axes, the units to choose from, and the units that are chosen at first."""

    draw: Callable[["Axes", Sequence[Any]], None]
    unit_ids: Sequence[Any]
    chosen: Sequence[Any]


class _NeuridWidget(BaseWidget):  # type: ignore[misc]
    """A plot of units, on axes of matplotlib or beside a list for choosing units."""

    def plot_matplotlib(self, data_plot: _Shown, **backend_kwargs: Any) -> None:
        """Draw on axes of matplotlib. SpikeInterface calls this method.

        Parameters
        ----------
        data_plot
            The data that the constructor collected.
        **backend_kwargs
            Options of SpikeInterface's backend, such as `ax` and `figsize`.
        """
        from spikeinterface.widgets.utils_matplotlib import make_mpl_figure

        self.figure, self.axes, self.ax = make_mpl_figure(**backend_kwargs)
        data_plot.draw(self.ax, data_plot.chosen)

    def plot_ipywidgets(self, data_plot: _Shown, **backend_kwargs: Any) -> None:
        """Draw beside a list for choosing units. SpikeInterface calls this method again when other units are chosen.

        Parameters
        ----------
        data_plot
            The data that the constructor collected.
        **backend_kwargs
            Options of SpikeInterface's backend, such as `ax` and `figsize`.
        """
        import matplotlib.pyplot as plt
        from IPython.display import display
        from ipywidgets import widgets
        from spikeinterface.widgets.utils_ipywidgets import UnitSelector, check_ipywidget_backend

        check_ipywidget_backend()
        with plt.ioff():
            self.figure = plt.figure(
                figsize=(0.85 * backend_kwargs["width_cm"] / CM_PER_INCH, backend_kwargs["height_cm"] / CM_PER_INCH)
            )
        self.unit_selector = UnitSelector(list(data_plot.unit_ids))

        def redraw(_: object = None) -> None:
            self.figure.clear()
            self.ax = self.figure.add_subplot()
            data_plot.draw(self.ax, self.unit_selector.value)
            self.figure.canvas.draw_idle()

        redraw()
        self.unit_selector.observe(redraw, names="value", type="change")
        self.widget = widgets.AppLayout(
            left_sidebar=self.unit_selector, center=self.figure.canvas, pane_widths=[0.15, 0.85, 0]
        )
        if backend_kwargs["display"]:
            display(self.widget)


@final
class NeuridEmbeddingsWidget(_NeuridWidget):
    """Scatter plot of the vectors, by t-SNE. Units with similar vectors lie close to each other.

    Parameters
    ----------
    sorting_analyzer
        A sorting analyzer with the extension `neurid_embeddings`.
    color_by
        A predicted label ("cell_type"), a property of the units, or one value for each unit. With None, all units have
        the same colour. Text is shown as classes, and numbers are shown on a colour scale.
    unit_ids
        The units to highlight; None for all units. Units without a vector have no point.
    seed
        Random seed of the t-SNE.
    backend, **backend_kwargs
        "matplotlib" or "ipywidgets", and SpikeInterface's options for this backend.

    Raises
    ------
    NoResults
        If there are no embeddings, or fewer than three units have a vector.
    InvalidOption
        If the label, the property or a unit does not exist, or if the number of values is not the number of units.
    """

    def __init__(
        self,
        sorting_analyzer: SortingAnalyzer,
        color_by: str | Sequence[Any] | np.ndarray | None = None,
        unit_ids: Sequence[Any] | np.ndarray | None = None,
        seed: int = 0,
        backend: str | None = None,
        **backend_kwargs: Any,
    ) -> None:
        extension = sorting_analyzer.get_extension("neurid_embeddings")
        if extension is None:
            raise NoResults('The analyzer has no embeddings: analyzer.compute("neurid_embeddings") makes them.')
        embeddings = extension.embeddings()
        seen = embeddings.reasons == ""
        if seen.sum() < FEWEST:
            raise NoResults(f"{seen.sum()} units have a vector, the plot needs at least {FEWEST}.")
        unit_list = embeddings.unit_ids[seen].tolist()
        points = project_vectors(embeddings.vectors[seen], seed=seed)
        colours = _choose_colours(sorting_analyzer, color_by)[seen]

        def draw(axes: "Axes", chosen: Sequence[Any]) -> None:
            standing_out = set(chosen)
            alpha = np.array([0.9 if unit in standing_out else 0.15 for unit in unit_list])
            draw_points(axes, points, colours, title=color_by if isinstance(color_by, str) else "", alpha=alpha)
            axes.set(xticks=[], yticks=[], xlabel="t-SNE 1", ylabel="t-SNE 2")
            axes.spines[["top", "right"]].set_visible(False)

        shown = _Shown(draw=draw, unit_ids=unit_list, chosen=_choose_units(sorting_analyzer, unit_ids))
        super().__init__(shown, backend=backend, **backend_kwargs)


@final
class NeuridPredictionsWidget(_NeuridWidget):
    """The probability of each class for each unit.

    A dot marks the predicted class. If the model abstains from a unit, a ring marks its most probable class.

    Parameters
    ----------
    sorting_analyzer
        A sorting analyzer with the extension `neurid_predictions`.
    label
        Name of the label. It can be "" if there are predictions of only one label.
    unit_ids
        The units to show, in this order; None for all units.
    backend, **backend_kwargs
        "matplotlib" or "ipywidgets", and SpikeInterface's options for this backend.

    Raises
    ------
    NoResults
        If there are no predictions.
    InvalidOption
        If there are no predictions of this label, or if a unit does not exist.
    """

    def __init__(
        self,
        sorting_analyzer: SortingAnalyzer,
        label: str = "",
        unit_ids: Sequence[Any] | np.ndarray | None = None,
        backend: str | None = None,
        **backend_kwargs: Any,
    ) -> None:
        found = get_predictions(sorting_analyzer).predictions(label)
        row_of = {unit: row for row, unit in enumerate(found.unit_ids.tolist())}

        def draw(axes: "Axes", chosen: Sequence[Any]) -> None:
            plot_predictions(found, rows=np.array([row_of[unit] for unit in chosen], np.int64), ax=axes)

        units = _choose_units(sorting_analyzer, unit_ids)
        super().__init__(_Shown(draw=draw, unit_ids=units, chosen=units), backend=backend, **backend_kwargs)


plot_neurid_embeddings = NeuridEmbeddingsWidget
plot_neurid_predictions = NeuridPredictionsWidget


def _choose_units(analyzer: SortingAnalyzer, unit_ids: Sequence[Any] | np.ndarray | None) -> list[Any]:
    there = np.asarray(analyzer.unit_ids).tolist()
    chosen = there if unit_ids is None else np.asarray(unit_ids).tolist()
    if unknown := [unit for unit in chosen if unit not in there]:
        raise InvalidOption(f"The analyzer has no unit {unknown[0]!r}. It has: {', '.join(map(str, there[:10]))}, ...")
    return chosen


def _choose_colours(
    analyzer: SortingAnalyzer, color_by: str | Sequence[Any] | np.ndarray | None
) -> Shaped[np.ndarray, " units"]:
    """Choose one value for each unit: text or a number."""
    units = len(analyzer.unit_ids)
    if color_by is None:
        return np.full(units, "")
    values = _look_up_colours(analyzer, color_by) if isinstance(color_by, str) else np.asarray(color_by)
    if values.shape != (units,):
        raise InvalidOption(f"color_by must have one value for each of {units} units, got shape {values.shape}.")
    return values if values.dtype.kind in "biuf" else values.astype(np.str_)


def _look_up_colours(analyzer: SortingAnalyzer, name: str) -> Shaped[np.ndarray, " units"]:
    extension = analyzer.get_extension("neurid_predictions")
    predicted = {part.label_name: part for part in (extension.all_predictions() if extension else ())}
    if name in predicted:
        return find_names(predicted[name])
    if name in analyzer.sorting.get_property_keys():
        return np.asarray(analyzer.sorting.get_property(name))
    raise InvalidOption(
        f"There is no prediction and no property {name!r} to colour by. Choose one of: "
        f"{', '.join([*predicted, *analyzer.sorting.get_property_keys()]) or 'none'}."
    )
