"""A network of Izhikevich neurons of five types, told apart by how they fire.

Source: Izhikevich, E. M. (2003), "Simple model of spiking neurons", IEEE Transactions on Neural Networks
14(6), 1569-1572: equations 1 to 3, the types of figure 2, steps of 1 ms with the voltage in two half steps.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.errors import InvalidOption

CLOCK_HZ = 30_000
"""Spike times are multiples of one tick of this clock, as those of a recorder are."""

DEPTH_UM = 300.0
"""How much of the probe's length the neurons lie along."""

_STEP_S = 1e-3
_BLOCK_STEPS = 1000
_SYNAPSE_DECAY = math.exp(-1 / 5)  # each step; a time constant of 5 ms
_PARAMETER_SPREAD = (0.1, 0.02, 0.01, 0.1)  # of a, b, c, d, relative
_DRIVE_SPREAD = 2.5
_PEAK = 0.02 * 30 + 1.75


class _CellType(NamedTuple):
    """The paper's parameters, the private current (mean and noise), and the sum of the outgoing synapses."""

    a: float
    b: float
    c: float
    d: float
    drive: float
    noise: float
    strength: float


_CELL_TYPES = {
    "RS": _CellType(a=0.02, b=0.2, c=-65, d=8, drive=-4, noise=9, strength=20),
    "IB": _CellType(a=0.02, b=0.2, c=-55, d=4, drive=-3.5, noise=9, strength=20),
    "CH": _CellType(a=0.02, b=0.2, c=-50, d=2, drive=-4, noise=8, strength=20),
    "FS": _CellType(a=0.1, b=0.2, c=-65, d=2, drive=2.5, noise=5, strength=-30),
    "LTS": _CellType(a=0.02, b=0.25, c=-65, d=2, drive=-4, noise=6, strength=-30),
}
_CYCLE = (*_CELL_TYPES, "RS", "RS")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Simulation:
    """What a simulated population fired, and of which type each neuron is.

    Parameters
    ----------
    times_s
        Spike times in seconds, shape (spikes,), ascending within a unit, in [0, duration_s).
    splits
        Spikes of unit `u` are `times_s[splits[u]:splits[u + 1]]`; shape (units + 1,).
    cell_type
        "RS", "IB", "CH", "FS" or "LTS", shape (units,).
    positions_um
        Across the probe, along it and away from it, in micrometres from its first site; shape (units, 3).
    duration_s
        How long was simulated, in seconds.
    """

    times_s: Float64[np.ndarray, " spikes"]
    splits: Int64[np.ndarray, " units_and_one"]
    cell_type: Shaped[np.ndarray, " units"]
    positions_um: Float32[np.ndarray, "units 3"]
    duration_s: float


