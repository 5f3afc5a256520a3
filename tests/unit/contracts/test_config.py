"""Configs from anywhere: every fault is told at once."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from nwb_neurid import configs
from nwb_neurid.contracts.config import COUNT, POSITIVE, SHARE, check_config, read_config
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
        InvalidModel, match=r"(?s)extra is unknown; known settings: dim, bin_s, dropout.*dim is missing"
    ):
        check_config({"extra": 1, "bin_s": 1, "dropout": 0}, EXPECTED, "the network")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One of each kind of field."""

    dim: Annotated[int, COUNT]
    activity: Literal["spikes", "dff"]
    bin_s: Annotated[float, POSITIVE]
    roles: Annotated[tuple[str, ...], ("a list of text", lambda value: isinstance(value, list))] = ()
    rate_hz: Annotated[float, POSITIVE] | None = None
    share: float = 0.5
    deep: bool = False
    title: str = ""

    def __post_init__(self) -> None:
        if self.rate_hz == self.bin_s:
            raise ValueError("rate_hz and bin_s must differ")


GIVEN = {"dim": 8, "activity": "dff", "bin_s": 1}


def test_a_config_becomes_settings_with_defaults_and_types():
    found = read_config(Settings, GIVEN | {"roles": ["a", "b"], "rate_hz": 4, "share": 1}, "the network")
    assert found == Settings(dim=8, activity="dff", bin_s=1.0, roles=("a", "b"), rate_hz=4.0, share=1.0)
    assert [type(value) for value in (found.bin_s, found.rate_hz, found.share)] == [float] * 3
    assert read_config(Settings, GIVEN, "the network").rate_hz is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 2**31}, "dim must be a positive whole number, got 2147483648"),
        ({"dim": True}, "dim must be a positive whole number, got True"),
        ({"activity": "voltage"}, "activity must be 'spikes' or 'dff', got 'voltage'"),
        ({"activity": ["dff"]}, "activity must be 'spikes' or 'dff', got ['dff']"),
        ({"bin_s": 10**400}, "bin_s must be a positive number, got 1000"),
        ({"bin_s": None}, "bin_s must be a positive number, got None"),
        ({"roles": "ab"}, "roles must be a list of text, got 'ab'"),
        ({"rate_hz": 0}, "rate_hz must be a positive number, got 0"),
        ({"share": math.nan}, "share must be a finite number, got nan"),
        ({"deep": 1}, "deep must be true or false, got 1"),
        ({"title": 1}, "title must be text, got 1"),
        ({"rate_hz": 1}, "rate_hz and bin_s must differ"),
    ],
)
def test_a_field_says_what_its_value_must_be(change, message):
    with pytest.raises(InvalidModel) as caught:
        read_config(Settings, GIVEN | change, "the network")
    first, fault = str(caught.value).splitlines()
    assert first == "The config of the network cannot be used:"
    assert fault.startswith(f"  - {message}")
    assert len(fault) < 140


def test_every_fault_of_settings_is_listed():
    with pytest.raises(InvalidModel) as caught:
        read_config(Settings, {"colour": 1, "dim": 0}, "the network")
    assert str(caught.value).splitlines()[1:] == [
        "  - colour is unknown; known settings: dim, activity, bin_s, roles, rate_hz, share, deep, title",
        "  - dim must be a positive whole number, got 0",
        "  - activity is missing; it must be 'spikes' or 'dff'",
        "  - bin_s is missing; it must be a positive number",
    ]


def test_settings_must_say_what_they_are():
    with pytest.raises(TypeError, match="must be a dataclass"):
        read_config(dict, {}, "the network")

    @dataclass
    class Vague:
        anything: object

    with pytest.raises(TypeError, match="The annotation of anything must say what its value must be"):
        read_config(Vague, {}, "the network")


def test_traces_have_a_rate_and_spikes_a_bin():
    expected = {"activity": ("anything", lambda _: True), "bin_s": POSITIVE, "rate_hz": POSITIVE}
    assert configs.checked_values({"activity": "spikes", "bin_s": 1}, expected, "it") == {
        "activity": "spikes",
        "bin_s": 1.0,
    }
    assert configs.checked_values({"activity": "dff", "rate_hz": 4}, expected, "it") == {
        "activity": "dff",
        "bin_s": 0.25,
    }
    with pytest.raises(InvalidModel, match=r"bin_s is unknown; known settings: activity, rate_hz"):
        configs.checked_values({"activity": "dff", "bin_s": 1, "rate_hz": 4}, expected, "it")
