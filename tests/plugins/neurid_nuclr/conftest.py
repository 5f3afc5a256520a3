"""A small network, for the tests of NuCLR's modules."""

import pytest
import torch

from neurid_nuclr import initial_state
from neurid_nuclr.checkpoint import load_network


@pytest.fixture(scope="module")
def one_thread():
    """Threads that wait for one another over tensors this small stall on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small():
    """The config of a small network, with dropout."""
    return {
        "activity": "spikes",
        "bin_s": 0.02,
        "patch": 5,
        "tokens": 4,
        "dim": 16,
        "heads": 2,
        "dim_head": 8,
        "temporal_blocks": 1,
        "spatiotemporal_blocks": 2,
        "dropout": 0.2,
    }


@pytest.fixture(scope="module")
def network(small):
    """An untrained network whose biases and norms are not trivial either."""
    network = load_network(small, initial_state(small, 0))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network
