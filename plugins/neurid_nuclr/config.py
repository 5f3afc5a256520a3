"""What a network takes in, and its sizes."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from nwb_neurid.contracts import Config
from nwb_neurid.errors import InvalidModel

FRAME_S = 0.23344201114422702
"""Time between two frames of the authors' calcium models, a constant of their code."""


def _positive(value: Any) -> bool:
    return type(value) in {int, float} and 0 < value < math.inf


def _whole(value: Any) -> bool:
    return type(value) is int and value > 0


_NUMBER = ("a positive number", _positive)
_COUNT = ("a positive whole number", _whole)
_EXPECTED: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "activity": ("'spikes' or 'dff'", lambda value: value in ("spikes", "dff")),
    "bin_s": _NUMBER,
    "rate_hz": _NUMBER,
    "patch": _COUNT,
    "tokens": _COUNT,
    "dim": _COUNT,
    "heads": _COUNT,
    "dim_head": ("a positive multiple of 4", lambda value: _whole(value) and value % 4 == 0),
    "temporal_blocks": _COUNT,
    "spatiotemporal_blocks": _COUNT,
    "dropout": ("from 0 to below 1", lambda value: type(value) in {int, float} and 0 <= value < 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """What a network takes in, and its sizes.

    Parameters
    ----------
    activity
        "spikes" or "dff".
    bin_s
        Length of a bin of spikes, or time between two frames, in seconds.
    patch, tokens, dim, heads, dim_head, temporal_blocks, spatiotemporal_blocks, dropout
        As `Network` takes them.
    """

    activity: Literal["spikes", "dff"]
    bin_s: float
    patch: int
    tokens: int
    dim: int
    heads: int
    dim_head: int
    temporal_blocks: int
    spatiotemporal_blocks: int
    dropout: float

    @classmethod
    def from_json(cls, config: Config) -> "NetworkConfig":
        """Check a config, in which spikes have `bin_s` and traces have `rate_hz`.

        Raises
        ------
        InvalidModel
            If keys are missing or unknown, or their values cannot be used; all of them are listed.
        """
        expected = dict(_EXPECTED)
        del expected["bin_s" if config.get("activity") == "dff" else "rate_hz"]
        faults = [f"{key} is unknown, known are {', '.join(expected)}" for key in config if key not in expected]
        for key, (wanted, holds) in expected.items():
            if key not in config:
                faults.append(f"{key} must be {wanted}, it is missing")
            elif not holds(config[key]):
                faults.append(f"{key} must be {wanted}, got {config[key]!r}")
        if faults:
            raise InvalidModel("\n  - ".join(["The config of the NuCLR network cannot be used:", *faults]))
        values: dict[str, Any] = dict(config)
        bin_s = 1 / values.pop("rate_hz") if "rate_hz" in values else float(values["bin_s"])
        return cls(**values | {"bin_s": bin_s, "dropout": float(values["dropout"])})

    @property
    def sizes(self) -> dict[str, Any]:
        """What `Network` is made with."""
        names = [field.name for field in fields(self) if field.name not in {"activity", "bin_s"}]
        return {name: getattr(self, name) for name in names}
