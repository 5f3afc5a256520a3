"""The probabilities of classes for each unit."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from nwb_neurid.plots.figure import PALETTE, make_axes, show_text
from nwb_neurid.results import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED = 60


def plot_predictions(
    predictions: Predictions, *, rows: Int64[np.ndarray, " shown"] | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw the probability of each class for each unit.

    A dot marks the predicted class. If the model abstains from a unit, a ring marks its most probable class.

    Parameters
    ----------
    predictions
        Predicted labels.
    rows
        Rows of the units to draw, in this order. By default, all units are drawn, ordered by predicted class and
        probability.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Examples
    --------
    >>> from nwb_neurid.testing import mock_population
    >>> from nwb_neurid import fit_labels
    >>> from dataclasses import replace
    >>> known = {"cell_type": np.array(["PV", "SST"] * 6)}
    >>> animals = [replace(mock_population(units=12, seed=n), labels=known, subject_id=f"m{n}") for n in range(3)]
    >>> model = fit_labels("isi", animals, label="cell_type")
    >>> predictions = model.predict(model.embed(animals[0]))
    >>> plot_predictions(predictions).get_xlabel()
    'cell_type'
    """
    classes = predictions.classes.tolist()
    rank = np.array([classes.index(name) if name in classes else len(classes) for name in predictions.label.tolist()])
    probability = np.nan_to_num(predictions.probability, nan=-1.0)
    shown = np.lexsort((-probability, rank)) if rows is None else np.asarray(rows, np.int64)
    axes = make_axes(ax, (4.8, 5.6))
    shares = predictions.class_probabilities[shown]
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Greys", aspect="auto", interpolation="nearest")
    named = rank[shown] < len(classes)
    for kind, faces in ((named & ~predictions.abstained[shown], True), (named & predictions.abstained[shown], False)):
        colours = [PALETTE[each % len(PALETTE)] for each in rank[shown][kind].tolist()]
        axes.scatter(
            rank[shown][kind], np.flatnonzero(kind), s=22, facecolor=colours if faces else "none", edgecolor=colours
        )
    axes.set_xticks(range(len(classes)), [show_text(name) for name in classes], rotation=45, ha="right")
    if len(shown) <= MOST_NAMED:
        axes.set_yticks(
            range(len(shown)), [show_text(unit) for unit in predictions.unit_ids[shown].tolist()], fontsize=7
        )
    axes.set(xlabel=show_text(predictions.label_name), ylabel=f"unit ({len(shown)})")
    axes.figure.colorbar(image, ax=axes, label="probability")
    return axes
