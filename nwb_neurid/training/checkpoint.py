"""The state of a training in one file, from which it goes on as if it had never stopped.

Randomness is drawn anew for every step from the seed and the number of the step, so that no state of it is kept.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nwb_neurid.errors import CannotWrite, WrongWeights

FORMAT = "1"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Checkpoint:
    """The state of a training after some steps.

    Parameters
    ----------
    tensors
        Weights, moments of the optimiser, and the log.
    seconds
        How long it took so far.
    fingerprint
        What was trained on what, and how; a training goes on with the same only.
    """

    tensors: dict[str, Tensor]
    seconds: float
    fingerprint: dict[str, str]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file, all of it or nothing.

    Raises
    ------
    CannotWrite
        If the folder cannot be written to.
    """
    told = {"format": FORMAT, "seconds": repr(checkpoint.seconds), "fingerprint": json.dumps(checkpoint.fingerprint)}
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(save({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}, told))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise CannotWrite(f"The checkpoint {path} cannot be written: {error.strerror or error}.") from error


def read_checkpoint(path: Path) -> Checkpoint:
    """The state that `write_checkpoint` wrote.

    Raises
    ------
    WrongWeights
        If it is damaged, or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told = file.metadata() or {}
            if told.get("format") != FORMAT:
                raise WrongWeights(f"{path} must be a checkpoint of format {FORMAT}, got {told.get('format')}.")
            tensors = {name: torch.clone(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 - no mapping
            return Checkpoint(
                tensors=tensors, seconds=float(told["seconds"]), fingerprint=json.loads(told["fingerprint"])
            )
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise WrongWeights(
            f"The checkpoint {path} cannot be read: {error}. Train anew, without --resume, into another folder."
        ) from error
