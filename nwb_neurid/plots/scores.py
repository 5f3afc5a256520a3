"""Scores as pictures: confusion, reliability, sets, risk, and how scores grow."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nwb_neurid.errors import CannotWrite
from nwb_neurid.plots.embedding import PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.8, 4.2)


def draw_confusion(confusion: Mapping[str, Any], path: Path) -> None:
    """Which classes (rows) were called what (columns): shares of the row, with the numbers of units.

    Raises
    ------
    CannotWrite
        If the file cannot be written; so for every picture here.
    """
    classes, units = confusion["classes"], np.asarray(confusion["units"])
    shares = units / np.maximum(units.sum(axis=1, keepdims=True), 1)

    def paint(axes: "Axes") -> None:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{units[row, column]}", ha="center", va="center", color=colour, fontsize=8)
        ticks = range(len(classes))
        axes.set_xticks(ticks, classes, rotation=45, ha="right")
        axes.set_yticks(ticks, classes)
        axes.set(xlabel="said", ylabel="true")

    _picture(paint, path)


def draw_reliability(calibration: Mapping[str, Any], path: Path) -> None:
    """How often what was said with some probability was true."""
    said, right = (np.array(calibration[name], float) for name in ("probability", "right"))

    def paint(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=1, label="perfect")
        axes.plot(said, right, marker="o", color=PALETTE[0], label="probability of the likeliest class")
        axes.set(xlabel="probability said", ylabel="share that was right", xlim=(0, 1), ylim=(0, 1))
        axes.set_title(f"expected calibration error {calibration['expected_error']:.3f}", fontsize=10)
        axes.legend(frameon=False)

    _picture(paint, path)


def draw_sets(sets: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Coverage of the sets of plausible classes, promised and reached, against their mean size."""
    promised, reached, size = (np.array([each[name] for each in sets]) for name in ("promised", "reached", "size"))

    def paint(axes: "Axes") -> None:
        axes.plot(size, promised, color="#999999", linewidth=1, marker=".", label="promised")
        axes.plot(size, reached, color=PALETTE[0], marker="o", label="reached")
        axes.set(xlabel="classes in a set, mean", ylabel="coverage")
        axes.legend(frameon=False)

    _picture(paint, path)


def draw_risk(risk: Mapping[str, Any], path: Path) -> None:
    """Share of errors among the surest units, as more of them are named."""

    def paint(axes: "Axes") -> None:
        axes.plot(risk["share"], risk["error"], color=PALETTE[0])
        axes.set(xlabel="share of units named, the surest first", ylabel="errors among them", xlim=(0, 1))
        axes.set_ylim(bottom=0)
        axes.set_title(f"area {risk['area']:.3f}", fontsize=10)

    _picture(paint, path)


def draw_growth(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path, over: str) -> None:
    """Macro F1 against the share of labels or the number of animals, a line for each system."""

    def paint(axes: "Axes") -> None:
        for index, (name, points) in enumerate(curves.items()):
            there = [point for point in points if point["macro_f1"] is not None]
            axes.plot(
                [point[over] for point in there],
                [point["macro_f1"] for point in there],
                marker="o",
                color=PALETTE[index % len(PALETTE)],
                label=name,
            )
        axes.set(xscale="log", xlabel={"fraction": "share of the labels"}.get(over, over), ylabel="macro F1")
        axes.legend(frameon=False)

    _picture(paint, path)


def _picture(paint: Callable[["Axes"], None], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, dpi=150, layout="constrained")
    axes = figure.subplots()
    paint(axes)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror or error}.") from error
