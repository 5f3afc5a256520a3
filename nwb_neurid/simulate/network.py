"""A network of Izhikevich neurons, simulated step by step.

Source: Izhikevich, E. M. (2003), "Simple model of spiking neurons", IEEE Transactions on Neural Networks
14(6), 1569-1572: equations 1 to 3, steps of 1 ms with the voltage in two half steps.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from nwb_neurid.contracts import Progress

STEP_S = 1e-3
BLOCK_STEPS = 1000

_SYNAPSE_DECAY = math.exp(-1 / 5)  # each step; a time constant of 5 ms
_PEAK = 0.02 * 30 + 1.75


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Network:
    """Neurons and synapses. Parameters are those of the paper, and currents are in the units of the paper.

    The simulation uses the scaled variables x = 0.02 v + 1.75 and y = 0.01 u + 0.875 b. In these variables, the half
    step v + (0.04 v² + 5 v + 140 - u + I) / 2 is x² + (0.01 I + 0.875 b + 0.0875) - y, and u + a (b v - u) is (1 - a)
    y + (a b / 2) x. This needs far fewer operations.
    """

    abcd: Float64[np.ndarray, "4 units"]
    drive: Float64[np.ndarray, " units"]
    noise: Float64[np.ndarray, " units"]
    targets: Int64[np.ndarray, "units fanout"]
    weights: Float64[np.ndarray, "units fanout"]


def run_network(
    network: Network,
    rng: np.random.Generator,
    steps: int,
    progress: Progress,
    shared: Iterator[Float64[np.ndarray, "steps units"]] | None = None,
) -> tuple[Float64[np.ndarray, " spikes"], Int64[np.ndarray, " spikes"]]:
    """Simulate a network for some steps.

    Parameters
    ----------
    network
        Neurons and synapses.
    rng
        Random generator of the noise of each neuron.
    steps
        Number of steps of `STEP_S`.
    progress
        Progress callback, called at every block.
    shared
        Currents that neurons share, in the units of the paper, `BLOCK_STEPS` steps at a time.

    Returns
    -------
    tuple
        Spike times in seconds and the rows that fired, in the order of the steps.
    """
    a, b, c, d = network.abcd
    keep, gain, reset, _ = scaled = np.stack([1 - a, a * b / 2, 0.02 * c + 1.75, 0.01 * d])
    drive, noise, weights = 0.01 * network.drive + 0.875 * b + 0.0875, 0.01 * network.noise, 0.01 * network.weights
    currents, before, mid, after = (np.empty((BLOCK_STEPS + extra, len(a))) for extra in (0, 1, 0, 0))
    before[0] = reset
    y = gain / (1 - keep) * reset
    synaptic = np.zeros(len(a))
    times_s, rows = [], []
    for start in progress(range(0, steps, BLOCK_STEPS), label="Simulating"):
        count = min(BLOCK_STEPS, steps - start)
        current = currents[:count]
        rng.standard_normal(out=current)
        current *= noise
        current += drive
        if shared is not None:
            current += 0.01 * next(shared)[:count]
        blocks = current, before[: count + 1], mid[:count], after[:count]
        _integrate(scaled, network.targets, weights, *blocks, y, synaptic)
        step, row = np.nonzero(after[:count] >= _PEAK)
        crossed = _find_crossing(before[step, row], mid[step, row], after[step, row])
        times_s.append((start + step + crossed) * STEP_S)
        rows.append(row)
        before[0] = before[count]
    return np.concatenate(times_s), np.concatenate(rows)


def _integrate(
    scaled: Float64[np.ndarray, "4 units"],
    targets: Int64[np.ndarray, "units fanout"],
    weights: Float64[np.ndarray, "units fanout"],
    current: Float64[np.ndarray, "steps units"],
    before: Float64[np.ndarray, "steps_and_one units"],
    mid: Float64[np.ndarray, "steps units"],
    after: Float64[np.ndarray, "steps units"],
    y: Float64[np.ndarray, " units"],
    synaptic: Float64[np.ndarray, " units"],
) -> None:
    """Fill in x before, halfway through and after each step, from `before[0]` on; advance the last two.

    Every operation writes into existing arrays, because with a few hundred neurons the calls take most of the time.
    """
    keep, gain, reset, kick = scaled
    rise = np.empty_like(y)
    for total, x, half, full, following in zip(current, before[:-1], mid, after, before[1:], strict=True):
        np.add(total, synaptic, out=total)
        np.subtract(total, y, out=total)
        np.multiply(x, x, out=half)
        np.add(half, total, out=half)
        np.multiply(half, half, out=full)
        np.add(full, total, out=full)
        np.minimum(full, _PEAK, out=following)
        np.multiply(following, gain, out=rise)
        np.multiply(y, keep, out=y)
        np.add(y, rise, out=y)
        np.multiply(synaptic, _SYNAPSE_DECAY, out=synaptic)
        fired = (full >= _PEAK).nonzero()[0]
        if len(fired):
            following[fired] = reset[fired]
            y[fired] += kick[fired]
            np.add.at(synaptic, targets[fired], weights[fired])


def _find_crossing(
    before: Float64[np.ndarray, " spikes"],
    mid: Float64[np.ndarray, " spikes"],
    after: Float64[np.ndarray, " spikes"],
) -> Float64[np.ndarray, " spikes"]:
    """Find when x reached the peak, as a fraction of the step, by linear interpolation within the half step."""
    late = mid < _PEAK
    low, high = np.where(late, mid, before), np.where(late, after, mid)
    crossed: Float64[np.ndarray, " spikes"] = 0.5 * (late + (_PEAK - low) / (high - low))
    return crossed
