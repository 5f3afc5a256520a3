"""What a network takes in, and its sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from neurid_neurpir.surroundings import ROLES
from nwb_neurid.contracts import Config
from nwb_neurid.contracts.config import COUNT, POSITIVE, SHARE, Entry, checked_values
from nwb_neurid.errors import InvalidModel


def _are_roles(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(set(value)) == len(value) and set(value) <= set(ROLES)


_EXPECTED: Mapping[str, Entry] = {
    "activity": ("'spikes' or 'dff'", lambda value: value in ("spikes", "dff")),
    "bin_s": POSITIVE,
    "rate_hz": POSITIVE,
    "token_bins": COUNT,
    "tokens": COUNT,
    "reach_s": POSITIVE,
    "most_hz": POSITIVE,
    "hidden": COUNT,
    "layers": COUNT,
    "dim": COUNT,
    "masked": SHARE,
    "cebra": (
        "0 for none, or a whole number of 3 or more",
        lambda value: type(value) is int and (value == 0 or value > 2),
    ),
    "behaviour": (f"a list of some of {', '.join(ROLES)}, none of them twice", _are_roles),
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
    token_bins, tokens
        The grid of segments, in bins, and a segment of embedding, in steps of that grid.
    reach_s, most_hz, hidden, layers, dim, masked
        As `Network` takes them.
    behaviour
        Which covariates it looks at, by their role; see `neurid_neurpir.surroundings`.
    cebra
        Latents of CEBRA that stand in for these covariates; 0, as in models without the key, for the covariates.
    """

    activity: Literal["spikes", "dff"]
    bin_s: float
    token_bins: int
    tokens: int
    reach_s: float
    most_hz: float
    hidden: int
    layers: int
    dim: int
    masked: float
    behaviour: tuple[str, ...]
    cebra: int

    @classmethod
    def from_json(cls, config: Config) -> "NetworkConfig":
        """Check a config, in which spikes have `bin_s` and traces have `rate_hz`.

        Raises
        ------
        InvalidModel
            If keys are missing or unknown, or their values cannot be used; all of them are listed.
        """
        values = checked_values({"cebra": 0, **config}, _EXPECTED, "the NeurPIR network")
        if values["cebra"] and not values["behaviour"]:
            raise InvalidModel("The NeurPIR network cannot embed behaviour with CEBRA (cebra) without any (behaviour).")
        return cls(**values | {"behaviour": tuple(values["behaviour"])})

    @property
    def sizes(self) -> dict[str, Any]:
        """What `Network` is made with."""
        names = ("activity", "bin_s", "reach_s", "most_hz", "hidden", "layers", "dim", "masked", "cebra")
        return {name: getattr(self, name) for name in names} | {"channels": len(self.behaviour)}
