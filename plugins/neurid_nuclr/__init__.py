"""NuCLR: a transformer over time and population, trained to distinguish each neuron from the neurons around it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from neurid_nuclr.checkpoint import load_network, read_checkpoint
from neurid_nuclr.config import FRAME_S, NetworkConfig
from nwb_neurid.contracts import CONTRACT, Config, EncoderPlugin, EncoderSpec, State

if TYPE_CHECKING:
    from nwb_neurid.training import TorchEncoder

SPEC = EncoderSpec(
    name="nuclr",
    version="1",
    summary="NuCLR: transformer over time and population, with a contrastive loss; needs trained weights",
    citation="Know Thyself by Knowing Others: Learning Neuron Identity from Population Context, NeurIPS 2025, "
    "arXiv 2512.01199",
    contract=CONTRACT,
    accepts=frozenset({"spikes", "dff"}),
    rate_hz=(0.5, 1000.0),
    default_for=frozenset({"training"}),
)
SHORTEST_S = 10.0
"""Minimum duration of an imaging recording in seconds. If it is shorter than a window, it is embedded in one shorter
window.
"""

DEPTH: Config = {"temporal_blocks": 2, "spatiotemporal_blocks": 2}
SMALL: Config = {"dim": 64, "heads": 4, "dim_head": 16, "dropout": 0.0, **DEPTH}
BASE: Config = {"dim": 256, "heads": 4, "dim_head": 64, "dropout": 0.2, **DEPTH}
SPIKES: Config = {"activity": "spikes", "bin_s": 0.02, "patch": 50, "tokens": 10}
HALVES: Config = {**SPIKES, "patch": 25, "tokens": 20}
CALCIUM: Config = {"activity": "dff", "rate_hz": 1 / FRAME_S, "patch": 4, "tokens": 32}


def spec_for_config(config: Config) -> EncoderSpec:
    """Return the spec for a config, with its kind of activity and the minimum observed time.

    The minimum is one window. For imaging, it is at most `SHORTEST_S`.
    """
    checked = NetworkConfig.from_json(config)
    window_s = checked.patch * checked.tokens * checked.step_s
    least_s = window_s if checked.activity == "spikes" else min(window_s, SHORTEST_S)
    return replace(SPEC, accepts=frozenset({checked.activity}), min_observed_s=least_s)


def build(config: Config, state: State, device: str) -> "TorchEncoder":
    """Build the network with its weights.

    As in the paper, windows are consecutive, and averaged before the projector.
    """
    from neurid_nuclr.training import choose_recipe
    from nwb_neurid.training import TorchEncoder, WindowOptions

    checked = NetworkConfig.from_json(config)
    options = WindowOptions(
        bin_s=checked.step_s,
        token_bins=checked.patch,
        tokens=checked.tokens,
        scale_quantile=None if checked.activity == "spikes" else 0.99,
        fewest_tokens=None if checked.activity == "spikes" else _count_fewest(checked),
    )
    network = load_network(config, state)
    return TorchEncoder(
        network, config=config, dim=checked.dim, options=options, device=device, recipe=choose_recipe(checked)
    )


def _count_fewest(config: NetworkConfig) -> int:
    """Return the number of tokens of the shortest imaging recording.

    Up to a quarter may be lost to incomplete frames and tokens.
    """
    return max(1, min(config.tokens, int(0.75 * SHORTEST_S / (config.patch * config.step_s))))


def initial_state(config: Config, seed: int) -> State:
    """Draw untrained weights."""
    from neurid_nuclr.network import Network
    from nwb_neurid.training import draw_weights

    checked = NetworkConfig.from_json(config)
    return draw_weights(lambda: Network(checked), seed)


PLUGIN = EncoderPlugin(
    spec=SPEC,
    build=build,
    presets={
        "base": {**SPIKES, **BASE},
        "small": {**HALVES, **SMALL},
        "base-calcium": {**CALCIUM, **BASE},
        "small-calcium": {**CALCIUM, **SMALL},
    },
    initial_state=initial_state,
    spec_for_config=spec_for_config,
    import_checkpoint=read_checkpoint,
)
