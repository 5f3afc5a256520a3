"""Tests on a GPU, for `make gpu`. With NWB_NEURID_REHEARSE=1 they run on a CPU, along a GPU's ways through the code."""

import os
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for the modules beside this one


def pytest_configure(config):
    """The marker is known without the project's own settings, too."""
    config.addinivalue_line("markers", "gpu: needs a CUDA device")


def pytest_collection_modifyitems(config, items):
    """Without a GPU, and where shapes are checked, which torch cannot compile, these tests are left to `make gpu`."""
    checked = config.getoption("jaxtyping_packages", default=None)
    if not checked and (torch.cuda.is_available() or os.environ.get("NWB_NEURID_REHEARSE")):
        return
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a GPU: make gpu"))


@pytest.fixture(scope="session")
def device():
    """The GPU, or the CPU in its place."""
    from _device import Device

    return Device()


@pytest.fixture(autouse=True)
def full_precision():
    """No matrix product or convolution rounds what it multiplies to TF32."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
