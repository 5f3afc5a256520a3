"""Animals whose neurons of two types differ in rate."""

from collections.abc import Callable

import numpy as np
import pytest

from nwb_neurid.labels.classifier import STRENGTHS
from nwb_neurid.population import Population, Spikes

RATES_HZ = {"fast": 30.0, "slow": 5.0}


def animal(number: int, units: int = 8, *, duration_s: float = 8.0, types: tuple[str, ...] = ("fast", "slow"), **parts):
    """A recording of one animal; its types take turns."""
    rng = np.random.default_rng(number)
    labels = np.array([types[unit % len(types)] for unit in range(units)])
    trains = [np.sort(rng.uniform(0, duration_s, rng.poisson(RATES_HZ[name] * duration_s))) for name in labels]
    given = {
        "unit_ids": np.arange(units),
        "activity": Spikes.of(trains),
        "observed_s": np.array([[0.0, duration_s]]),
        "labels": {"cell_type": labels},
        "subject_id": f"mouse{number}",
        "session_id": f"day{number}",
        "source": f"mouse{number}.nwb",
    }
    return Population(**{**given, **parts})


@pytest.fixture(scope="module", autouse=True)
def _one_strength():
    """How the regularisation is chosen is tested with the heads; here it would cost most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STRENGTHS, "linear", (0.1,))
        yield


@pytest.fixture(scope="session")
def make_animal() -> Callable[..., Population]:
    """One animal, see `animal`."""
    return animal


@pytest.fixture(scope="session")
def animals() -> list[Population]:
    """Four animals."""
    return [animal(number) for number in range(4)]
