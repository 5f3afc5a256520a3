"""The encoders that compute with PyTorch, on a device."""

import numpy as np
from torch import nn

from nwb_neurid import registry
from nwb_neurid.contracts import Encoder, EncoderPlugin

SCALE = 0.1


def list_presets() -> list[tuple[str, str]]:
    """Every installed encoder that computes with PyTorch, with each of its presets."""
    found = []
    for name in registry.encoders():
        plugin = load_plugin(name)
        first = next(iter(plugin.presets))
        if plugin.initial_state is not None and find_network(build_encoder(name, first, "cpu")) is not None:
            found += [(name, preset) for preset in plugin.presets]
    return found


def load_plugin(name: str) -> EncoderPlugin:
    """The plugin of an encoder."""
    return registry.encoders().load(name)


def build_encoder(name: str, preset: str, device: str, seed: int = 0) -> Encoder:
    """An encoder with random weights in which no part is zero, as after a training, nor what it learnt from."""
    plugin = load_plugin(name)
    config = plugin.presets[preset]
    rng = np.random.default_rng(seed)
    state = {
        key: np.ones_like(value) if key.endswith("learnt") else perturb(rng, np.asarray(value), key)
        for key, value in plugin.initial_state(config, seed).items()
    }
    return plugin.build(config, state, device)


def perturb(rng: np.random.Generator, value: np.ndarray, key: str) -> np.ndarray:
    """The value and a little noise, except where it is no weight."""
    if "omega" in key:
        return value
    return (value + SCALE * max(float(value.std()), 0.1) * rng.normal(size=value.shape)).astype(value.dtype)


def find_network(encoder: Encoder) -> nn.Module | None:
    """The module of an encoder; None where it has none."""
    inner = getattr(encoder, "_encoder", encoder)
    parts = getattr(inner, "__dict__", {}).values()
    return next((part for part in parts if isinstance(part, nn.Module)), None)
