"""Memory goes back to the system."""

import ctypes
import sys

import numpy as np
import pytest
import torch

from nwb_neurid.training.memory import TOKENS, give_back, most_tokens, to_device


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is on Linux")
def test_it_asks_glibc(monkeypatch):
    asked = []

    class Library:
        def malloc_trim(self, kept):
            asked.append(kept)

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library())
    give_back()
    assert asked == [0]


def test_a_library_without_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    give_back()


def test_a_gpu_gets_as_many_tokens_as_its_memory_holds(monkeypatch):
    class Card:
        total_memory = 80 * 2**30

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Card())
    assert most_tokens(torch.device("cuda")) == 81_920
    Card.total_memory = 2**30
    assert most_tokens(torch.device("cuda")) == most_tokens(torch.device("cpu")) == TOKENS


def test_an_array_comes_to_the_device_as_it_is():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert torch.equal(to_device(array, torch.device("cpu")), torch.arange(6, dtype=torch.uint8).view(2, 3))
    assert to_device(array, torch.device("meta")).shape == (2, 3)
