"""Animals whose neurons of two types differ in rate."""

from collections.abc import Callable

import pytest

from nwb_neurid.labels.classifier import STRENGTHS
from nwb_neurid.population import Population


@pytest.fixture(scope="module", autouse=True)
def _one_strength():
    """How the regularisation is chosen is tested with the heads; here it would cost most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(STRENGTHS, "linear", (0.1,))
        yield


@pytest.fixture(scope="session")
def animals(make_animal: Callable[..., Population]) -> list[Population]:
    """Four animals."""
    return [make_animal(number) for number in range(4)]
