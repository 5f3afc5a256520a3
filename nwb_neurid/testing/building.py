"""The plugin under test, its encoder, and populations to embed."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from nwb_neurid.contracts import Config, Encoder, EncoderPlugin, EncoderSpec
from nwb_neurid.population import Population
from nwb_neurid.testing.populations import mock_population


class EncoderKit:
    """The plugin of a subclass, and the encoders and populations that are made for its tests.

    Parameters
    ----------
    plugin
        The plugin that is tested.
    preset
        Name of a preset of the plugin; "" for its first preset.
    module
        The module of the plugin; "" for the module of its `build`.
    tolerance
        Largest absolute and relative difference between vectors that should be equal except for rounding.
    """

    plugin: ClassVar[EncoderPlugin]
    preset: ClassVar[str] = ""
    module: ClassVar[str] = ""
    tolerance: ClassVar[float] = 1e-4

    @property
    def config(self) -> Config:
        """Config of the preset."""
        return self.plugin.presets[self.preset or next(iter(self.plugin.presets))]

    @property
    def spec(self) -> EncoderSpec:
        """The spec of an encoder with this config."""
        return self.plugin.spec_for(self.config)

    @property
    def duration_s(self) -> float:
        """An observed time that is long enough to be split in two, in seconds."""
        return max(60.0, 4 * self.spec.min_observed_s + 1)

    @property
    def training_s(self) -> float:
        """An observed time in seconds that is long enough for training, which may need longer windows."""
        return max(120.0, 4 * self.spec.min_observed_s + 1)

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `mock_population` for a population that the spec accepts."""
        kind = "spikes" if "spikes" in self.spec.accepts else min(self.spec.accepts)
        rate_hz = sorted(self.list_rates(kind))[-1]
        return {
            "kind": kind,
            "units": max(8, self.spec.min_units + 3),
            "duration_s": self.duration_s,
            "rate_hz": rate_hz,
        }

    def list_rates(self, kind: str) -> list[float]:
        """List common frame rates that the spec accepts."""
        low, high = self.spec.rate_hz or (0.0, np.inf)
        common = [rate for rate in (5.0, 30.0) if low <= rate <= high]
        return [30.0] if kind == "spikes" else common or [float(low)]

    def make(self, **parts: Any) -> Population:
        """Make a population that the spec accepts, with these arguments of `mock_population`."""
        return mock_population(**{**self.arguments, **parts})

    made = make
    """The former name of `make`, from nwb-neurid 0.1."""

    def draw_state(self) -> Mapping[str, np.ndarray]:
        """Draw untrained weights, as new arrays each time."""
        first = self.plugin.initial_state
        return {} if first is None else {name: np.array(value) for name, value in first(self.config, 0).items()}

    def build(self) -> Encoder:
        """Build the encoder, on the CPU, with untrained weights."""
        return self.plugin.build(self.config, self.draw_state(), "cpu")

    @property
    def plugin_module(self) -> str:
        """Name of the module of the plugin."""
        return self.module or self.plugin.build.__module__
