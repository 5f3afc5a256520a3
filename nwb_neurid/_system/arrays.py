"""Arrays in the safetensors format. Files in this format cannot contain code."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nwb_neurid._system.files import read_bytes
from nwb_neurid.errors import WrongWeights


def pack_arrays(state: Mapping[str, np.ndarray]) -> bytes:
    """Return weights as bytes in the safetensors format."""
    from safetensors.numpy import save

    return save({name: np.asarray(array, order="C") for name, array in state.items()})


def hash_arrays(state: Mapping[str, np.ndarray]) -> str:
    """Return a hash of the weights in the safetensors format, or "" if there are no weights."""
    return hashlib.sha256(pack_arrays(state)).hexdigest() if state else ""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays in a safetensors file.

    Raises
    ------
    WrongWeights
        If the file is missing or damaged, or contains a data type that NumPy does not have.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(read_bytes(path))
    except OSError as error:
        raise WrongWeights(f"{path} cannot be read: {error.strerror or error}.") from error
    except SafetensorError as error:
        raise WrongWeights(f"{path} is damaged: {error}.") from error
    except KeyError as error:
        raise WrongWeights(
            f"{path} holds numbers of type {error.args[0]}, which NumPy does not have. Store them as F32 (float32)."
        ) from error
