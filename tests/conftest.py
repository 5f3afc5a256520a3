"""What every test may use: made populations, where recorded data lies, and how Hypothesis searches."""

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING

import jaxtyping
import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

if TYPE_CHECKING:
    from commands import Commands

    from nwb_neurid import Population

ROOT = Path(__file__).parents[1]


def skip_functions_without_arrays(jaxtyped: Callable[..., Callable]) -> Callable[..., Callable]:
    """Make the decorator that checks shapes leave out functions whose annotations have none.

    It takes longer than most small functions, which are called half a million times in the suite. Their types are
    checked by mypy.
    """

    def make_decorator(typechecker: Callable) -> Callable:
        check = jaxtyped(typechecker=typechecker)

        def decorate(made: object) -> object:
            bare = isinstance(made, FunctionType) and "jaxtyping." not in repr(made.__annotations__)
            return made if bare else check(made)

        return decorate

    return make_decorator


# Shapes in annotations are checked in every package of ours, before any of them is imported. `make gpu` leaves it out,
# since PyTorch cannot compile such code, and so does a machine that has PyTorch and no beartype.
if find_spec("beartype") is not None and "NWB_NEURID_UNCHECKED" not in os.environ:
    install_import_hook(
        ["nwb_neurid", *(path.parent.name for path in ROOT.glob("plugins/*/__init__.py"))], "beartype.beartype"
    )
    jaxtyping.jaxtyped = skip_functions_without_arrays(jaxtyping.jaxtyped)

gc.disable()  # until everything is imported and collected, little of which can be freed

settings.register_profile("suite", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("suite")


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of garbage collection, which takes longer than many a test."""
    gc.collect()
    gc.freeze()
    gc.enable()


def recorded(folder: str) -> Path:
    """A folder of recorded data, which lies beside the repository and not in it."""
    path = ROOT.parent / "shared" / folder
    if not path.is_dir():
        pytest.skip(f"recorded data not present: {path}")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings."""
    return recorded("data")


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """Small inputs that once failed."""
    return recorded("cases")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Numbers of the official implementations."""
    return recorded("golden")


@pytest.fixture(scope="session")
def commands() -> "Iterator[Commands]":
    """Runs `nwb-neurid` as a user does, but for the time that imports take; see `commands.py`."""
    spec = spec_from_file_location("commands", ROOT / "tests" / "commands.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.Commands()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def make_population() -> Callable[..., "Population"]:
    """Makes populations of Poisson neurons, see `poisson_population`."""
    return poisson_population


def poisson_population(
    seed: int = 0,
    units: int = 4,
    duration_s: float = 20.0,
    *,
    rate_hz: float = 10.0,
    start_s: float = 0.0,
    gaps: Sequence[tuple[float, float]] = (),
    absences: Mapping[int, Sequence[tuple[float, float]]] | None = None,
    sampling_hz: float = 30_000,
    **parts: object,
) -> "Population":
    """Poisson neurons on the clock of an amplifier, with spikes in unobserved time too, which must not count.

    `gaps` are when nothing was observed, `absences` when single units (by row) were not, in seconds from the start
    of the recording, which is at `start_s` of the session clock.
    """
    from nwb_neurid.population import Population, Spikes

    rng = np.random.default_rng(seed)
    absences = absences or {}
    changes = {0.0, duration_s, *np.ravel(gaps), *(edge for own in absences.values() for edge in np.ravel(own))}
    edges = np.array(sorted(float(edge) for edge in changes if 0 <= edge <= duration_s))
    pieces = np.column_stack([edges[:-1], edges[1:]])
    middles = pieces.mean(axis=1)

    def outside(spans: Sequence[tuple[float, float]]) -> np.ndarray:
        return ~np.any([(start < middles) & (middles < stop) for start, stop in [*spans, (0, 0)]], axis=0)

    seen = outside(gaps)
    observed = np.array([outside(absences.get(unit, ()))[seen] for unit in range(units)]).reshape(units, seen.sum())
    trains = []
    for _ in range(units):
        ticks = np.unique(rng.integers(0, int(duration_s * sampling_hz), rng.poisson(rate_hz * duration_s)))
        trains.append(ticks / sampling_hz + start_s)
    return Population(
        unit_ids=np.arange(units),
        activity=Spikes.of(trains),
        observed_s=pieces[seen] + start_s,
        unit_observed=observed if absences else None,
        **parts,
    )
