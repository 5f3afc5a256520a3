"""The processes that torchrun starts; what they compute together is tested with the loop."""

import pytest
import torch

from nwb_neurid.errors import InvalidOption
from nwb_neurid.training.processes import join_processes


def test_one_process_is_the_first(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with join_processes("auto") as first:
        assert first


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    expected = (
        r"more processes than this node has GPUs \(1\)\. Start one for each \(--nproc-per-node 1\), or .*--device cpu"
    )
    with pytest.raises(InvalidOption, match=expected), join_processes("auto"):
        pass
