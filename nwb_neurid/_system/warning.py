"""Warnings about the user's data. The command line prints them, and the work continues."""

import sys
import warnings

from nwb_neurid.errors import NeuridWarning

PACKAGE = __name__.partition(".")[0]


def warn(message: str) -> None:
    """Issue a NeuridWarning that points to the line outside this package from which the package was called."""
    level = 1
    while sys._getframe(level).f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        level += 1
    warnings.warn(message, NeuridWarning, stacklevel=level + 1)
