"""The fingerprint of a neuron: its waveform and the timing of its spikes. The waveform or the timing may be missing."""

from typing import TYPE_CHECKING

from neurid_fingerprint.config import Sizes
from nwb_neurid.contracts import CONTRACT, Config, EncoderPlugin, EncoderSpec, State
from nwb_neurid.contracts.config import read_config

if TYPE_CHECKING:
    from neurid_fingerprint.encoder import Fingerprint

OWNER = "the fingerprint"


def build(config: Config, state: State, device: str) -> "Fingerprint":  # noqa: ARG001 - NumPy has one device
    """Build the networks with their weights."""
    from neurid_fingerprint.encoder import Fingerprint

    sizes = read_config(Sizes, config, OWNER)
    return Fingerprint(sizes, config, state)


def initial_state(config: Config, seed: int) -> State:
    """Draw untrained weights."""
    from neurid_fingerprint.components import draw_state

    return draw_state(read_config(Sizes, config, OWNER).codes, seed)


PLUGIN = EncoderPlugin(
    spec=EncoderSpec(
        name="fingerprint",
        version="1",
        summary="Waveform, intervals and autocorrelograms of each unit, reduced by linear networks; "
        "needs trained weights",
        citation="inputs as in Petersen et al. 2021 (CellExplorer), Beau et al. 2025 (C4) and Yu et al. 2025 (NEMO)",
        contract=CONTRACT,
        accepts=frozenset({"spikes"}),
        min_observed_s=10.0,  # the longest lag of its autocorrelogram
    ),
    build=build,
    presets={"small": {"waveform": 12, "lags": 20, "linear": 10, "intervals": 4, "conditional": 4}},
    initial_state=initial_state,
)
