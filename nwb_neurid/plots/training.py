"""The loss of a training as a picture."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from nwb_neurid.errors import CannotWrite
from nwb_neurid.plots.embedding import PALETTE


def draw_curve(loss: Float64[np.ndarray, " steps"], path: Path) -> None:
    """Write a PNG of the loss of each step, and of its mean over a fiftieth of the steps.

    Raises
    ------
    CannotWrite
        If the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    axes = figure.subplots()
    steps = np.arange(1, len(loss) + 1)
    there = np.isfinite(loss)
    axes.plot(steps[there], loss[there], color=PALETTE[0], linewidth=0.5, alpha=0.4, label="each step")
    width = max(1, len(loss) // 50)
    if there.sum() >= 2 * width > 2:
        smooth = np.convolve(loss[there], np.full(width, 1 / width), mode="valid")
        axes.plot(steps[there][width - 1 :], smooth, color=PALETTE[0], label=f"mean of {width} steps")
        axes.legend(frameon=False)
    axes.set(xlabel="step", ylabel="loss")
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror or error}.") from error
