"""A network of Izhikevich neurons, step by step.

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
    """Neurons and synapses in the scaled units x = 0.02 v + 1.75 and y = 0.01 u + 0.875 b.

    In these units, the half step v + (0.04 v² + 5 v + 140 - u + I) / 2 is x² + (0.01 I + 0.875 b + 0.0875) - y, and
    u + a (b v - u) is (1 - a) y + (a b / 2) x. This needs far fewer operations than in the units of the paper.
    """

    keep: Float64[np.ndarray, " units"]
    gain: Float64[np.ndarray, " units"]
    reset: Float64[np.ndarray, " units"]
    kick: Float64[np.ndarray, " units"]
    drive: Float64[np.ndarray, " units"]
    noise: Float64[np.ndarray, " units"]
    targets: Int64[np.ndarray, "units fanout"]
    weights: Float64[np.ndarray, "units fanout"]

    @classmethod
    def of(
        cls,
        abcd: Float64[np.ndarray, "4 units"],
        drive: Float64[np.ndarray, " units"],
        noise: Float64[np.ndarray, " units"],
        targets: Int64[np.ndarray, "units fanout"],
        weights: Float64[np.ndarray, "units fanout"],
    ) -> "Network":
        """Build a network from the parameters of the paper, with all currents in its units."""
        a, b, c, d = abcd
        return cls(
            keep=1 - a,
            gain=a * b / 2,
            reset=0.02 * c + 1.75,
            kick=0.01 * d,
            drive=0.01 * drive + 0.875 * b + 0.0875,
            noise=0.01 * noise,
            targets=targets,
            weights=0.01 * weights,
        )


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
        Random generator of the private noise.
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
    units = len(network.reset)
    currents, before, mid, after = (np.empty((BLOCK_STEPS + extra, units)) for extra in (0, 1, 0, 0))
    before[0] = network.reset
    y = network.gain / (1 - network.keep) * network.reset
    synaptic = np.zeros(units)
    times_s, rows = [], []
    for start in progress(range(0, steps, BLOCK_STEPS), label="Simulating"):
        count = min(BLOCK_STEPS, steps - start)
        current = currents[:count]
        rng.standard_normal(out=current)
        current *= network.noise
        current += network.drive
        if shared is not None:
            current += 0.01 * next(shared)[:count]
        _integrate(network, current, before[: count + 1], mid[:count], after[:count], y, synaptic)
        step, row = np.nonzero(after[:count] >= _PEAK)
        crossed = _find_crossing(before[step, row], mid[step, row], after[step, row])
        times_s.append((start + step + crossed) * STEP_S)
        rows.append(row)
        before[0] = before[count]
    return np.concatenate(times_s), np.concatenate(rows)


def _integrate(
    network: Network,
    current: Float64[np.ndarray, "steps units"],
    before: Float64[np.ndarray, "steps_and_one units"],
    mid: Float64[np.ndarray, "steps units"],
    after: Float64[np.ndarray, "steps units"],
    y: Float64[np.ndarray, " units"],
    synaptic: Float64[np.ndarray, " units"],
) -> None:
    """Fill in x before, halfway through and after each step, from `before[0]` on; advance the last two.

    Every operation writes into existing memory: with a few hundred neurons, the calls take most of the time.
    """
    keep, gain, reset, kick = network.keep, network.gain, network.reset, network.kick
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
            np.add.at(synaptic, network.targets[fired], network.weights[fired])


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
