"""Weights of a torch module, as arrays: checked against it, given to it, drawn for it."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from nwb_neurid.contracts import State
from nwb_neurid.errors import WrongWeights

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def with_weights(
    make: Callable[[], AnyModule], state: State, *, owner: str, origin: str = "The weights", device: str = "cpu"
) -> AnyModule:
    """The module with these weights, ready to embed.

    Parameters
    ----------
    make
        Makes the module; called where nothing is drawn and nothing is stored.
    state
        Its weights by the names that `state_dict` gives them.
    owner, origin
        What the module is, and where the weights come from, for the message.
    device
        Where the module is to live.

    Raises
    ------
    WrongWeights
        If weights are missing, unexpected, of another shape or not finite; all of them are listed.
    """
    with torch.device("meta"):
        module = make()
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    faults = [f"missing {name}, shape {wanted[name]}" for name in sorted(wanted.keys() - state.keys())]
    faults += [f"unexpected {name}" for name in sorted(state.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & state.keys()):
        if state[name].shape != wanted[name]:
            faults.append(f"{name} has shape {state[name].shape}, the network wants {wanted[name]}")
        elif not np.isfinite(state[name]).all():
            faults.append(f"{name} holds numbers that are not finite")
    if faults:
        raise WrongWeights("\n  - ".join([f"{origin} do not fit {owner}:", *faults]))
    tensors = {name: torch.tensor(array, dtype=torch.float32, device=device) for name, array in state.items()}
    module.load_state_dict(tensors, assign=True)
    return module.eval()


def draw_weights(make: Callable[[], nn.Module], seed: int) -> dict[str, np.ndarray]:
    """Untrained weights; the same for the same module and seed, and no other random numbers are touched."""
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs
        module = make()
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
