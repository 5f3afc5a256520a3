"""The state of a training in one file. A resumed training gives the same result as an uninterrupted training.

The random generator of each step is made from the seed and the number of the step. Its state is therefore not stored.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nwb_neurid._system.atomic import replace_file
from nwb_neurid.errors import WrongWeights

FORMAT = "2"
UNHASHED = "1"  # of nwb-neurid 0.1
HASH = "sha256"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Checkpoint:
    """The state of a training after some steps.

    Parameters
    ----------
    tensors
        Weights, moments of the optimiser, and the log.
    seconds
        Duration of the training so far.
    fingerprint
        Hash that identifies encoder, recordings and options. They must be the same when a training is resumed.
    """

    tensors: dict[str, Tensor]
    seconds: float
    fingerprint: dict[str, str]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file as a whole, or not at all.

    Raises
    ------
    CannotWrite
        If the folder cannot be written to.
    """
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    about = {"format": FORMAT, "seconds": repr(checkpoint.seconds), "fingerprint": json.dumps(checkpoint.fingerprint)}
    with replace_file(path, overwrite=True) as made:
        made.path.write_bytes(save(tensors, {**about, HASH: _hash(tensors, about)}))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the state that `write_checkpoint` wrote.

    Raises
    ------
    WrongWeights
        If the file is damaged, or has another format.
    """
    again = "Train from scratch in another folder, without --resume."
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            if about.get("format") not in (FORMAT, UNHASHED):
                raise WrongWeights(f"{path} must be a checkpoint of format {FORMAT}, got {about.get('format')}.")
            tensors = {name: torch.clone(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 - no mapping
        expected = about.pop(HASH, "")
        if (expected or about["format"] == FORMAT) and _hash(tensors, about) != expected:
            raise WrongWeights(f"The checkpoint {path} is damaged: its SHA-256 is not the one that it states. {again}")
        fingerprint = json.loads(about["fingerprint"])
        return Checkpoint(tensors=tensors, seconds=float(about["seconds"]), fingerprint=fingerprint)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise WrongWeights(f"The checkpoint {path} cannot be read: {error}. {again}") from error


def _hash(tensors: dict[str, Tensor], about: dict[str, str]) -> str:
    """Hash the whole content of a checkpoint."""
    whole = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return whole.hexdigest()
