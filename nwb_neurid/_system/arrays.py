"""Arrays in the safetensors format: nothing in such a file can run."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nwb_neurid.errors import WrongWeights


def pack_arrays(state: Mapping[str, np.ndarray]) -> bytes:
    """Weights in the safetensors format."""
    from safetensors.numpy import save

    return save({name: np.asarray(array, order="C") for name, array in state.items()})


def hash_arrays(state: Mapping[str, np.ndarray]) -> str:
    """Hash of the weights as they are stored; "" where there are none."""
    return hashlib.sha256(pack_arrays(state)).hexdigest() if state else ""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of safetensors.

    Raises
    ------
    WrongWeights
        If it is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(path.read_bytes())
    except OSError as error:
        raise WrongWeights(f"{path} cannot be read: {error.strerror or error}.") from error
    except SafetensorError as error:
        raise WrongWeights(f"{path} is damaged: {error}.") from error
