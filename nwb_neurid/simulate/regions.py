"""Simulated brain regions, which differ in how the activity of their neurons covaries.

The cell types, and the currents that each neuron receives alone, are the same in all regions. Regions differ in three
properties: the slow drive and the rhythm that their neurons share, the dependence of their activity on the running of
the animal, and the share of local synapses. These differences are choices of this project.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

SLOW_HZ = 20
"""Sampling rate of the slow drives and of the running."""

RHYTHM_HZ, SLOW_S, SLOW_DEPTH, RUNNING, LOCAL = (6.0, 34.0), (0.4, 4.0), (1.0, 6.0), (-1.0, 1.0), (0.55, 0.9)
"""Ranges of the properties of regions."""

RHYTHM_DEPTH, RUNNING_DEPTH = 1.2, 2.0
"""Amplitude of the rhythms, and standard deviation of the drive by running. Both are currents."""

RUNNING_S, RUNNING_CM_S = 8.0, 12.0
"""Time constant of the running, and the speed at one standard deviation of its drive."""

PHASE_WALK = 0.25
"""Standard deviation of the phase of a rhythm per cycle, in cycles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Properties that the neurons of one region share.

    Parameters
    ----------
    name
        Name in the file.
    rhythm_hz
        Mean frequency of its rhythm, in Hz.
    slow_s
        Time constant of its slow drive, in seconds.
    slow_depth
        Standard deviation of its slow drive, as a current.
    running
        Coupling of its neurons to the running of the animal. If it is negative, they fire less during running.
    local
        Share of the synapses of its neurons that reach neurons of the same region.
    """

    name: str
    rhythm_hz: float
    slow_s: float
    slow_depth: float
    running: float
    local: float


def draw_regions(rng: np.random.Generator, count: int) -> tuple[Region, ...]:
    """Draw regions that differ in every property. The values of a property are equally spaced, in random order.

    A single region has local synapses only.
    """
    steps = np.linspace(0.0, 1.0, count)
    order = [rng.permutation(steps) for _ in range(5)]
    return tuple(
        Region(
            name=f"simulated region {chr(ord('A') + index)}",
            rhythm_hz=RHYTHM_HZ[0] * (RHYTHM_HZ[1] / RHYTHM_HZ[0]) ** order[0][index],
            slow_s=SLOW_S[0] * (SLOW_S[1] / SLOW_S[0]) ** order[1][index],
            slow_depth=SLOW_DEPTH[0] + (SLOW_DEPTH[1] - SLOW_DEPTH[0]) * order[4][index],
            running=RUNNING[0] + (RUNNING[1] - RUNNING[0]) * order[2][index],
            local=1.0 if count == 1 else LOCAL[0] + (LOCAL[1] - LOCAL[0]) * order[3][index],
        )
        for index in range(count)
    )


def draw_slow_drives(
    rng: np.random.Generator, regions: tuple[Region, ...], samples: int
) -> Float64[np.ndarray, "samples signals"]:
    """Draw Ornstein-Uhlenbeck processes of variance 1 at `SLOW_HZ`: one for running, then one for each region."""
    decay = np.exp(-1 / (SLOW_HZ * np.array([RUNNING_S, *(region.slow_s for region in regions)])))
    drives = rng.standard_normal((samples, len(decay)))
    drives[1:] *= np.sqrt(1 - decay**2)
    for before, now in pairwise(drives):
        now += decay * before
    return drives


def draw_rhythms(
    rng: np.random.Generator, regions: tuple[Region, ...], steps: int, step_s: float
) -> Iterator[Float64[np.ndarray, "steps regions"]]:
    """Draw the rhythm of each region in blocks of `steps`: a cosine of amplitude 1 with a random walk of its phase."""
    turns = np.array([region.rhythm_hz for region in regions]) * step_s
    phase = rng.uniform(0.0, 1.0, len(regions))
    while True:
        walk = PHASE_WALK * np.sqrt(turns) * rng.standard_normal((steps, len(regions)))
        phases = phase + np.cumsum(turns + walk, axis=0)
        phase = phases[-1]
        yield np.cos(2 * np.pi * phases)


def compute_speed_cm_s(slow: Float64[np.ndarray, "samples signals"]) -> Float64[np.ndarray, " samples"]:
    """Compute the running speed. It is proportional to the drive by running, or 0 if this drive is negative."""
    speed: Float64[np.ndarray, " samples"] = RUNNING_CM_S * slow[:, 0].clip(0.0)
    return speed


def draw_shared_currents(
    rng: np.random.Generator,
    regions: tuple[Region, ...],
    region: Int64[np.ndarray, " units"],
    slow: Float64[np.ndarray, "samples signals"],
    slow_coupling: Float64[np.ndarray, " units"],
    rhythm_coupling: Float64[np.ndarray, " units"],
    steps: int,
    step_s: float,
) -> Iterator[Float64[np.ndarray, "steps units"]]:
    """Draw the shared current of each neuron in blocks of `steps`, for the duration of `slow`."""
    running = np.array([one.running for one in regions])[region]
    own = np.arange(len(regions))[:, None] == region
    depth = np.array([one.slow_depth for one in regions])[region]
    of_slow = slow_coupling * np.vstack([RUNNING_DEPTH * running, depth * own])
    of_rhythm = RHYTHM_DEPTH * rhythm_coupling * own
    hold = round(1 / (SLOW_HZ * step_s))
    for start, rhythm in zip(
        range(0, len(slow), steps // hold), draw_rhythms(rng, regions, steps, step_s), strict=False
    ):
        current = rhythm @ of_rhythm
        held = slow[start : start + steps // hold] @ of_slow
        current += np.repeat(held, hold, axis=0)
        yield current
