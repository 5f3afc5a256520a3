"""The processes of a training. On several GPUs or nodes, `torchrun` or SLURM starts several processes."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, distributed

from nwb_neurid.errors import InvalidOption
from nwb_neurid.training.views import Views


@contextmanager
def join_processes(device: str) -> Iterator[bool]:
    """Connect the processes that `torchrun` or `srun` started, if any. Yield whether this process is the first one.

    Each process uses the GPU with its own number on the node, unless `device` is "cpu".

    Raises
    ------
    InvalidOption
        If a node has more processes than GPUs, or SLURM does not state the node of the first process.
    """
    os.environ.update(read_slurm(os.environ))
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield True
        return
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        number, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if number >= gpus:
            raise InvalidOption(
                f"torchrun started more processes than this node has GPUs ({gpus}). Start one for each "
                f"(--nproc-per-node {gpus}), or train on CPUs (--device cpu)."
            )
        torch.cuda.set_device(number)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield distributed.get_rank() == 0
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def read_slurm(environment: Mapping[str, str]) -> dict[str, str]:
    """Compute the variables that `torchrun` would set from those of a SLURM step with several tasks.

    Parameters
    ----------
    environment
        Environment variables of the process.

    Returns
    -------
    dict of str to str
        The variables to set; empty if `torchrun` has set them, or SLURM started a single task.

    Raises
    ------
    InvalidOption
        If the names of the nodes are missing.

    Examples
    --------
    >>> slurm = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "5", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "123456"}
    >>> read_slurm({**slurm, "SLURM_STEP_NODELIST": "gpu[07-08,11],big1"})["MASTER_ADDR"]
    'gpu07'
    """
    number = environment.get("SLURM_STEP_NUM_TASKS", "1")
    if "WORLD_SIZE" in environment or not number.isdecimal() or int(number) < 2 or "SLURM_PROCID" not in environment:
        return {}
    nodes = environment.get("SLURM_STEP_NODELIST", environment.get("SLURM_JOB_NODELIST", ""))
    match = re.match(r"([^\[,]+)(?:\[([^\],-]+))?", nodes)
    if match is None:
        raise InvalidOption(
            f"SLURM started {number} tasks, but does not say on which nodes (SLURM_STEP_NODELIST). Start them with "
            "srun, or with torchrun."
        )
    job = environment.get("SLURM_JOB_ID", "0")
    return {
        "WORLD_SIZE": number,
        "RANK": environment["SLURM_PROCID"],
        "LOCAL_RANK": environment.get("SLURM_LOCALID", "0"),
        "MASTER_ADDR": environment.get("MASTER_ADDR", f"{match[1]}{match[2] or ''}"),
        "MASTER_PORT": environment.get("MASTER_PORT", str(20_000 + int(job) % 20_000 if job.isdecimal() else 29_500)),
    }


class Processes:
    """Sums over all processes of a training."""

    def __init__(self) -> None:
        several = distributed.is_available() and distributed.is_initialized()
        self.rank = distributed.get_rank() if several else 0
        self.number = distributed.get_world_size() if several else 1

    def sum(self, own: int | float, device: torch.device) -> int | float:
        """Sum a number over all processes."""
        if self.number == 1:
            return own
        summed = torch.tensor(own, dtype=torch.float64, device=device)
        distributed.all_reduce(summed)
        return type(own)(summed.item())

    def sum_gradients(self, weights: Sequence[Tensor]) -> None:
        """Replace the gradient of each weight by its sum over all processes."""
        if self.number == 1:
            return
        gradients = [weight.grad if weight.grad is not None else torch.zeros_like(weight) for weight in weights]
        summed = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(summed)
        pieces = summed.split([gradient.numel() for gradient in gradients])
        for weight, piece in zip(weights, pieces, strict=True):
            weight.grad = piece.view_as(weight)

    def gather(self, views: Sequence[Views], dim: int, device: torch.device) -> Views:
        """Gather the units of a step from all processes, as if they were in one window; gradients flow back to each."""
        empty = torch.zeros(2, 0, dim, device=device)
        vectors = torch.cat([empty, *(found.vectors.flatten(1, 2) for found in views)], dim=1)
        seen = torch.cat([empty[:, :, 0].bool(), *(found.seen.flatten(1, 2) for found in views)], dim=1)
        if self.number > 1:
            vectors, seen = self._gather_from_all(vectors, seen)
        return Views(vectors=vectors[:, None], seen=seen[:, None], twins=None)

    def _gather_from_all(self, vectors: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Gather the vectors of one process after the other. Only sums are used, which every backend supports."""
        from torch.distributed.nn.functional import all_reduce

        longest = torch.tensor(vectors.shape[1], device=vectors.device)
        distributed.all_reduce(longest, distributed.ReduceOp.MAX)
        short = int(longest) - vectors.shape[1]
        place = (self.rank, self.number - 1 - self.rank)  # zeros before and after, where those of others go
        found = all_reduce(F.pad(vectors[None], (0, 0, 0, short, 0, 0, *place)))
        flags = F.pad(seen.int()[None], (0, short, 0, 0, *place))
        distributed.all_reduce(flags)
        return found.transpose(0, 1).flatten(1, 2), flags.transpose(0, 1).flatten(1, 2).bool()
