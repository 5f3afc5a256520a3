"""Configs from anywhere: every fault is told at once."""

import math

import pytest

from nwb_neurid.contracts.config import COUNT, POSITIVE, SHARE, check_config, checked_values
from nwb_neurid.errors import InvalidModel

EXPECTED = {"dim": COUNT, "bin_s": POSITIVE, "dropout": SHARE}


def test_a_config_as_expected_passes():
    check_config({"dim": 8, "bin_s": 0.02, "dropout": 0}, EXPECTED, "the network")


@pytest.mark.parametrize(
    ("key", "value"),
    [("dim", 0), ("dim", 2.0), ("dim", True), ("bin_s", 0), ("bin_s", math.inf), ("bin_s", "1"), ("dropout", 1.0)],
)
def test_a_value_of_another_kind_is_named(key, value):
    config = {"dim": 8, "bin_s": 0.02, "dropout": 0.0} | {key: value}
    with pytest.raises(InvalidModel, match=rf"The config of the network cannot be used:\n  - {key} must be .*, got"):
        check_config(config, EXPECTED, "the network")


def test_all_faults_are_listed():
    with pytest.raises(
        InvalidModel, match=r"(?s)extra is unknown, known are dim, bin_s, dropout.*dim must be .*missing"
    ):
        check_config({"extra": 1, "bin_s": 1, "dropout": 0}, EXPECTED, "the network")


def test_traces_have_a_rate_and_spikes_a_bin():
    expected = {"activity": ("anything", lambda _: True), "bin_s": POSITIVE, "rate_hz": POSITIVE}
    assert checked_values({"activity": "spikes", "bin_s": 1}, expected, "it") == {"activity": "spikes", "bin_s": 1.0}
    assert checked_values({"activity": "dff", "rate_hz": 4}, expected, "it") == {"activity": "dff", "bin_s": 0.25}
    with pytest.raises(InvalidModel, match=r"bin_s is unknown, known are activity, rate_hz"):
        checked_values({"activity": "dff", "bin_s": 1, "rate_hz": 4}, expected, "it")
