"""Figures as PNG files. They always have the default style of matplotlib, not the style that the user configured."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

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
"""Colours that colour-blind people can distinguish (Okabe and Ito)."""


MARKERS = ("o", "s", "^", "D", "P", "v", "X")
"""Marker shapes of classes, which can also be distinguished in a figure that is printed in grey."""

GREY = "#999999"
LONGEST = 40


def show_text(text: object) -> str:
    r"""Escape a name from a source, so that matplotlib draws it unchanged, and shorten it to one line.

    Without this, a dollar sign would begin a formula, and an underscore at the start would hide an entry of a legend.
    Control characters are missing from fonts.

    >>> show_text("$x$"), show_text("_a"), show_text("a\x1b[31m")
    ('\\$x\\$', ' _a', 'a\\x1b[31m')
    """
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in str(text))
    shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
    shown = shown.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


def make_axes(ax: "Axes | None", size_inches: tuple[float, float] = (5.6, 4.4)) -> "Axes":
    """Make axes in a new figure of pyplot, if none are given."""
    return ax if ax is not None else make_figure(1, 1, size_inches)[0, 0]


def make_figure(rows: int, columns: int, size_inches: tuple[float, float]) -> Shaped[np.ndarray, "rows columns"]:
    """Make a new figure of pyplot with a given number of axes, and return the axes."""
    _load_matplotlib()
    from matplotlib import pyplot as plt

    _, made = plt.subplots(rows, columns, figsize=size_inches, layout="constrained", squeeze=False)
    for axes in made.ravel():
        axes.spines[["top", "right"]].set_visible(False)
    return np.asarray(made)


@contextmanager
def draw_figure(path: Path, size_inches: tuple[float, float]) -> Iterator["Axes"]:
    """Make axes to draw on. They are saved as a PNG file if the block ends without an error.

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
        with replace_file(path, overwrite=True) as made, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # a box stands for it
            figure.savefig(made.path, format="png")


def _load_matplotlib() -> None:
    """Import matplotlib without using a `matplotlibrc` in the current folder, which may be damaged."""
    theirs = "matplotlib" not in sys.modules and Path("matplotlibrc").exists()
    with TemporaryDirectory() if theirs else nullcontext() as empty, chdir(empty) if empty else nullcontext():
        import matplotlib  # noqa: F401
