"""Figures of an evaluation: confusion, reliability, prediction sets, risk, and learning curves.

Each function draws one entry of the scores. It returns a value for the title, or "" if there is no such value.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwb_neurid.plots.confusion import draw_counts
from nwb_neurid.plots.figure import GREY, PALETTE, draw_figure, show_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_scores(scores: Mapping[str, Any], folder: Path) -> None:
    """Draw the figures of an evaluation into PNG files. Figures for which there are no scores are left out.

    Raises
    ------
    CannotWrite
        If a file cannot be written.
    """
    title = f"{show_text(scores['label'])}, {show_text(scores['protocol'])}\n{show_text(scores['name'])}"
    for file, (name, draw) in FIGURES.items():
        if name in scores:
            with draw_figure(folder / file, (4.8, 4.2)) as axes:
                value = draw(axes, scores[name])
                axes.set_title(f"{title}\n{value}".rstrip(), fontsize=9)
                if axes.get_legend_handles_labels()[0]:
                    axes.legend(frameon=False)


def _draw_confusion(axes: "Axes", confusion: Mapping[str, Any]) -> str:
    """Draw predicted class by true class, as shares of the row and with the numbers of units."""
    classes = [str(name) for name in confusion["classes"]]
    size = max(4.8, 1.6 + 0.62 * len(classes))
    axes.get_figure().set_size_inches(size + 0.8, size)  # type: ignore[union-attr]
    draw_counts(axes, np.asarray(confusion["units"], np.int64), classes, classes)
    return ""


def _draw_reliability(axes: "Axes", calibration: Mapping[str, Any]) -> str:
    """Draw accuracy against confidence, with the number of units in each bin."""
    confidence, right = (np.array(calibration[name], float) for name in ("probability", "right"))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="perfect")
    axes.plot(confidence, right, marker="o", color=PALETTE[0], label="most probable class")
    for x, y, n in zip(confidence, right, calibration["units"], strict=True):
        if n:
            axes.annotate(f"n = {n}", (x, y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=6)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.05))
    return f"expected calibration error {calibration['expected_error']:.3f}"


def _draw_sets(axes: "Axes", sets: Sequence[Mapping[str, Any]]) -> str:
    """Draw the nominal and the measured coverage of the prediction sets against their mean size."""
    promised, reached, size = (np.array([each[name] for each in sets]) for name in ("promised", "reached", "size"))
    axes.plot(size, promised, color=GREY, linewidth=1, marker=".", label="promised")
    axes.plot(size, reached, color=PALETTE[0], marker="o", label="reached")
    axes.set(xlabel="mean size of a prediction set", ylabel="coverage")
    return ""


def _draw_risk(axes: "Axes", risk: Mapping[str, Any]) -> str:
    """Draw the error rate of labelled units against the share of labelled units, most confident units first."""
    axes.plot(risk["share"], risk["error"], color=PALETTE[0])
    axes.set(xlabel="share of units labelled, most confident first", ylabel="errors among them", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    return f"area {risk['area']:.3f}"


def _draw_growth(axes: "Axes", curves: Mapping[str, Sequence[Mapping[str, Any]]], *, over: str, label: str) -> str:
    """Draw macro F1 against the share of labels or the number of animals, with one line for each model."""
    for index, (name, points) in enumerate(curves.items()):
        x, y = zip(*((point[over], point["macro_f1"]) for point in points), strict=True)
        kept = [value is not None for value in y]
        colour = PALETTE[index % len(PALETTE)]
        axes.plot(np.array(x)[kept], np.array(y)[kept], marker="o", color=colour, label=show_text(name))
    axes.set(xscale="log", xlabel=label, ylabel="macro F1")
    return ""


FIGURES: Mapping[str, tuple[str, Callable[["Axes", Any], str]]] = {
    "confusion.png": ("confusion", _draw_confusion),
    "reliability.png": ("calibration", _draw_reliability),
    "sets.png": ("sets", _draw_sets),
    "risk.png": ("risk", _draw_risk),
    "label_fractions.png": ("label_fractions", partial(_draw_growth, over="fraction", label="share of the labels")),
    "animals.png": ("animals", partial(_draw_growth, over="animals", label="animals")),
}
"""For the name of each file, the name of the scores, and the function that draws them."""
