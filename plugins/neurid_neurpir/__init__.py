"""NeurPIR: an encoder that is trained with VICReg to give the same vector for all segments of a neuron."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from neurid_neurpir.config import NetworkConfig
from neurid_neurpir.surroundings import ROLES
from nwb_neurid.contracts import CONTRACT, Config, EncoderPlugin, EncoderSpec, State

if TYPE_CHECKING:
    from neurid_neurpir.encoder import CebraFirst
    from nwb_neurid.training import TorchEncoder

SPEC = EncoderSpec(
    name="neurpir",
    version="1",
    summary="NeurPIR: MLP on the activity of a neuron, its population and behaviour, with VICReg; "
    "needs trained weights",
    citation="Neuron Platonic Intrinsic Representation From Dynamics Using Contrastive Learning, ICLR 2025, "
    "arXiv 2502.10425",
    contract=CONTRACT,
    accepts=frozenset({"spikes", "dff"}),
    rate_hz=(0.5, 1000.0),
    uses_covariates=True,
)
AROUND: Config = {"masked": 0.2, "behaviour": list(ROLES)}
SMALL: Config = {"hidden": 128, "layers": 1, "dim": 64, **AROUND}
BASE: Config = {"hidden": 512, "layers": 2, "dim": 256, **AROUND}
SPIKES: Config = {
    "activity": "spikes",
    "bin_s": 0.004,
    "token_bins": 25,
    "tokens": 100,
    "reach_s": 2.0,
    "most_hz": 3.0,
}
CALCIUM: Config = {"activity": "dff", "rate_hz": 5.0, "token_bins": 5, "tokens": 10, "reach_s": 5.0, "most_hz": 2.5}


def spec_for_config(config: Config) -> EncoderSpec:
    """Return the spec for a config: its kind of activity, and the length of a segment as the minimum observed time."""
    checked = NetworkConfig.from_json(config)
    segment_s = checked.token_bins * checked.tokens * checked.step_s
    return replace(
        SPEC,
        accepts=frozenset({checked.activity}),
        min_observed_s=segment_s,
        uses_covariates=bool(checked.behaviour),
    )


def build(config: Config, state: State, device: str) -> "TorchEncoder | CebraFirst":
    """Build the network with its weights. It embeds consecutive segments, and averages before the projector."""
    from neurid_neurpir.encoder import CebraFirst
    from neurid_neurpir.network import Network
    from neurid_neurpir.surroundings import make_context
    from neurid_neurpir.training import RECIPE
    from nwb_neurid.training import TorchEncoder, WindowOptions, with_weights

    checked = NetworkConfig.from_json(config)
    options = WindowOptions(
        bin_s=checked.step_s,
        token_bins=checked.token_bins,
        tokens=checked.tokens,
        scale_quantile=0.99 if checked.activity == "dff" else None,
    )
    network = with_weights(lambda: Network(checked), state, owner="the NeurPIR network")
    beside = partial(make_context, roles=checked.behaviour) if checked.behaviour else None
    encoder = TorchEncoder(
        network, config=config, dim=checked.dim, options=options, device=device, recipe=RECIPE, context=beside
    )
    return encoder if network.latents is None else CebraFirst(encoder, network.latents, checked)


def initial_state(config: Config, seed: int) -> State:
    """Draw untrained weights."""
    from neurid_neurpir.network import Network
    from nwb_neurid.training import draw_weights

    checked = NetworkConfig.from_json(config)
    return draw_weights(lambda: Network(checked), seed)


PLUGIN = EncoderPlugin(
    spec=SPEC,
    build=build,
    presets={
        "small": {**SPIKES, **SMALL},
        "base": {**SPIKES, **BASE},
        "small-calcium": {**CALCIUM, **SMALL},
        "base-calcium": {**CALCIUM, **BASE},
        "small-cebra": {**SPIKES, **SMALL, "cebra": 3},
        "base-cebra": {**SPIKES, **BASE, "cebra": 8},
        "small-calcium-cebra": {**CALCIUM, **SMALL, "cebra": 3},
        "base-calcium-cebra": {**CALCIUM, **BASE, "cebra": 8},
    },
    initial_state=initial_state,
    spec_for_config=spec_for_config,
)
