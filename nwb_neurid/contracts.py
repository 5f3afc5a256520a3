"""The whole plugin contract: what an encoder or a reader is, needs and gives.

A plugin is a module with one value, `PLUGIN`, named by an entry point in the group `nwb_neurid.encoders` or
`nwb_neurid.readers`. Making that value imports no framework.

The contract is versioned by one number, `CONTRACT`. Within a number, fields and methods are only added, with a
default; any other change raises it, and a plugin written for another number is refused by name.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from nwb_neurid.errors import BrokenPlugin
from nwb_neurid.population import ACTIVITIES, Population
from nwb_neurid.results import Embeddings, Json

CONTRACT = 1
DEVICES = ("auto", "cpu", "cuda")

T = TypeVar("T")


@runtime_checkable
class Progress(Protocol):
    """Reports how far a loop has come. Called by encoders, readers and the simulation around their long loops."""

    def __call__(self, items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
        """Yield `items` unchanged. `total` is needed where they have no `len`."""
        ...


def silent(items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:  # noqa: ARG001
    """The progress that reports nothing."""
    return items


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """What an encoder is and needs. Cheap to make: no framework is imported for it.

    Parameters
    ----------
    name, version, summary, citation
        How it is called, its own version, one line for `nwb-neurid plugins`, and what to cite.
    contract
        The value of `CONTRACT` that it was written for.
    accepts
        The kinds of activity it takes, of "spikes", "dff", "fluorescence", "deconvolved".
    rate_hz
        Lowest and highest frame rate of traces that it takes; None for any.
    needs_positions
        Whether every unit must have a position.
    min_units, min_observed_s
        The smallest population, in units and in seconds of observed time.
    uses_covariates
        Whether it looks at behaviour and stimulus: they are read then, where the reader can.

    Raises
    ------
    BrokenPlugin
        If the spec cannot be used.
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

    def __post_init__(self) -> None:
        faults = [*_faults(self), *_faults_of_set("accepts", self.accepts, ACTIVITIES, least=1)]
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
    """A built encoder: weights loaded, device chosen. Used by `nwb_neurid.model`."""

    @property
    def config(self) -> Mapping[str, Json]:
        """What rebuilds it, together with `state`; JSON only."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, population: Population, *, progress: Progress = silent) -> Embeddings:
        """One vector per unit, in the order of `population`; NaN, with a reason, where there is none.

        Never called with excluded units. A population is what attention may look at: one group, unless the
        user pools the groups.
        """
        ...

    def state(self) -> Mapping[str, np.ndarray]:
        """The weights, as they go into `weights.safetensors`; empty where there is nothing to learn."""
        ...


Config = Mapping[str, Json]
State = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderPlugin:
    """An encoder as a value: what it is, and how it is made.

    Parameters
    ----------
    spec
        What it is and needs.
    build
        Makes the encoder from config, state and device (one of `DEVICES`). Refuses a config or state that does not
        fit, with `InvalidModel` or `WrongWeights`.
    presets
        Named configs, the first of them the default.
    initial_state
        Untrained weights for a config and a seed; None where there is nothing to learn.
    narrowed
        The spec for a config, where what the encoder needs depends on its config; None where it does not.
    import_checkpoint
        Reads a checkpoint of the method's original code, with the user's settings, into config and state.

    Raises
    ------
    BrokenPlugin
        If there is no preset.
    """

    spec: EncoderSpec
    build: Callable[[Config, State, str], Encoder]
    presets: Mapping[str, Config] = field(default_factory=lambda: {"default": {}})
    initial_state: Callable[[Config, int], State] | None = None
    narrowed: Callable[[Config], EncoderSpec] | None = None
    import_checkpoint: Callable[[Path, Config], tuple[Config, State]] | None = None

    def __post_init__(self) -> None:
        if not self.presets:
            raise BrokenPlugin(f"Encoder {self.spec.name!r} must have a preset; an empty config makes one.")

    def spec_for(self, config: Config) -> EncoderSpec:
        """What an encoder of this config is and needs."""
        return self.spec if self.narrowed is None else self.narrowed(config)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a user may ask of a reader. A reader says in its spec which of these it knows; others are refused.

    `start_s`, `stop_s` and `duration_s` are no reader's business: they work for all.

    Parameters
    ----------
    keep_opto
        Keep optogenetic time and what follows it.
    part
        Which of several recordings in a source: its name or path in there.
    where
        Which units: a condition on their columns; the others stay as excluded rows.
    intervals
        Which time: a table of intervals, with a condition on its columns behind a colon.
    all_rois
        Take all ROIs, whatever the segmentation's classifier says of them.
    activity
        Which activity of several: "spikes", "dff", "fluorescence" or "deconvolved".
    rate_hz
        Sampling or frame rate, where the source does not tell it.
    covariates
        Read behaviour and stimulus too.
    start_s, stop_s
        Only this stretch of the session clock, in seconds.
    duration_s
        Only the first so many seconds of observed time in there; a recording with less stays as it is.
    """

    keep_opto: bool = False
    part: str = ""
    where: str = ""
    intervals: str = ""
    all_rois: bool = False
    activity: str = ""
    rate_hz: float | None = None
    covariates: bool = False
    start_s: float | None = None
    stop_s: float | None = None
    duration_s: float | None = None


