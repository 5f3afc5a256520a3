"""Settings of NeurPIR: input of the network, and its sizes."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from neurid_neurpir.surroundings import ROLES
from nwb_neurid.contracts import Config
from nwb_neurid.contracts.config import COUNT, POSITIVE, SHARE, Entry, is_positive, read_config

FINEST_S = 1e-3
"""Shortest bin, in seconds. Shorter bins would fill the memory and contain at most one spike."""

STEP: Entry = (f"a number of seconds from {FINEST_S:g}", lambda value: is_positive(value) and value >= FINEST_S)
RATE: Entry = (f"a rate in Hz of up to {1 / FINEST_S:g}", lambda value: is_positive(value) and value <= 1 / FINEST_S)


def _are_roles(value: Any) -> bool:
    texts = isinstance(value, list | tuple) and all(isinstance(role, str) for role in value)
    return texts and len(set(value)) == len(value) and set(value) <= set(ROLES)


ROLES_ONCE: Entry = (f"a list of some of {', '.join(ROLES)}, none of them twice", _are_roles)
LATENTS: Entry = (
    "0 for none, or a whole number from 3 to 1000",
    lambda value: type(value) is int and (value == 0 or 2 < value <= 1000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Settings of a NeurPIR network.

    Parameters
    ----------
    activity
        "spikes", or "dff" for calcium imaging.
    bin_s
        Length of a bin of spikes, in seconds; for spikes only.
    rate_hz
        Frames per second of traces; for calcium imaging only.
    token_bins, tokens
        Grid on which segments begin, in bins per step, and length of a segment for embedding, in steps of this grid.
    reach_s
        Range of the input of a step to either side, in seconds.
    most_hz
        Largest number of steps per second of a segment, for each unit. If there are more, an evenly spaced selection is
        used.
    hidden, layers
        Width and number of the hidden layers.
    dim
        Length of a vector.
    masked
        Share of training segments in which the mean activity of the other units is hidden, and share of training
        segments in which each channel of behaviour (or all latents of CEBRA) is hidden.
    behaviour
        The covariates that it uses, by their role; see `neurid_neurpir.surroundings`.
    cebra
        Number of CEBRA latents that replace these covariates; 0 (as in models without this key) to use the covariates.
    """

    activity: Literal["spikes", "dff"]
    bin_s: Annotated[float, STEP] | None = None
    rate_hz: Annotated[float, RATE] | None = None
    token_bins: Annotated[int, COUNT]
    tokens: Annotated[int, COUNT]
    reach_s: Annotated[float, POSITIVE]
    most_hz: Annotated[float, RATE]
    hidden: Annotated[int, COUNT]
    layers: Annotated[int, COUNT]
    dim: Annotated[int, COUNT]
    masked: Annotated[float, SHARE]
    behaviour: Annotated[tuple[str, ...], ROLES_ONCE]
    cebra: Annotated[int, LATENTS] = 0

    def __post_init__(self) -> None:
        given = (self.bin_s is not None, self.rate_hz is not None)
        if given != (self.activity == "spikes", self.activity == "dff"):
            raise ValueError("spikes must have bin_s and no rate_hz, dff must have rate_hz and no bin_s")
        if self.cebra and not self.behaviour:
            raise ValueError("cebra embeds behaviour, so behaviour must not be empty")

    @classmethod
    def from_json(cls, config: Config) -> "NetworkConfig":
        """Check a config.

        Raises
        ------
        InvalidModel
            If keys are missing or unknown, or their values cannot be used. The message lists all faults.
        """
        return read_config(cls, config, "the NeurPIR network")

    @property
    def step_s(self) -> float:
        """Return the length of a bin of spikes, or the time between two frames, in seconds."""
        return self.bin_s if self.bin_s is not None else 1 / (self.rate_hz or 1)
