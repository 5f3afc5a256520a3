"""What was asked of the reader stands in the next command that is printed."""

import pytest

from nwb_neurid.cli.options import spell_reading
from nwb_neurid.contracts import ReadOptions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"part": "units", "rate_hz": 30000.0}, ["--from", "units", "--rate-hz", "30000"]),
        (
            {"where": "snr > 2", "keep_opto": True, "stop_s": 0.5},
            ["--where", "snr > 2", "--stop", "0.5", "--keep-opto"],
        ),
        ({"start_s": 0.0}, ["--start", "0"]),
        ({"exclude": "600:900,3200:"}, ["--exclude", "600:900,3200:"]),
    ],
)
def test_options_are_spelled_as_they_are_typed(options, words):
    assert spell_reading(ReadOptions(**options)) == words