def is_url(source: object) -> bool:
    """Whether a source is a URL. It is no path: only a reader that knows its scheme can tell what is there."""
    return isinstance(source, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSpec:
    """What a reader is.

    Parameters
    ----------
    name, version, summary
        How it is called, its own version, one line for `nwb-neurid plugins`.
    contract
        The value of `CONTRACT` that it was written for.
    options
        The fields of `ReadOptions` that it knows.

    Raises
    ------
    BrokenPlugin
        If the spec cannot be used.
    """

    name: str
    version: str
    summary: str
    contract: int
    options: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        known = {option.name for option in fields(ReadOptions)} - {"start_s", "stop_s", "duration_s"}
        if faults := [*_faults(self), *_faults_of_set("options", self.options, known, least=0)]:
            raise BrokenPlugin("\n  - ".join([f"The spec of reader {self.name!r} cannot be used:", *faults]))


def _faults(spec: EncoderSpec | ReaderSpec) -> Iterator[str]:
    """What is wrong with the fields that both kinds have."""
    for name in ("name", "version", "summary"):
        if not isinstance(value := getattr(spec, name), str):
            yield f"{name} must be text, got {value!r}"
    if type(spec.contract) is not int:
        yield f"contract must be a whole number (this is version {CONTRACT}), got {spec.contract!r}"


def _faults_of_set(name: str, value: object, known: Set[str], *, least: int) -> Iterator[str]:
    if not isinstance(value, frozenset) or len(value) < least or not value <= known:
        given = sorted(value) if isinstance(value, Set) else value
        yield f"{name} must be a frozenset with {'some of ' if least else ''}{sorted(known)}, got {given!r}"


def _ascend(rate_hz: object) -> bool:
    """Whether these are two positive numbers, the lower one first."""
    if not isinstance(rate_hz, tuple) or len(rate_hz) != 2 or not {type(rate) for rate in rate_hz} <= {int, float}:
        return False
    return bool(0 < rate_hz[0] <= rate_hz[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPlugin:
    """A reader as a value.

    Parameters
    ----------
    spec
        What it is.
    recognises
        Whether the source (a path, a URL, or an object) is of its format, told cheaply (by the name or the first
        bytes, nothing fetched) and without raising.
    read
        Makes a `Population` of it, or raises one of `nwb_neurid.errors`.
    """

    spec: ReaderSpec
    recognises: Callable[[object], bool]
    read: Callable[[object, ReadOptions], Population]
