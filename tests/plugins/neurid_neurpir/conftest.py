"""What tests of NeurPIR's training have in common."""

import pytest
import torch

from nwb_neurid.simulate import simulate


@pytest.fixture
def two_threads():
    """What only one thread computes in one order would not be noticed otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def populations():
    return [simulate(12, 40.0, 0, regions=2, animal=animal).population() for animal in range(2)]
