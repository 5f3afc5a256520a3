"""What stands between a population and an encoder, as data: each check is one thought."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from nwb_neurid.contracts.encoder import EncoderSpec
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Population, Traces

Check: TypeAlias = Callable[[Population, EncoderSpec], Iterator[str]]


def check_activity(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """The encoder takes this kind of activity."""
    kind = population.activity.kind
    if kind not in spec.accepts:
        yield f"it takes {' or '.join(sorted(spec.accepts))}, the recording has {kind}"


def check_rate(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """The encoder takes traces of this frame rate."""
    if spec.rate_hz is not None and isinstance(population.activity, Traces):
        low, high = spec.rate_hz
        rate = population.activity.rate_hz
        if not low <= rate <= high:
            yield f"it takes frame rates of {low:g} to {high:g} Hz, the recording has {rate:g} Hz"


def check_duration(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """Enough time was observed."""
    if population.duration_s < spec.min_observed_s - EDGE_S:
        yield f"it needs {spec.min_observed_s:g} s of observed time, the recording has {population.duration_s:g} s"


def check_units(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """There are enough units, without the excluded ones."""
    units = len(population) - len(population.excluded)
    if units < spec.min_units:
        yield f"it needs {spec.min_units} unit{'s' if spec.min_units > 1 else ''}, the recording has {units}"


def check_positions(population: Population, spec: EncoderSpec) -> Iterator[str]:
    """Positions are known where they are needed."""
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
    """Every reason why an encoder of this spec cannot embed the population; empty if it can."""
    return [problem for check in CHECKS for problem in check(population, spec)]
