"""Memory goes back to the system."""

import ctypes
import sys

import numpy as np
import pytest
import torch

from nwb_neurid.errors import CannotTrain, OutOfMemory
from nwb_neurid.training.memory import TOKENS, explain_lack, give_back, most_tokens, to_device


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


ON_A_GPU = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 GiB of which 1.00 GiB is "
    "free. Process 1 has 14.77 GiB memory in use. 8.00 GiB allowed; "
    "Of the allocated memory 14 GiB is allocated by PyTorch, and so on."
)


def test_a_lack_of_memory_on_a_gpu_says_what_to_do(monkeypatch):
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    with pytest.raises(OutOfMemory) as caught, explain_lack("embed a.nwb", torch.device("cuda")):
        raise torch.OutOfMemoryError(ON_A_GPU)
    assert str(caught.value) == (
        "There is too little memory to embed a.nwb: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total "
        "capacity of 15.77 GiB of which 1.00 GiB is free. Process 1 has 14.77 GiB memory in use. 8.00 GiB allowed. "
        "Take fewer units (--where), one group at a time (without --pool-groups) or a smaller preset; "
        "end other programs that use the GPU (nvidia-smi lists them); or compute on the CPU (--device cpu)."
    )
    assert emptied == [True]


@pytest.mark.parametrize(
    ("fail", "lack"),
    [
        (lambda: torch.empty(2**50), r"can't allocate memory: you tried to allocate .*"),
        (lambda: np.empty(2**50), r"Unable to allocate 8\.00 PiB .*"),
        (lambda: bytes(2**60), "it ran out"),
    ],
)
def test_a_lack_of_memory_on_a_cpu_says_what_to_do(fail, lack):
    message = rf"^There is too little memory to train: {lack}\. Take fewer units .* or a smaller preset\.$"
    with pytest.raises(OutOfMemory, match=message), explain_lack("train", torch.device("cpu")):
        fail()


@pytest.mark.parametrize("error", [RuntimeError("size mismatch"), CannotTrain(["no recording"]), OutOfMemory("known")])
def test_other_errors_pass_as_they_are(error):
    with pytest.raises(type(error)) as caught, explain_lack("train", torch.device("cpu")):
        raise error
    assert caught.value is error
