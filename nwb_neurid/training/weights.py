"""Draw, check and load the weights of a torch module as arrays."""

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
"""Factor by which a module may register more weights than it has in the end, because some of them are replaced."""

SHOWN = 20
"""Largest number of faults of weights that are listed one by one."""

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def with_weights(
    make: Callable[[], AnyModule], state: State, *, owner: str, origin: str = "The weights", device: str = "cpu"
) -> AnyModule:
    """Make a module with given weights, in evaluation mode.

    Parameters
    ----------
    make
        Function that makes the module. It is first called on torch's device `meta`, which stores no data. The call is
        stopped if the module registers many more weights than `state` contains.
    state
        Weights of the module, with the names of `state_dict`.
    owner, origin
        Names of the module and of the source of the weights, for error messages.
    device
        The device for the module.

    Returns
    -------
    nn.Module
        The module, with weights in float32, in evaluation mode.

    Raises
    ------
    WrongWeights
        If weights are missing, unexpected, of another shape or not finite. The message lists all of them.

    Examples
    --------
    >>> state = draw_weights(lambda: nn.Linear(3, 2), seed=0)
    >>> with_weights(lambda: nn.Linear(3, 2), state, owner="the layer")
    Linear(in_features=3, out_features=2, bias=True)
    >>> with_weights(lambda: nn.Linear(4, 2), state, owner="the layer")
    Traceback (most recent call last):
    nwb_neurid.errors.WrongWeights: The weights do not fit the layer:
      - weight has shape (2, 3), the network expects (2, 4)
    """
    built = _build_limited(make, state, owner, origin)
    wanted = {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}
    faults = [f"missing {name}, shape {wanted[name]}" for name in sorted(wanted.keys() - state.keys())]
    faults += [f"unexpected {name}" for name in sorted(state.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & state.keys()):
        if state[name].shape != wanted[name]:
            faults.append(f"{name} has shape {state[name].shape}, the network expects {wanted[name]}")
        elif not np.isfinite(state[name]).all():
            faults.append(f"{name} holds numbers that are not finite")
    if faults:
        more = [f"{len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise WrongWeights("\n  - ".join([f"{origin} do not fit {owner}:", *faults[:SHOWN], *more]))
    tensors = {name: torch.tensor(array, dtype=torch.float32, device=device) for name, array in state.items()}
    built.load_state_dict(tensors, assign=True)
    return built.eval()


def _build_limited(make: Callable[[], AnyModule], state: State, owner: str, origin: str) -> AnyModule:
    """Build a module without its weights. Stop if the module becomes larger than the given weights can fill.

    The sizes of the module come from a file, which may be wrong. Building a million layers, for example, would never
    end.
    """
    thread, most, count = threading.get_ident(), MARGIN * (len(state) + MARGIN), 0

    def count_weight(*_: object) -> None:
        nonlocal count
        count += threading.get_ident() == thread
        if count > most:
            raise WrongWeights(
                f"{origin} do not fit {owner}: they consist of {len(state)} arrays, but the network would "
                f"have more than {most}."
            )

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
    """Draw the untrained weights of a module, without changing the state of torch's global random generator.

    Parameters
    ----------
    make
        Function that makes the module, and draws its weights with torch.
    seed
        Random seed, for reproducible weights.

    Returns
    -------
    dict of str to array
        The weights, with the names of `state_dict`.

    Examples
    --------
    >>> {name: array.shape for name, array in draw_weights(lambda: nn.Linear(3, 2), seed=0).items()}
    {'weight': (2, 3), 'bias': (2,)}
    """
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs
        module = make()
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}
