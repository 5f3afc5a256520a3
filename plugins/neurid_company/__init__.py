"""An encoder of the fine timing of a neuron and of its correlations with other neurons.

Its weights are computed in closed form.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from neurid_company.config import CompanyConfig
from nwb_neurid.contracts import CONTRACT, Config, EncoderPlugin, EncoderSpec, State

if TYPE_CHECKING:
    from neurid_company.encoder import CompanyEncoder

IMAGING = frozenset({"dff", "fluorescence", "deconvolved"})

SHORTEST_SPIKES_S, SHORTEST_IMAGING_S, SHORTEST_DFF_S = 10.0, 30.0, 10.0
"""Minimum observed time of a recording for spikes, for imaging, and for imaging with sizes in dF/F."""

SPEC = EncoderSpec(
    name="company",
    version="1",
    summary="Fine timing of each unit, and correlations of its activity with that of the other units",
    contract=CONTRACT,
    accepts=frozenset({"spikes", *IMAGING}),
    rate_hz=(0.5, 1000.0),
)


def spec_for_config(config: Config) -> EncoderSpec:
    """Return the requirements of an encoder with this config: its kind of activity and the minimum observed time."""
    settings = CompanyConfig.from_json(config)
    if settings.activity == "spikes":
        return replace(SPEC, accepts=frozenset({"spikes"}), min_observed_s=SHORTEST_SPIKES_S)
    if settings.sizes:
        return replace(SPEC, accepts=frozenset({"dff"}), min_observed_s=SHORTEST_DFF_S)
    return replace(SPEC, accepts=IMAGING, min_observed_s=SHORTEST_IMAGING_S)


def build(config: Config, state: State, device: str) -> "CompanyEncoder":  # noqa: ARG001 - NumPy has one device
    """Build the encoder with its weights."""
    from neurid_company.encoder import CompanyEncoder

    return CompanyEncoder(config, state)


def initial_state(config: Config, seed: int) -> State:
    """Draw untrained weights."""
    from neurid_company.encoder import draw_state

    return draw_state(CompanyConfig.from_json(config), seed)


WITHOUT_SIZES: Config = {
    "activity": "imaging",
    "own": 48,
    "company": 48,
    "rounds": 0,
    "relative": True,
    "sharpness": 0.75,
}

PLUGIN = EncoderPlugin(
    spec=SPEC,
    build=build,
    presets={
        "spikes": {"activity": "spikes", "own": 32, "company": 32, "neighbours": 40, "rounds": 2, "waveform": True},
        "spikes-transfer": {
            "activity": "spikes",
            "own": 32,
            "company": 32,
            "rounds": 0,
            "own_of_neighbours": 8,
            "waveform": True,
        },
        "imaging": WITHOUT_SIZES,
        "imaging-dff": {**WITHOUT_SIZES, "sizes": True},
    },
    initial_state=initial_state,
    spec_for_config=spec_for_config,
)
