"""What a step of training costs: work against the largest matrix product, memory, and the length of the recordings.

    python tests/benchmarks/training_cost.py --preset base

Work is counted as 6 operations for each parameter and token, and its rate stated as a share of that of the network's
largest matrix product (16,000 x dim by dim x 8 dim), which is timed after every step. Memory is the most that the
process held, less what it held before the first step, against the weights, their gradients and the two moments of Adam.
"""

import resource
import sys
import time

import numpy as np
import torch
from _options import parse_options

from nwb_neurid import Population, Spikes, new_model
from nwb_neurid.contracts.training import TrainingOptions

RATE_HZ = 5.0


def make_population(units, seconds, seed=0):
    """Poisson neurons: what a step costs does not depend on how they fire."""
    rng = np.random.default_rng(seed)
    trains = [np.sort(rng.uniform(0, seconds, rng.poisson(RATE_HZ * seconds))) for _ in range(units)]
    observed_s = np.array([[0.0, seconds]])
    return Population(unit_ids=np.arange(units), activity=Spikes.of(trains), observed_s=observed_s)


def measure_peak_mib():
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def time_steps(model, populations, windows, steps, between=lambda: None):
    """Times of all steps but the first, and of what is called between them, in seconds."""
    ended, begun = [], []

    def watch(_):
        ended.append(time.perf_counter())
        between()
        begun.append(time.perf_counter())

    model.encoder.fit(populations, TrainingOptions(steps=steps, windows=windows, watch=watch))
    return np.subtract(ended[1:], begun[:-1]), np.subtract(begun[:-1], ended[:-1])


def main() -> None:
    options = parse_options(
        __doc__,
        full={"preset": "base", "windows": 3, "steps": 10, "units": 700, "few": 50, "rows": 16_000, "times": 100},
        tiny={"preset": "small", "windows": 1, "steps": 2, "units": 20, "few": 5, "rows": 100, "times": 2},
    )
    model = new_model("nuclr", preset=options.preset, untrained=True)
    config = dict(model.encoder.config)
    dim, tokens = config["dim"], config["tokens"]
    left, right = torch.randn(options.rows, dim), torch.randn(dim, 8 * dim)
    parameters = sum(value.size for value in model.encoder.state().values())
    before = measure_peak_mib()
    population = make_population(options.units, 120.0)
    own_s, rival_s = time_steps(model, [population], options.windows, options.steps, between=lambda: left @ right)
    seen = 2 * options.windows * options.units * 0.75  # unit dropout keeps three in four on average; none is silent
    work, product = 6 * parameters * seen * tokens, 2 * options.rows * dim * 8 * dim
    shares = work / own_s / (product / rival_s)
    print(
        f"{options.preset}, {parameters:,} parameters, {options.units} units x {options.windows} windows: "
        f"{np.median(own_s):.2f} s a step, {np.median(shares):.0%} ({shares.min():.0%} to {shares.max():.0%}) "
        f"of the rate of its largest product ({product / np.median(rival_s) / 1e9:.0f} Gflop/s); "
        f"medians of {len(shares)} steps"
    )
    held, least = measure_peak_mib() - before, 4 * 4 * parameters / 2**20
    print(
        f"memory of training: {held:.0f} MiB, {held / least:.1f} x its weights, gradients and moments ({least:.0f} MiB)"
    )

    small = new_model("nuclr", preset="small", untrained=True)

    def cost_s(populations):
        windows = min(8, 8 * options.windows)
        return float(np.median(time_steps(small, populations, windows, options.steps + 2)[0]))

    counts = sorted({1, max(2, options.times // 10), options.times})
    names = ", ".join(map(str, counts))
    costs = [cost_s([make_population(options.few, 120.0 * count)]) for count in counts]
    print(f"step on recordings of {names} x 2 min: " + ", ".join(f"{cost / costs[0]:.2f}" for cost in costs))
    parts = make_population(options.few, 120.0)
    costs = [cost_s([parts] * count) for count in counts]
    print(f"step on {names} recordings of 2 min: " + ", ".join(f"{cost / costs[0]:.2f}" for cost in costs))


if __name__ == "__main__":
    main()
