"""Memory: the amount that is computed at a time, copies to a device, and freeing of memory."""

import ctypes
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from nwb_neurid.errors import NeuridError, OutOfMemory

EVERY_STEPS = 10
"""Number of steps between two returns of freed memory. In these steps, memory grows by some tens of MB."""

TOKENS = 16_384
"""Number of tokens that are computed at a time on a CPU. More tokens are not faster, and need more memory."""

BYTES_PER_TOKEN = 2**20
"""GPU memory for each token of a view. Training NuCLR `base` in float32 should then use about half of the GPU's."""

RECORDINGS_SHARE = 0.4
"""Share of the free memory of a GPU that recordings may use. Training uses about half of the memory."""

PINNED_BYTES = 2**24
"""Arrays up to this size are copied through pinned memory. PyTorch never gives such memory back to the system."""

LACKS = ("out of memory", "DefaultCPUAllocator", "ALLOC_FAILED")
"""Texts in the messages of PyTorch that memory ran out: on a GPU, on a CPU, or in a CUDA library."""


def most_tokens(device: torch.device) -> int:
    """Return the number of tokens that are computed at a time. On a GPU, it is the number that fits into its memory."""
    if device.type != "cuda":
        return TOKENS
    return max(TOKENS, torch.cuda.get_device_properties(device).total_memory // BYTES_PER_TOKEN)


def find_room(device: torch.device) -> float:
    """Return how many bytes of recordings may be kept on a device: a share of the free memory of a GPU, or no limit."""
    if device.type != "cuda":
        return math.inf
    return RECORDINGS_SHARE * torch.cuda.mem_get_info(device)[0]


def to_device(array: Shaped[np.ndarray, "..."], device: torch.device) -> Shaped[Tensor, "..."]:
    """Copy an array to a device. A small array is copied without waiting for running computations of a GPU."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda" and array.nbytes <= PINNED_BYTES:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


@contextmanager
def explain_lack(doing: str, device: torch.device) -> Iterator[None]:
    """Wrap a computation on a device. If memory runs out, a message explains it; unused GPU memory is freed afterwards.

    Parameters
    ----------
    doing
        Verb phrase for the message, such as "embed a.nwb".
    device
        The device of the computation.

    Raises
    ------
    OutOfMemory
        If the device has too little memory for the computation.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, NeuridError) or not (lack := _lack(error)):
            raise
        advice = "fewer units (--where), one group at a time (without --pool-groups) or a smaller preset"
        if device.type == "cuda":
            advice += (
                "; end other programs that use the GPU (nvidia-smi lists them); or compute on the CPU (--device cpu)"
            )
        raise OutOfMemory(f"There is too little memory to {doing}: {lack}. Take {advice}.") from error
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()


def _lack(error: Exception) -> str:
    """Return the message of PyTorch or NumPy about the lack of memory; "" for another error."""
    text = str(error).partition(" Of the allocated memory")[0].rpartition("DefaultCPUAllocator: ")[2]
    lacks = isinstance(error, MemoryError) or any(word in str(error) for word in LACKS)
    return (text.splitlines() or ["it ran out"])[0].rstrip(".;") if lacks else ""


def give_back() -> None:
    """Let glibc return freed memory to the system.

    Windows and recordings of many sizes leave free blocks of many sizes in the heap of glibc. Without this call, a
    training that needs 400 MB was observed to occupy 9 GB. The function has an effect only on Linux with glibc.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
