"""CEBRA-Time: an encoder of behaviour.

It maps time points that are one second apart to nearby points, and other pairs of time points to distant points.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from neurid_neurpir.latents import HIDDEN, SEEN, Latents, average_steps, flag_known, hide_some
from neurid_neurpir.surroundings import make_context
from nwb_neurid.contracts import Progress
from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population

STEPS, BATCH, LEARNING_RATE = 600, 256, 3e-3
"""Number of steps after which the loss on simulated running hardly decreases, with batch size and learning rate."""

APART = 10
"""Number of steps between the two time points of a positive pair. The inputs of the two time points do not overlap."""

SPAN = APART + sum(SEEN)
"""Number of steps that a pair spans."""


def learn(
    latents: Latents,
    populations: Sequence[Population],
    *,
    bin_s: float,
    roles: tuple[str, ...],
    masked: float,
    seed: int,
    progress: Progress,
) -> bool:
    """Train the latents in place, on the CPU. Return whether there was behaviour to train on.

    A role that no training recording has is always hidden from the network, because its weights are not trained.
    Reference, positive and negatives of a step are from the same recording. Otherwise, the network could distinguish
    time points just by the roles that are known in their files.

    Parameters
    ----------
    latents
        The latents to train.
    populations
        The recordings with behaviour and stimulus. No pair spans a gap or two recordings.
    bin_s, roles
        As for `neurid_neurpir.surroundings.make_channels`.
    masked
        Share of the roles that is hidden at random from each time point, so that latents do not depend on all roles.
    seed
        Random seed, for reproducible latents.
    progress
        Progress callback, called at every step.

    Raises
    ------
    InvalidOption
        If CEBRA is not installed.
    """
    cebra = import_cebra()
    recordings = [Moments.of(population, latents.stride, bin_s, roles) for population in populations]
    recordings = [recording for recording in recordings if len(recording.first)]
    if not recordings:
        return False
    lengths = np.array([len(recording.first) for recording in recordings], np.float64)
    rng = np.random.default_rng([seed, len(roles)])
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(seed)
        model = cebra.models.init("offset10-model", 2 * len(roles), HIDDEN, latents.dim)
        solver = cebra.solver.init(
            "single-session",
            model=model,
            criterion=cebra.models.criterions.FixedCosineInfoNCE(temperature=1.0),
            optimizer=torch.optim.Adam(model.parameters(), lr=LEARNING_RATE),
        )
        for _ in progress(range(STEPS), label="CEBRA"):
            recording = recordings[int(rng.choice(len(recordings), p=lengths / lengths.sum()))]
            parts = [flag_known(hide_some(part, masked)) for part in recording.draw(rng)]
            solver.step(cebra.data.Batch(*parts))
    take_over(latents, model)
    latents.learnt.copy_(torch.stack([recording.find_known() for recording in recordings]).any(0))
    return True


def import_cebra() -> Any:
    """Import CEBRA, which only training needs.

    Raises
    ------
    InvalidOption
        If CEBRA is not installed.
    """
    try:
        with warnings.catch_warnings():
            # CEBRA 0.6 calls torch.jit.script while it is imported, which torch deprecates.
            warnings.simplefilter("ignore", DeprecationWarning)
            import cebra
            import cebra.data
            import cebra.models
            import cebra.solver
    except ImportError as error:
        raise InvalidOption(
            f"This preset embeds behaviour with CEBRA, which cannot be imported ({error}). Install it: "
            'pip install cebra. Presets without "cebra" in their name do not need it.'
        ) from error
    return cebra


def take_over(latents: Latents, model: torch.nn.Module) -> None:
    """Copy the weights of a CEBRA model."""
    convolutions = [latents.first, *latents.deeper, latents.last]
    own = [part for convolution in convolutions for part in (convolution.weight, convolution.bias)]
    for buffer, trained in zip(own, model.state_dict().values(), strict=True):
        buffer.copy_(trained)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Moments:
    """Behaviour of a recording in time steps, and the steps at which pairs may begin.

    Parameters
    ----------
    behaviour
        Behaviour, shape (roles, steps); NaN where it is not known.
    first
        For every possible pair, the first step from which its reference is computed.
    """

    behaviour: Float[Tensor, "roles steps"]
    first: Int64[np.ndarray, " pairs"]

    @classmethod
    def of(cls, population: Population, stride: int, bin_s: float, roles: tuple[str, ...]) -> "Moments":
        """Compute the time steps and possible pairs of a recording."""
        starts_s = population.bin_starts_s(bin_s)
        channels = make_context(population, starts_s, bin_s, roles)
        gaps = np.flatnonzero(np.diff(starts_s) > 1.5 * bin_s) + 1
        bins = np.diff(np.concatenate([[0], gaps, [len(starts_s)]])).tolist()
        runs = [average_steps(run[None], stride)[0] for run in channels.split(bins, 1)]
        behaviour = torch.cat(runs, 1)
        steps = np.array([run.shape[1] for run in runs])
        ends = np.repeat(np.cumsum(steps), steps)  # end of the run of each step
        first = np.flatnonzero(np.arange(len(ends)) + SPAN <= ends)
        known = np.concatenate([[0], np.cumsum((~behaviour.isnan()).any(0).numpy())])
        told = [known[first + apart + sum(SEEN)] > known[first + apart] for apart in (0, APART)]
        first = first[told[0] & told[1]]
        return cls(behaviour=behaviour, first=first)

    def find_known(self) -> Bool[Tensor, " roles"]:
        """Find the roles that are known at the beginning or the end of any pair."""
        at = torch.from_numpy(np.concatenate([self.first, self.first + SPAN - 1]))
        return ~self.behaviour[:, at].isnan().all(1)

    def draw(self, rng: np.random.Generator) -> list[Float[Tensor, "moments roles steps"]]:
        """Draw the time points of the reference, positive and negative samples."""
        reference, negative = self.first[rng.integers(len(self.first), size=(2, BATCH))]
        columns = [at[:, None] + np.arange(sum(SEEN)) for at in (reference, reference + APART, negative)]
        return [self.behaviour[:, torch.from_numpy(at)].transpose(0, 1) for at in columns]
