"""Figures of an evaluation: confusion, reliability, prediction sets, risk, and learning curves.

Each function writes a PNG file, and raises `CannotWrite` if it cannot be written.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwb_neurid.plots.confusion import draw_counts
from nwb_neurid.plots.figure import GREY, PALETTE, draw_figure, show_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.8, 4.2)


def write_title(label: str, protocol: str, model: str) -> str:
    """Compose the title of a figure: the label, the protocol and the model."""
    return f"{show_text(label)}, {show_text(protocol)}\n{show_text(model)}"


def _set_title(axes: "Axes", title: str, value: str) -> None:
    axes.set_title("\n".join(filter(None, [title, value])), fontsize=9)


def draw_confusion(confusion: Mapping[str, Any], path: Path, title: str = "") -> None:
    """Draw the confusion matrix: predicted class by true class, as shares of the row with the numbers of units."""
    classes = [str(name) for name in confusion["classes"]]
    size = max(4.8, 1.6 + 0.62 * len(classes))
    with draw_figure(path, (size + 0.8, size)) as axes:
        draw_counts(axes, np.asarray(confusion["units"], np.int64), classes, classes)
        axes.set_title(title, fontsize=9)


def draw_reliability(calibration: Mapping[str, Any], path: Path, title: str = "") -> None:
    """Draw the reliability diagram: accuracy against confidence, with the number of units in each bin."""
    confidence, right = (np.array(calibration[name], float) for name in ("probability", "right"))
    with draw_figure(path, SIZE) as axes:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="perfect")
        axes.plot(confidence, right, marker="o", color=PALETTE[0], label="most probable class")
        for x, y, n in zip(confidence, right, calibration["units"], strict=True):
            if n:
                axes.annotate(f"n = {n}", (x, y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=6)
        axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.05))
        _set_title(axes, title, f"expected calibration error {calibration['expected_error']:.3f}")
        axes.legend(frameon=False)


def draw_sets(sets: Sequence[Mapping[str, Any]], path: Path, title: str = "") -> None:
    """Draw the nominal and the measured coverage of the prediction sets against their mean size."""
    promised, reached, size = (np.array([each[name] for each in sets]) for name in ("promised", "reached", "size"))
    with draw_figure(path, SIZE) as axes:
        axes.plot(size, promised, color=GREY, linewidth=1, marker=".", label="promised")
        axes.plot(size, reached, color=PALETTE[0], marker="o", label="reached")
        axes.set(xlabel="mean size of a prediction set", ylabel="coverage")
        axes.set_title(title, fontsize=9)
        axes.legend(frameon=False)


def draw_risk(risk: Mapping[str, Any], path: Path, title: str = "") -> None:
    """Draw the error rate of labelled units against the share of units that are labelled, most confident first."""
    with draw_figure(path, SIZE) as axes:
        axes.plot(risk["share"], risk["error"], color=PALETTE[0])
        axes.set(xlabel="share of units labelled, most confident first", ylabel="errors among them", xlim=(0, 1))
        axes.set_ylim(bottom=0)
        _set_title(axes, title, f"area {risk['area']:.3f}")


def draw_growth(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path, over: str, title: str = "") -> None:
    """Draw macro F1 against the share of labels or the number of animals, with one line for each model."""
    with draw_figure(path, SIZE) as axes:
        for index, (name, points) in enumerate(curves.items()):
            scored = [point for point in points if point["macro_f1"] is not None]
            axes.plot(
                [point[over] for point in scored],
                [point["macro_f1"] for point in scored],
                marker="o",
                color=PALETTE[index % len(PALETTE)],
                label=show_text(name),
            )
        axes.set(xscale="log", xlabel={"fraction": "share of the labels"}.get(over, over), ylabel="macro F1")
        axes.set_title(title, fontsize=9)
        axes.legend(frameon=False)
