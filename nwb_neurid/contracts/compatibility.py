"""Checks whether an encoder can embed a population. Each check lists the problems that it finds."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from nwb_neurid.contracts.encoder import EncoderSpec
from nwb_neurid.dff import convert_to_dff
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Population, Traces

Check: TypeAlias = Callable[[Population, EncoderSpec], Iterator[str]]


CONVERTIBLE = frozenset({"fluorescence", "deconvolved"})
"""Kinds of activity that are converted to dF/F if an encoder accepts only dF/F (see `nwb_neurid.dff`)."""


def takes_activity(spec: EncoderSpec, kind: str) -> bool:
    """Whether an encoder accepts a kind of activity, as it is or after conversion to dF/F."""
    return kind in spec.accepts or (kind in CONVERTIBLE and "dff" in spec.accepts)


def convert_activity(population: Population, spec: EncoderSpec) -> Population:
    """Convert the activity of a population to dF/F, if the encoder accepts dF/F and does not accept this activity."""
    kind = population.activity.kind
    return convert_to_dff(population) if kind not in spec.accepts and takes_activity(spec, kind) else population


def check_activity(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """Check that the encoder accepts this kind of activity."""
    kind = population.activity.kind
    if not takes_activity(spec, kind):
        yield f"it takes {' or '.join(sorted(spec.accepts))}, the recording has {kind}"


def check_rate(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """Check that the encoder accepts traces of this frame rate."""
    if spec.rate_hz is not None and isinstance(population.activity, Traces):
        low, high = spec.rate_hz
        rate = population.activity.rate_hz
        if not low <= rate <= high:
            yield f"it takes frame rates of {low:g} to {high:g} Hz, the recording has {rate:g} Hz"


def check_duration(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """Check that enough time was observed."""
    if population.duration_s < spec.min_observed_s - EDGE_S:
        yield f"it needs {spec.min_observed_s:g} s of observed time, the recording has {population.duration_s:g} s"


def check_units(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """Check that there are enough units. Excluded units are not counted."""
    units = len(population) - len(population.excluded)
    if units < spec.min_units:
        yield f"it needs {spec.min_units} unit{'s' if spec.min_units > 1 else ''}, the recording has {units}"


def check_positions(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """Check that positions are known, if the encoder needs them."""
    if not spec.needs_positions:
        return
    if population.positions_um is None:
        yield "it needs unit positions, the recording has none"
        return
    unknown = np.flatnonzero(np.isnan(population.positions_um).any(axis=1)).tolist()
    if missing := len(set(unknown) - population.excluded.keys()):
        yield f"it needs unit positions, {missing} of {len(population)} units have none"


CHECKS: tuple[Check, ...] = (check_activity, check_rate, check_duration, check_units, check_positions)


def list_problems(population: Population, spec: EncoderSpec) -> list[str]:
    """List all reasons why an encoder with this spec cannot embed the population; empty if it can."""
    return [problem for check in CHECKS for problem in check(population, spec)]
