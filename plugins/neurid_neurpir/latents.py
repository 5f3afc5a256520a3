"""Behaviour and stimulus in a few dimensions: the encoder that CEBRA trains, as part of the network.

Source: Schneider, Lee and Mathis, "Learnable latent embeddings for joint behavioural and neural analysis", Nature 617
(2023), and its code (github.com/AdaptiveMotorControlLab/CEBRA), the model "offset10-model". The weights of this model
are stored as arrays, so that a trained model does not need the package CEBRA.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - usual name
from jaxtyping import Float
from torch import Tensor, nn

HIDDEN = 32
"""Width of the convolutions, which is the default of CEBRA."""

SEEN = (5, 5)
"""Number of steps from which a latent is computed: before its own step, and from its own step on."""

STEP_S = 0.1
"""If bins are shorter than this, behaviour is averaged over this time in seconds. A latent then depends on one second
of it.
"""


class Latents(nn.Module):
    """Latents of behaviour, from an encoder that only CEBRA trains.

    Its weights are buffers, which optimisers do not change. Before CEBRA has trained it, its output is all NaN.

    Parameters
    ----------
    roles
        Number of channels of behaviour.
    dim
        Number of latents.
    bin_s
        Length of a bin in seconds.
    """

    learnt: Tensor

    def __init__(self, roles: int, dim: int, bin_s: float) -> None:
        super().__init__()
        self.dim = dim
        self.stride = max(1, round(STEP_S / bin_s))
        self.first = _Convolution(2 * roles, HIDDEN, 2)
        self.deeper = nn.ModuleList([_Convolution(HIDDEN, HIDDEN, 3) for _ in range(3)])
        self.last = _Convolution(HIDDEN, dim, 3)
        self.register_buffer("learnt", torch.zeros(roles))

    def forward(self, behaviour: Float[Tensor, "windows roles bins"]) -> Float[Tensor, "windows dim bins"]:
        """Compute the latents of some segments.

        They are NaN for a segment without any known role on which CEBRA was trained.

        Parameters
        ----------
        behaviour
            Standardised behaviour; NaN where it is not known.
        """
        bins = behaviour.shape[2]
        known = behaviour.where(self.learnt[:, None] > 0, torch.nan)
        padded = F.pad(average_steps(known, self.stride), (SEEN[0], SEEN[1] - 1), "replicate")
        # On the unit sphere, the size of a latent decreases with their number. Raw channels have variance 1.
        latents = self.convolve(flag_known(padded)) * self.dim**0.5
        told = ~known.isnan().all(2).all(1)
        return latents.where(told[:, None, None], torch.nan).repeat_interleave(self.stride, 2)[:, :, :bins]

    def convolve(self, inputs: Float[Tensor, "windows inputs steps"]) -> Float[Tensor, "windows dim fewer"]:
        """Apply the convolutions. `SEEN` steps give one point on the unit sphere."""
        hidden = F.gelu(self.first(inputs))
        for convolution in self.deeper:
            hidden = hidden[:, :, 1:-1] + F.gelu(convolution(hidden))
        return F.normalize(self.last(hidden), dim=1)


class _Convolution(nn.Module):
    """A convolution over steps."""

    weight: Tensor
    bias: Tensor

    def __init__(self, inputs: int, outputs: int, steps: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(outputs, inputs, steps))
        self.register_buffer("bias", torch.zeros(outputs))

    def forward(self, inputs: Float[Tensor, "windows inputs steps"]) -> Float[Tensor, "windows outputs fewer"]:
        # Not `conv1d`, because a GPU rounds its inputs to 10 bits (TF32) by default.
        stretches = inputs.unfold(2, self.weight.shape[2], 1)
        return torch.einsum("wifs,ois->wof", stretches, self.weight) + self.bias[:, None]


def average_steps(behaviour: Float[Tensor, "windows roles bins"], stride: int) -> Float[Tensor, "windows roles steps"]:
    """Average over the known values in groups of `stride` bins. The mean is NaN if no value is known."""
    bins = behaviour.shape[2]
    return F.pad(behaviour, (0, -bins % stride), value=torch.nan).unflatten(2, (-1, stride)).nanmean(3)


def flag_known(behaviour: Float[Tensor, "windows roles steps"]) -> Float[Tensor, "windows inputs steps"]:
    """Make the input of CEBRA: the value of each role (0 if unknown), followed by a flag for each known role."""
    return torch.cat([behaviour.nan_to_num(0.0), (~behaviour.isnan()).to(behaviour)], 1)


def hide_some(behaviour: Float[Tensor, "windows roles bins"], share: float) -> Float[Tensor, "windows roles bins"]:
    """Hide a share of the roles at random, in segments in which another role is known."""
    there = ~behaviour.isnan().all(2)
    kept = torch.rand(there.shape, device=there.device) >= share
    kept = kept | ~(kept & there).any(1, keepdim=True)
    return behaviour.where(kept[:, :, None], torch.nan)
