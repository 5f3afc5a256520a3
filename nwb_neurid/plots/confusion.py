"""Confusion matrices of predicted and true classes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64, Shaped

from nwb_neurid.errors import InvalidResults
from nwb_neurid.plots.figure import make_axes, show_text
from nwb_neurid.results import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ABSTAINED = "abstained"


def plot_confusion(
    predictions: Predictions, truth: Shaped[np.ndarray, " units"], *, title: str = "", ax: "Axes | None" = None
) -> "Axes":
    """Draw the confusion matrix of the predictions.

    Rows are true classes, and columns are predicted classes. The colour of a cell shows its share of the row.

    Parameters
    ----------
    predictions
        Predicted labels. Units from which the model abstains have a separate column.
    truth
        The known label of each unit, shape (units,), such as `population.labels["cell_type"]`; "" where unknown.
    title
        Title of the axes; the name of the label by default.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    InvalidResults
        If the number of labels is not the number of units, or no unit has both a known and a predicted label.

    Examples
    --------
    >>> from nwb_neurid.testing import mock_population
    >>> from nwb_neurid import fit_labels
    >>> from dataclasses import replace
    >>> known = {"cell_type": np.array(["PV", "SST"] * 6)}
    >>> animals = [replace(mock_population(units=12, seed=n), labels=known, subject_id=f"m{n}") for n in range(3)]
    >>> model = fit_labels("isi", animals, label="cell_type")
    >>> predictions = model.predict(model.embed(animals[0]))
    >>> axes = plot_confusion(predictions, known["cell_type"])
    >>> axes.get_ylabel()
    'true cell_type'
    """
    if len(truth) != len(predictions):
        raise InvalidResults(f"truth must have one label for each of {len(predictions)} units, got {len(truth)}.")
    units, rows, columns = count_labels(predictions, truth)
    if not units.any():
        raise InvalidResults(f"No unit has both a known and a predicted {predictions.label_name}.")
    axes = make_axes(ax)
    draw_counts(axes, units, rows, columns, label=predictions.label_name)
    axes.set_title(title or show_text(predictions.label_name), fontsize=10)
    return axes


def count_labels(
    predictions: Predictions, truth: Shaped[np.ndarray, " units"]
) -> tuple[Int64[np.ndarray, "rows columns"], list[str], list[str]]:
    """Count units by known and predicted label. Also return the names of the rows and of the columns.

    Units without a known or a predicted label are left out. The rows are the classes, followed by other known labels.
    The columns are the classes, followed by `ABSTAINED` if the model abstains from any unit.
    """
    known = (truth != "") & (predictions.label != "")
    true = truth[known].astype(np.str_)
    given = np.where(predictions.abstained, ABSTAINED, predictions.label)[known].astype(np.str_)
    classes = predictions.classes.tolist()
    rows = [*classes, *sorted({*true.tolist()} - {*classes})]
    columns = [*classes, *([ABSTAINED] if predictions.abstained[known].any() else [])]
    return np.array([[np.sum((true == row) & (given == column)) for column in columns] for row in rows]), rows, columns


def draw_counts(
    axes: "Axes",
    units: Int64[np.ndarray, "rows columns"],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    label: str = "",
) -> None:
    """Draw counts of units as a matrix. The colour is the share of the row. Counts and row sizes are shown as text."""
    totals = units.sum(axis=1)
    shares = units / np.maximum(totals, 1)[:, None]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.5 else "black"
        text = f"{units[row, column]}\n{share:.0%}" if units[row, column] else "0"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(columns)), [show_text(name) for name in columns], rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), [f"{show_text(name)} (n = {n})" for name, n in zip(rows, totals, strict=True)])
    axes.set(xlabel=f"predicted {show_text(label)}".strip(), ylabel=f"true {show_text(label)}".strip())
    axes.figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
