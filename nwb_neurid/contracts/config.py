"""Checks of an encoder's config, which comes from a model folder and may hold anything."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from nwb_neurid.contracts.encoder import Config
from nwb_neurid.errors import InvalidModel

Entry: TypeAlias = tuple[str, Callable[[Any], bool]]
"""What a value must be, in words and as a check."""


def is_positive(value: Any) -> bool:
    """Whether it is a positive, finite number."""
    return type(value) in {int, float} and 0 < value < math.inf


def is_count(value: Any) -> bool:
    """Whether it is a positive whole number."""
    return type(value) is int and value > 0


def is_share(value: Any) -> bool:
    """Whether it is a number from 0 to below 1."""
    return type(value) in {int, float} and 0 <= value < 1


POSITIVE: Entry = ("a positive number", is_positive)
COUNT: Entry = ("a positive whole number", is_count)
SHARE: Entry = ("from 0 to below 1", is_share)


def check_config(config: Config, expected: Mapping[str, Entry], owner: str) -> None:
    """Check that a config has exactly these entries, each of them as expected.

    Parameters
    ----------
    config
        What a model folder, or a user, says.
    expected
        What each value must be, by its key.
    owner
        Whose config it is, for the message.

    Raises
    ------
    InvalidModel
        If keys are missing or unknown, or their values cannot be used; all of them are listed.
    """
    faults = [f"{key} is unknown, known are {', '.join(expected)}" for key in config if key not in expected]
    for key, (wanted, holds) in expected.items():
        if key not in config:
            faults.append(f"{key} must be {wanted}, it is missing")
        elif not holds(config[key]):
            faults.append(f"{key} must be {wanted}, got {config[key]!r}")
    if faults:
        raise InvalidModel("\n  - ".join([f"The config of {owner} cannot be used:", *faults]))


def checked_values(config: Config, expected: Mapping[str, Entry], owner: str) -> dict[str, Any]:
    """The values of a config in which spikes have `bin_s` and traces have `rate_hz`; with `bin_s` in either case.

    `expected` names both; otherwise as for `check_config`.
    """
    other = "bin_s" if config.get("activity") == "dff" else "rate_hz"
    check_config(config, {key: entry for key, entry in expected.items() if key != other}, owner)
    values: dict[str, Any] = dict(config)
    bin_s = 1 / values.pop("rate_hz") if "rate_hz" in values else float(values["bin_s"])
    return values | {"bin_s": bin_s}
