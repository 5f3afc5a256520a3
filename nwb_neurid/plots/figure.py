"""Figures as PNG files, in matplotlib's own style: no configuration of the user or of the folder changes them."""

import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from nwb_neurid._system.atomic import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#F0E442",
    "#000000",
)
"""Colours that the colour-blind can tell apart (Okabe and Ito)."""


@contextmanager
def draw_figure(path: Path, size_inches: tuple[float, float]) -> Iterator["Axes"]:
    """Make axes to draw on; they become a PNG file when the block ends without an error.

    Raises
    ------
    CannotWrite
        If the file cannot be written.
    """
    _load_matplotlib()
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context("default"):
        figure = Figure(figsize=size_inches, dpi=150, layout="constrained")
        axes = figure.subplots()
        yield axes
        axes.spines[["top", "right"]].set_visible(False)
        with replace_file(path, overwrite=True) as made:
            figure.savefig(made.path, format="png")


def _load_matplotlib() -> None:
    """Import matplotlib, which would obey a `matplotlibrc` in the current folder, and fail on a damaged one."""
    theirs = "matplotlib" not in sys.modules and Path("matplotlibrc").exists()
    with TemporaryDirectory() if theirs else nullcontext() as empty, chdir(empty) if empty else nullcontext():
        import matplotlib  # noqa: F401
