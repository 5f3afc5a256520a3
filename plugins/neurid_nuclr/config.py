"""What a network takes in, and its sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from nwb_neurid.contracts import Config
from nwb_neurid.contracts.config import COUNT, POSITIVE, SHARE, Entry, checked_values, is_count

FRAME_S = 0.23344201114422702
"""Time between two frames of the authors' calcium models, a constant of their code."""


_EXPECTED: Mapping[str, Entry] = {
    "activity": ("'spikes' or 'dff'", lambda value: value in ("spikes", "dff")),
    "bin_s": POSITIVE,
    "rate_hz": POSITIVE,
    "patch": COUNT,
    "tokens": COUNT,
    "dim": COUNT,
    "heads": COUNT,
    "dim_head": ("a positive multiple of 4", lambda value: is_count(value) and value % 4 == 0),
    "temporal_blocks": COUNT,
    "spatiotemporal_blocks": COUNT,
    "dropout": SHARE,
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
        values = checked_values(config, _EXPECTED, "the NuCLR network")
        return cls(**values | {"dropout": float(values["dropout"])})

    @property
    def sizes(self) -> dict[str, Any]:
        """What `Network` is made with."""
        names = [field.name for field in fields(self) if field.name not in {"activity", "bin_s"}]
        return {name: getattr(self, name) for name in names}
