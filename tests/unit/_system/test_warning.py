"""Warnings point at the code of the user."""

import pytest

from nwb_neurid._system.warning import warn
from nwb_neurid.errors import NeuridWarning


def test_a_warning_points_at_the_line_outside_the_package():
    inside = {"__name__": "nwb_neurid.made", "warn": getattr(warn, "__wrapped__", warn)}  # without checks of shapes
    exec("def read():\n    check()\ndef check():\n    warn('doubtful')", inside)
    with pytest.warns(NeuridWarning, match="doubtful") as found:
        inside["read"]()
    assert found[0].filename == __file__
