"""The loss of a training as a curve."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nwb_neurid.contracts.training import TrainingLog
from nwb_neurid.plots.figure import PALETTE, draw_figure, make_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_training(
    log: TrainingLog | Float64[np.ndarray, " steps"], *, label: str = "", ax: "Axes | None" = None
) -> "Axes":
    """Draw the loss of each step, and its moving average over 2 % of the steps.

    Parameters
    ----------
    log
        The log that `nwb_neurid.contracts.training.Trainable.fit` returned, or the loss of each step, shape (steps,).
    label
        Name of the curve, if several curves are drawn on the same axes.
    ax
        Axes to draw on; None for a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Examples
    --------
    >>> plot_training(np.linspace(3.0, 1.0, 200)).get_ylabel()
    'loss'
    """
    loss = log.loss if isinstance(log, TrainingLog) else np.asarray(log, np.float64)
    axes = make_axes(ax, (6.4, 4.0))
    draw_curve(axes, loss, label)
    return axes


def draw_curve(axes: "Axes", loss: Float64[np.ndarray, " steps"], label: str = "") -> None:
    """Draw a loss on axes, in the next colour of the palette."""
    colour = PALETTE[len({line.get_color() for line in axes.get_lines()}) % len(PALETTE)]
    steps = np.arange(1, len(loss) + 1)
    there = np.isfinite(loss)
    width = max(1, len(loss) // 50)
    of = f"{label}, " if label else ""
    axes.plot(steps[there], loss[there], color=colour, linewidth=0.5, alpha=0.4, label=f"{of}each step")
    if there.sum() >= 2 * width > 2:
        smooth = np.convolve(loss[there], np.full(width, 1 / width), mode="valid")
        axes.plot(steps[there][width - 1 :], smooth, color=colour, label=f"{of}mean of {width} steps")
        axes.legend(frameon=False)
    axes.set(xlabel="step", ylabel="loss")


def draw_loss(loss: Float64[np.ndarray, " steps"], path: Path) -> None:
    """Draw the loss of each step into a PNG file, like `plot_training`.

    Raises
    ------
    CannotWrite
        If the file cannot be written.
    """
    with draw_figure(path, (6.4, 4.0)) as axes:
        draw_curve(axes, loss)
