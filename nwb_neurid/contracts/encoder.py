"""The interface of an encoder."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from nwb_neurid.contracts.progress import Progress, silent
from nwb_neurid.contracts.spec import list_faults, list_set_faults
from nwb_neurid.errors import BrokenPlugin
from nwb_neurid.population import ACTIVITIES, Population
from nwb_neurid.results import Embeddings, Json

DEVICES = ("auto", "cpu", "cuda")
DEFAULTS = frozenset({"baseline", "training"})
"""Uses for which an encoder can be the default."""


def _ascend(rate_hz: object) -> bool:
    """Return whether these are two positive numbers in ascending order."""
    if not isinstance(rate_hz, tuple) or len(rate_hz) != 2 or not {type(rate) for rate in rate_hz} <= {int, float}:
        return False
    return bool(0 < rate_hz[0] <= rate_hz[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """Description of an encoder and of its requirements. It is made without importing a framework such as PyTorch.

    Parameters
    ----------
    name, version, summary, citation
        Name and version of the encoder, a one-line summary for `nwb-neurid plugins`, and the publication to cite.
    contract
        The value of `CONTRACT` for which the encoder was written.
    accepts
        The kinds of activity that the encoder accepts: "spikes", "dff", "fluorescence", "deconvolved". Fluorescence
        and deconvolved activity are converted to dF/F if the encoder accepts "dff", but not the original kind of
        activity.
    rate_hz
        Lowest and highest frame rate of traces that the encoder accepts, in Hz; None for any frame rate.
    needs_positions
        Whether every unit must have a position.
    min_units, min_observed_s
        The smallest number of units, and the shortest observed time in seconds, that the encoder needs.
    uses_covariates
        Whether the encoder uses behaviour and stimulus. If so, readers that support this read behaviour and stimulus.
    default_for
        The uses for which this is the default encoder: "baseline" (an encoder without training, with which other
        encoders are compared) or "training". If several encoders claim the same use, the encoders of nwb-neurid
        itself take precedence.

    Raises
    ------
    BrokenPlugin
        If the spec cannot be used. The message lists all faults.

    Examples
    --------
    >>> spec = EncoderSpec(
    ...     name="isi-histogram",
    ...     version="1",
    ...     summary="Histogram of inter-spike intervals",
    ...     contract=1,
    ...     accepts=frozenset({"spikes"}),
    ... )
    >>> spec.min_units
    1
    """

    name: str
    version: str
    summary: str
    contract: int
    accepts: frozenset[str]
    citation: str = ""
    rate_hz: tuple[float, float] | None = None
    needs_positions: bool = False
    min_units: int = 1
    min_observed_s: float = 0.0
    uses_covariates: bool = False
    default_for: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        faults = [*list_faults(self), *list_set_faults("accepts", self.accepts, ACTIVITIES, least=1)]
        faults += list_set_faults("default_for", self.default_for, DEFAULTS, least=0)
        if self.rate_hz is not None and not _ascend(self.rate_hz):
            faults.append(f"rate_hz must be None, or the lowest and the highest rate, got {self.rate_hz!r}")
        if type(self.min_units) is not int or self.min_units < 0:
            faults.append(f"min_units must be a whole number, got {self.min_units!r}")
        if type(self.min_observed_s) not in {int, float} or not 0 <= self.min_observed_s < math.inf:
            faults.append(f"min_observed_s must be a number of seconds, got {self.min_observed_s!r}")
        if faults:
            raise BrokenPlugin("\n  - ".join([f"The spec of encoder {self.name!r} cannot be used:", *faults]))


@runtime_checkable
class Encoder(Protocol):
    """An encoder with loaded weights, on a device. `nwb_neurid.Model` uses this interface."""

    @property
    def config(self) -> Mapping[str, Json]:
        """Settings from which the encoder can be rebuilt, together with `state`. They contain only JSON values."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """Compute one vector per unit. `nwb_neurid.Model.embed` calls this method.

        Parameters
        ----------
        population
            One group of units (probe, imaging plane), or the units of all groups if the user pools them. The
            population contains no excluded units, and its kind of activity is accepted by the spec.
        progress
            Wrapper for the long loop: `for item in progress(items, label="embedding", total=len(items))`.

        Returns
        -------
        Embeddings
            One row per unit, in the order of `population`. A unit without a vector has NaN and a reason.
        """
        ...

    def state(self) -> Mapping[str, np.ndarray]:
        """Return the weights.

        Returns
        -------
        mapping of str to array
            The arrays to be saved in `weights.safetensors`; empty if the encoder does not learn.
        """
        ...


Config = Mapping[str, Json]
State = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderPlugin:
    """A plugin that provides an encoder. It consists of a description of the encoder and functions that make it.

    Parameters
    ----------
    spec
        Description of the encoder and of its requirements.
    build
        Function that makes the encoder from config, state and device (one of `DEVICES`). It raises `InvalidModel` if
        the config does not fit, and `WrongWeights` if the state does not fit.
    presets
        Configs by name. The first config is the default.
    initial_state
        Function that returns untrained weights for a config and a seed; None if the encoder does not learn.
    narrowed
        The former name of `spec_for_config`, from nwb-neurid 0.1. Plugins that use this name still work.
    import_checkpoint
        Function that makes a config and a state from a checkpoint that the original code of the method saved. The
        settings that a user gives are its second argument.
    spec_for_config
        Function that returns the spec of an encoder with a given config. It is None if the requirements do not depend
        on the config. The returned spec must have the same name and version as `spec`, and must not accept further
        kinds of activity.

    Raises
    ------
    BrokenPlugin
        If there is no preset, or both `spec_for_config` and `narrowed` are given.

    Examples
    --------
    The module of a plugin contains one such value, `PLUGIN`. An entry point refers to it:

    >>> from neurid_isi import PLUGIN
    >>> PLUGIN.spec.name, list(PLUGIN.presets)
    ('isi', ['default'])
    >>> encoder = PLUGIN.build({}, {}, "cpu")
    >>> encoder.dim
    53
    """

    spec: EncoderSpec
    build: Callable[[Config, State, str], Encoder]
    presets: Mapping[str, Config] = field(default_factory=lambda: {"default": {}})
    initial_state: Callable[[Config, int], State] | None = None
    narrowed: Callable[[Config], EncoderSpec] | None = None
    import_checkpoint: Callable[[Path, Config], tuple[Config, State]] | None = None
    spec_for_config: Callable[[Config], EncoderSpec] | None = None

    def __post_init__(self) -> None:
        if not self.presets:
            raise BrokenPlugin(f"Encoder {self.spec.name!r} must have at least one preset; an empty config is enough.")
        if self.narrowed is not None and self.spec_for_config is not None:
            raise BrokenPlugin(
                f"Encoder {self.spec.name!r} must define spec_for_config or narrowed (its name in 0.1), not both."
            )

    def spec_for(self, config: Config) -> EncoderSpec:
        """Return the spec of an encoder with this config.

        Parameters
        ----------
        config
            Settings of the encoder, such as those of a preset.

        Returns
        -------
        EncoderSpec
            What `spec_for_config` returns for this config, or the spec of the plugin if it has no such function.
        """
        narrow = self.spec_for_config or self.narrowed
        return self.spec if narrow is None else narrow(config)
