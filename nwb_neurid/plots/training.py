"""The loss of a training as a curve."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from nwb_neurid.plots.figure import PALETTE, draw_figure


def draw_loss(loss: Float64[np.ndarray, " steps"], path: Path) -> None:
    """Draw the loss of each step, and its mean over a fiftieth of the steps, into a PNG file.

    Raises
    ------
    CannotWrite
        If the file cannot be written.
    """
    steps = np.arange(1, len(loss) + 1)
    there = np.isfinite(loss)
    width = max(1, len(loss) // 50)
    with draw_figure(path, (6.4, 4.0)) as axes:
        axes.plot(steps[there], loss[there], color=PALETTE[0], linewidth=0.5, alpha=0.4, label="each step")
        if there.sum() >= 2 * width > 2:
            smooth = np.convolve(loss[there], np.full(width, 1 / width), mode="valid")
            axes.plot(steps[there][width - 1 :], smooth, color=PALETTE[0], label=f"mean of {width} steps")
            axes.legend(frameon=False)
        axes.set(xlabel="step", ylabel="loss")