def simulate(units: int, duration_s: float, seed: int = 0, progress: Progress = silent) -> Simulation:
    """Simulate a sparse random network of neurons of known types.

    RS (regular spiking), IB (intrinsically bursting) and CH (chattering) excite, FS (fast spiking) and LTS
    (low-threshold spiking) inhibit. Three in seven are RS, every type is among five units or more, and the
    order is random.

    Parameters
    ----------
    units
        How many neurons.
    duration_s
        How long, in seconds. A longer simulation begins with the spikes of a shorter one.
    seed
        The same seed gives the same simulation, bit for bit.
    progress
        Told of each simulated second.

    Returns
    -------
    Simulation
        Spikes, types and positions.

    Raises
    ------
    InvalidOption
        If there is no unit, the duration is not positive and finite, or the seed is negative.

    Examples
    --------
    >>> sorted(simulate(units=7, duration_s=1.0).cell_type.tolist())
    ['CH', 'FS', 'IB', 'LTS', 'RS', 'RS', 'RS']
    """
    if units < 1:
        raise InvalidOption(f"The number of units to simulate must be 1 or more, got {units}.")
    if not (math.isfinite(duration_s) and duration_s > 0):
        raise InvalidOption(f"The duration to simulate must be finite and above 0 s, got {duration_s:g} s.")
    if seed < 0:
        raise InvalidOption(f"The seed of a simulation must be 0 or more, got {seed}.")
    rng = np.random.default_rng(seed)
    cell_type = rng.permutation(np.resize(_CYCLE, units))
    positions_um = rng.uniform((-30.0, 0.0, 5.0), (30.0, DEPTH_UM, 50.0), (units, 3)).astype(np.float32)
    network = _draw_network(rng, cell_type)
    times_s, rows = _run(network, rng, math.ceil(duration_s / _STEP_S), progress)
    times_s = np.rint(times_s * CLOCK_HZ) / CLOCK_HZ
    times_s, rows = times_s[times_s < duration_s], rows[times_s < duration_s]
    return Simulation(
        times_s=times_s[np.argsort(rows, kind="stable")],
        splits=np.r_[0, np.cumsum(np.bincount(rows, minlength=units))].astype(np.int64),
        cell_type=cell_type,
        positions_um=positions_um,
        duration_s=float(duration_s),
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Network:
    """Neurons and synapses in the scaled units x = 0.02 v + 1.75 and y = 0.01 u + 0.875 b.

    In these the half step v + (0.04 v² + 5 v + 140 - u + I) / 2 is x² + (0.01 I + 0.875 b + 0.0875) - y, and
    u + a (b v - u) is (1 - a) y + (a b / 2) x: far fewer operations than in the paper's units.
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
    ) -> "_Network":
        """From the paper's parameters, with all currents in its units."""
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


def _draw_network(rng: np.random.Generator, cell_type: Shaped[np.ndarray, " units"]) -> _Network:
    """Each neuron differs a little from its type and reaches a tenth of the others, or ten of them."""
    units = len(cell_type)
    of_type = np.array([_CELL_TYPES[name] for name in cell_type]).T
    abcd, (drive, noise, strength) = of_type[:4], of_type[4:]
    spread = rng.standard_normal((4, units)).clip(-2, 2) * np.reshape(_PARAMETER_SPREAD, (4, 1))
    drive = drive + _DRIVE_SPREAD * rng.standard_normal(units)
    # The sum of the synapses is that of the type, so that rates do not depend on the size of the population.
    fanout = max(10, units // 10)
    shape = (units, min(fanout, units - 1))
    targets = rng.integers(max(1, units - 1), size=shape)
    targets += targets >= np.arange(units)[:, None]  # skips the neuron itself
    weights = rng.exponential(size=shape) * (strength / fanout)[:, None]
    return _Network.of(abcd * (1 + spread), drive, noise, targets, weights)


def _run(
    network: _Network, rng: np.random.Generator, steps: int, progress: Progress
) -> tuple[Float64[np.ndarray, " spikes"], Int64[np.ndarray, " spikes"]]:
    """Spike times and the rows that fired, in the order of the steps."""
    units = len(network.reset)
    currents, before, mid, after = (np.empty((_BLOCK_STEPS + extra, units)) for extra in (0, 1, 0, 0))
    before[0] = network.reset
    y = network.gain / (1 - network.keep) * network.reset
    synaptic = np.zeros(units)
    times_s, rows = [], []
    for start in progress(range(0, steps, _BLOCK_STEPS), label="Simulating"):
        count = min(_BLOCK_STEPS, steps - start)
        current = currents[:count]
        rng.standard_normal(out=current)
        current *= network.noise
        current += network.drive
        _integrate(network, current, before[: count + 1], mid[:count], after[:count], y, synaptic)
        step, row = np.nonzero(after[:count] >= _PEAK)
        crossed = _crossing(before[step, row], mid[step, row], after[step, row])
        times_s.append((start + step + crossed) * _STEP_S)
        rows.append(row)
        before[0] = before[count]
    return np.concatenate(times_s), np.concatenate(rows)


def _integrate(
    network: _Network,
    current: Float64[np.ndarray, "steps units"],
    before: Float64[np.ndarray, "steps_and_one units"],
    mid: Float64[np.ndarray, "steps units"],
    after: Float64[np.ndarray, "steps units"],
    y: Float64[np.ndarray, " units"],
    synaptic: Float64[np.ndarray, " units"],
) -> None:
    """Fill in x before, halfway through and after each step, from `before[0]` on; advance the last two.

    Every operation writes into memory that is there already: with some hundred neurons it is the calls that
    take the time.
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


def _crossing(
    before: Float64[np.ndarray, " spikes"],
    mid: Float64[np.ndarray, " spikes"],
    after: Float64[np.ndarray, " spikes"],
) -> Float64[np.ndarray, " spikes"]:
    """When x reached the peak, as a part of the step, on the line through the half step in which it did."""
    late = mid < _PEAK
    low, high = np.where(late, mid, before), np.where(late, after, mid)
    crossed: Float64[np.ndarray, " spikes"] = 0.5 * (late + (_PEAK - low) / (high - low))
    return crossed
