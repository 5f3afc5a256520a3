"""One minute of 100 neurons, against the published script of the model, transcribed to NumPy (Izhikevich 2003).

python tests/benchmarks/simulation.py
"""

from timeit import repeat

import numpy as np
from _options import parse_options

from nwb_neurid.simulate import simulate


def published(units: int, seconds: float) -> int:
    """The network of the paper: 1 ms steps, two half steps of v, synapses that last one step."""
    rng = np.random.default_rng(0)
    excitatory = round(0.8 * units)
    inhibitory = units - excitatory
    re, ri = rng.random(excitatory), rng.random(inhibitory)
    a = np.r_[0.02 * np.ones(excitatory), 0.02 + 0.08 * ri]
    b = np.r_[0.2 * np.ones(excitatory), 0.25 - 0.05 * ri]
    c = np.r_[-65 + 15 * re**2, -65 * np.ones(inhibitory)]
    d = np.r_[8 - 6 * re**2, 2 * np.ones(inhibitory)]
    weights = np.c_[0.5 * rng.random((units, excitatory)), -rng.random((units, inhibitory))]
    v, spikes = -65 * np.ones(units), 0
    u = b * v
    for _ in range(int(seconds * 1000)):
        current = np.r_[5 * rng.standard_normal(excitatory), 2 * rng.standard_normal(inhibitory)]
        fired = np.flatnonzero(v >= 30)
        spikes += len(fired)
        v[fired] = c[fired]
        u[fired] += d[fired]
        current = current + weights[:, fired].sum(axis=1)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u = u + a * (b * v - u)
    return spikes


def main() -> None:
    options = parse_options(__doc__, full={"units": 100, "seconds": 60.0, "rounds": 3}, tiny={"seconds": 2.0})
    size = (options.units, options.seconds)
    ours = min(repeat(lambda: simulate(*size, 0), number=1, repeat=options.rounds))
    rival = min(repeat(lambda: published(*size), number=1, repeat=options.rounds))
    print(
        f"simulate {options.units} neurons x {options.seconds:g} s: {ours:.2f} s, {ours / rival:.2f} x the published "
        f"script ({rival:.2f} s)"
    )


if __name__ == "__main__":
    main()
