"""Steps of training on random windows that lie on the device already: without a path of data, ours and the authors'."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from _authors import PackedFlow, sum_loss
from _device import Device
from torch import Tensor, nn

from nwb_neurid.training import ContrastiveLoss


@dataclass(frozen=True)
class Batch:
    """Both views of some windows, with the same units in both.

    Parameters
    ----------
    activity
        Counts, shape (2, windows, units, bins).
    present
        Where units are no padding, shape (windows, units).
    sizes
        How many units each window has.
    """

    activity: Tensor
    present: Tensor
    sizes: Sequence[int]


def draw_batches(device: Device, number: int, windows: int, units: int, bins: int) -> list[Batch]:
    """Windows that keep half to all of the units, as unit dropout leaves them."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for _ in range(number):
        sizes = torch.randint(-(-units // 2), units + 1, (windows,), generator=generator)
        activity = torch.randint(0, 3, (2, windows, units, bins), dtype=torch.uint8, device=device.torch)
        present = (torch.arange(units) < sizes[:, None]).to(device.torch)
        found.append(Batch(activity, present, sizes.tolist()))
    return found


class Trainer:
    """The same step by two flows of data.

    Parameters
    ----------
    network
        What is trained.
    dim
        Length of its vectors.
    device, precision
        Where, and in "float32" or "bfloat16".
    """

    def __init__(self, network: nn.Module, dim: int, device: Device, precision: str) -> None:
        self.network, self.device, self.half = network.train(), device, precision == "bfloat16"
        self.loss = ContrastiveLoss(dim).to(device.torch)
        self.modules = (self.network, self.loss)
        weights = [weight for module in self.modules for weight in module.parameters()]
        self.optimiser = torch.optim.AdamW(weights, lr=1e-6, fused=True)

    def step(self, batches: Sequence[Batch]) -> None:
        """One step by our flow."""

        def compute_part(batch: Batch) -> Tensor:
            with torch.autocast(self.device.name, torch.bfloat16, enabled=self.half):
                vectors = self.network(batch.activity.flatten(0, 1), batch.present.repeat(2, 1)).float()
            views = vectors.unflatten(0, (2, -1))
            return self.loss(views, batch.present.expand(2, -1, -1), None) / batch.present.sum()

        self._step(batches, compute_part)

    def step_as_authors(self, batches: Sequence[Batch]) -> None:
        """One step by the authors' flow."""
        flow = PackedFlow(self.network)

        def compute_part(batch: Batch) -> Tensor:
            with torch.autocast(self.device.name, torch.bfloat16, enabled=self.half):
                views = [flow(view[batch.present], batch.sizes).float() for view in batch.activity]
            return sum_loss(self.loss.projector, views, batch.sizes)

        self._step(batches, compute_part)

    def _step(self, batches: Sequence[Batch], compute_part: Callable[[Batch], Tensor]) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        parts = []
        for batch in batches:
            part = compute_part(batch) / len(batches)
            part.backward()
            parts.append(part.detach())
        for module in self.modules:
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        self.optimiser.step()
        float(torch.stack(parts).sum())
