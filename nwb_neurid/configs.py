"""Checks of configs under their names of nwb-neurid 0.1. See `nwb_neurid.contracts.config`."""

from collections.abc import Mapping
from typing import Any

from nwb_neurid.contracts import Config
from nwb_neurid.contracts.config import COUNT as COUNT
from nwb_neurid.contracts.config import POSITIVE as POSITIVE
from nwb_neurid.contracts.config import SHARE as SHARE
from nwb_neurid.contracts.config import Entry as Entry
from nwb_neurid.contracts.config import check_config as check_config
from nwb_neurid.contracts.config import is_count as is_count
from nwb_neurid.contracts.config import is_positive as is_positive
from nwb_neurid.contracts.config import is_share as is_share


def checked_values(config: Config, expected: Mapping[str, Entry], owner: str) -> dict[str, Any]:
    """Check a config that has `bin_s` for spikes and `rate_hz` for traces, and return its values with `bin_s` for both.

    This function is kept for plugins that were written for nwb-neurid 0.1. For new plugins, use
    `nwb_neurid.contracts.config.read_config`, which reads settings of any kind.

    Parameters
    ----------
    config
        The config of a model folder, or of a user.
    expected
        The condition on the value of each key. There are conditions for both `bin_s` and `rate_hz`.
    owner
        What the config belongs to, such as "the network", for the message.

    Returns
    -------
    dict
        The values of the config, with `bin_s` in seconds in place of `rate_hz`.

    Raises
    ------
    InvalidModel
        For the same reasons as in `check_config`.

    Examples
    --------
    >>> expected = {"activity": ("anything", lambda _: True), "bin_s": POSITIVE, "rate_hz": POSITIVE}
    >>> checked_values({"activity": "dff", "rate_hz": 4}, expected, "the network")
    {'activity': 'dff', 'bin_s': 0.25}
    """
    other = "bin_s" if config.get("activity") == "dff" else "rate_hz"
    check_config(config, {key: entry for key, entry in expected.items() if key != other}, owner)
    values: dict[str, Any] = dict(config)
    bin_s = 1 / values.pop("rate_hz") if "rate_hz" in values else float(values["bin_s"])
    return values | {"bin_s": bin_s}
