"""Warnings about the data of the user, which the command line prints and after which the work continues."""

import sys
import warnings

from nwb_neurid.errors import NeuridWarning

PACKAGE = __name__.partition(".")[0]


def warn(message: str) -> None:
    """Warn the owner of the data, at the line outside of this package from which it was called."""
    level = 1
    while sys._getframe(level).f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        level += 1
    warnings.warn(message, NeuridWarning, stacklevel=level + 1)
