"""Figures of an evaluation: confusion, reliability, prediction sets, risk, and how scores grow.

Each is a PNG file, and `CannotWrite` if it cannot be written.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nwb_neurid.plots.figure import PALETTE, draw_figure

SIZE = (4.8, 4.2)
GREY = "#999999"


def draw_confusion(confusion: Mapping[str, Any], path: Path) -> None:
    """Draw the confusion matrix: predicted class by true class, as shares of the row with the numbers of units."""
    classes, units = confusion["classes"], np.asarray(confusion["units"])
    shares = units / np.maximum(units.sum(axis=1, keepdims=True), 1)
    with draw_figure(path, SIZE) as axes:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{units[row, column]}", ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
        axes.set_yticks(range(len(classes)), classes)
        axes.set(xlabel="predicted", ylabel="true")


def draw_reliability(calibration: Mapping[str, Any], path: Path) -> None:
    """Draw the reliability diagram: accuracy against confidence."""
    confidence, right = (np.array(calibration[name], float) for name in ("probability", "right"))
    with draw_figure(path, SIZE) as axes:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="perfect")
        axes.plot(confidence, right, marker="o", color=PALETTE[0], label="most probable class")
        axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
        axes.set_title(f"expected calibration error {calibration['expected_error']:.3f}", fontsize=10)
        axes.legend(frameon=False)


def draw_sets(sets: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw the coverage of the prediction sets, promised and reached, against their mean size."""
    promised, reached, size = (np.array([each[name] for each in sets]) for name in ("promised", "reached", "size"))
    with draw_figure(path, SIZE) as axes:
        axes.plot(size, promised, color=GREY, linewidth=1, marker=".", label="promised")
        axes.plot(size, reached, color=PALETTE[0], marker="o", label="reached")
        axes.set(xlabel="mean size of a prediction set", ylabel="coverage")
        axes.legend(frameon=False)


def draw_risk(risk: Mapping[str, Any], path: Path) -> None:
    """Draw the share of errors among labelled units against the share that is labelled, most confident first."""
    with draw_figure(path, SIZE) as axes:
        axes.plot(risk["share"], risk["error"], color=PALETTE[0])
        axes.set(xlabel="share of units labelled, most confident first", ylabel="errors among them", xlim=(0, 1))
        axes.set_ylim(bottom=0)
        axes.set_title(f"area {risk['area']:.3f}", fontsize=10)


def draw_growth(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path, over: str) -> None:
    """Draw macro F1 against the share of labels or the number of animals, a line for each model."""
    with draw_figure(path, SIZE) as axes:
        for index, (name, points) in enumerate(curves.items()):
            scored = [point for point in points if point["macro_f1"] is not None]
            axes.plot(
                [point[over] for point in scored],
                [point["macro_f1"] for point in scored],
                marker="o",
                color=PALETTE[index % len(PALETTE)],
                label=name,
            )
        axes.set(xscale="log", xlabel={"fraction": "share of the labels"}.get(over, over), ylabel="macro F1")
        axes.legend(frameon=False)
