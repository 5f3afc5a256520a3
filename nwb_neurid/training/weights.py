"""Weights of a torch module, as arrays: checked against it, given to it, drawn for it."""

import threading
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module

from nwb_neurid.contracts import State
from nwb_neurid.errors import WrongWeights

MARGIN = 10
"""How many times more weights and buffers a module may register than it has in the end: some are replaced."""

SHOWN = 20
"""Faults of weights that are listed one by one."""

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
    built = _build_limited(make, state, owner, origin)
    wanted = {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}
    faults = [f"missing {name}, shape {wanted[name]}" for name in sorted(wanted.keys() - state.keys())]
    faults += [f"unexpected {name}" for name in sorted(state.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & state.keys()):
        if state[name].shape != wanted[name]:
            faults.append(f"{name} has shape {state[name].shape}, the network wants {wanted[name]}")
        elif not np.isfinite(state[name]).all():
            faults.append(f"{name} holds numbers that are not finite")
    if faults:
        more = [f"{len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise WrongWeights("\n  - ".join([f"{origin} do not fit {owner}:", *faults[:SHOWN], *more]))
    tensors = {name: torch.tensor(array, dtype=torch.float32, device=device) for name, array in state.items()}
    built.load_state_dict(tensors, assign=True)
    return built.eval()


def _build_limited(make: Callable[[], AnyModule], state: State, owner: str, origin: str) -> AnyModule:
    """Build a module without its weights, and give up where it becomes larger than these weights can fill.

    Its sizes come from a file that may say anything: a million layers would be built without an end.
    """
    thread, most, count = threading.get_ident(), MARGIN * (len(state) + MARGIN), 0

    def count_weight(*_: object) -> None:
        nonlocal count
        count += threading.get_ident() == thread
        if count > most:
            raise WrongWeights(f"{origin} do not fit {owner}: there are {len(state)}, it would have over {most}.")

    hooks = [
        module.register_module_parameter_registration_hook(count_weight),
        module.register_module_buffer_registration_hook(count_weight),
    ]
    try:
        with torch.device("meta"):
            return make()
    except RuntimeError as error:  # sizes beyond what a tensor can have
        raise WrongWeights(f"{origin} do not fit {owner}: it cannot be built ({error}).") from error
    finally:
        for hook in hooks:
            hook.remove()


def draw_weights(make: Callable[[], nn.Module], seed: int) -> dict[str, np.ndarray]:
    """Untrained weights; the same for the same module and seed, and no other random numbers are touched."""
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs
        module = make()
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
