"""Settings of NuCLR: input of the network, and its sizes."""

from dataclasses import dataclass
from typing import Annotated, Literal

from nwb_neurid.contracts import Config
from nwb_neurid.contracts.config import COUNT, SHARE, Entry, is_count, is_positive, read_config

FRAME_S = 0.23344201114422702
"""Time between two frames in the authors' calcium models, which is a constant in their code."""

FINEST_S = 1e-3
"""Shortest bin, in seconds. Shorter bins would fill the memory and contain at most one spike."""

STEP: Entry = (f"a number of seconds from {FINEST_S:g}", lambda value: is_positive(value) and value >= FINEST_S)
RATE: Entry = (f"a rate in Hz of up to {1 / FINEST_S:g}", lambda value: is_positive(value) and value <= 1 / FINEST_S)
FOURS: Entry = ("a positive multiple of 4", lambda value: is_count(value) and value % 4 == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Settings of a NuCLR network.

    Parameters
    ----------
    activity
        "spikes", or "dff" for calcium imaging.
    bin_s
        Length of a bin of spikes, in seconds; for spikes only.
    rate_hz
        Frames per second of traces; for calcium imaging only.
    patch
        Bins or frames in a token.
    tokens
        Tokens in a training window, which determine the periods of rotary positions. Windows of any length can be
        embedded.
    dim
        Length of a vector.
    heads, dim_head
        Number of attention heads, and dimensions of each head, which must be a multiple of 4.
    temporal_blocks
        Blocks that attend along time.
    spatiotemporal_blocks
        Blocks that attend across units, and then along time.
    dropout
        Share of hidden units and of residuals that are dropped in training.
    """

    activity: Literal["spikes", "dff"]
    bin_s: Annotated[float, STEP] | None = None
    rate_hz: Annotated[float, RATE] | None = None
    patch: Annotated[int, COUNT]
    tokens: Annotated[int, COUNT]
    dim: Annotated[int, COUNT]
    heads: Annotated[int, COUNT]
    dim_head: Annotated[int, FOURS]
    temporal_blocks: Annotated[int, COUNT]
    spatiotemporal_blocks: Annotated[int, COUNT]
    dropout: Annotated[float, SHARE]

    def __post_init__(self) -> None:
        given = (self.bin_s is not None, self.rate_hz is not None)
        if given != (self.activity == "spikes", self.activity == "dff"):
            raise ValueError("spikes must have bin_s and no rate_hz, dff must have rate_hz and no bin_s")

    @classmethod
    def from_json(cls, config: Config) -> "NetworkConfig":
        """Check a config.

        Raises
        ------
        InvalidModel
            If keys are missing or unknown, or their values cannot be used. The message lists all faults.
        """
        return read_config(cls, config, "the NuCLR network")

    @property
    def step_s(self) -> float:
        """Return the length of a bin of spikes, or the time between two frames, in seconds."""
        return self.bin_s if self.bin_s is not None else 1 / (self.rate_hz or 1)
