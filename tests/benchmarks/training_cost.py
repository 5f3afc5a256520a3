"""What a step of training costs: work against the largest matrix product, memory, and the length of the recordings.

    python tests/benchmarks/training_cost.py --preset base

Work is counted as 6 operations for each parameter and token, and its rate stated as a share of that of the network's
largest matrix product (16,000 x dim by dim x 8 dim), which is timed after every step. Memory is the most that the
process held, less what it held before the first step.
"""

import argparse
import resource
import sys
import time

import numpy as np
import torch

from nwb_neurid import Population, Spikes, new_model
from nwb_neurid.contracts.training import TrainingOptions

UNITS, RATE_HZ = 700, 5.0


def recording(units, seconds, seed=0):
    """Poisson neurons: what a step costs does not depend on how they fire."""
    rng = np.random.default_rng(seed)
    trains = [np.sort(rng.uniform(0, seconds, rng.poisson(RATE_HZ * seconds))) for _ in range(units)]
    observed_s = np.array([[0.0, seconds]])
    return Population(unit_ids=np.arange(units), activity=Spikes.of(trains), observed_s=observed_s)


def held_mib():
    """The most memory that this process has held, in MiB."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (2**20 if sys.platform == "darwin" else 2**10)


def steps_s(model, populations, windows, steps, between=lambda: None):
    """Times of all steps but the first, and of what is called between them, in seconds."""
    ended, begun = [], []

    def watch(_):
        ended.append(time.perf_counter())
        between()
        begun.append(time.perf_counter())

    model.encoder.fit(populations, TrainingOptions(steps=steps, windows=windows, watch=watch))
    return np.subtract(ended[1:], begun[:-1]), np.subtract(begun[:-1], ended[:-1])


def cost_s(populations):
    """Median time of a step of `small` on 8 windows, in seconds."""
    small = new_model("nuclr", preset="small", untrained=True)
    return float(np.median(steps_s(small, populations, 8, 12)[0]))


def main() -> None:
    """Print one line per figure."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--preset", default="base")
    asked.add_argument("--windows", type=int, default=3)
    asked.add_argument("--steps", type=int, default=10)
    options = asked.parse_args()
    model = new_model("nuclr", preset=options.preset, untrained=True)
    config = dict(model.encoder.config)
    dim, tokens = config["dim"], config["tokens"]
    left, right = torch.randn(16_000, dim), torch.randn(dim, 8 * dim)
    parameters = sum(value.size for value in model.encoder.state().values())
    before = held_mib()
    population = recording(UNITS, 120.0)
    own_s, rival_s = steps_s(model, [population], options.windows, options.steps, between=lambda: left @ right)
    seen = 2 * options.windows * UNITS * 0.75  # unit dropout keeps three in four on average, and none is silent
    work, product = 6 * parameters * seen * tokens, 2 * 16_000 * dim * 8 * dim
    shares = work / own_s / (product / rival_s)
    print(
        f"{options.preset}, {parameters:,} parameters, {UNITS} units x {options.windows} windows: "
        f"{np.median(own_s):.2f} s a step, {np.median(shares):.0%} ({shares.min():.0%} to {shares.max():.0%}) "
        f"of the rate of its largest product ({product / np.median(rival_s) / 1e9:.0f} Gflop/s); "
        f"medians of {len(shares)} steps"
    )
    print(f"memory of training: {held_mib() - before:.0f} MiB")

    costs = [cost_s([recording(50, 120.0 * times)]) for times in (1, 10, 100)]
    print("step on recordings of 1, 10, 100 x 2 min: " + ", ".join(f"{cost / costs[0]:.2f}" for cost in costs))
    parts = recording(50, 120.0)
    costs = [cost_s([parts] * times) for times in (1, 10, 100)]
    print("step on 1, 10, 100 recordings of 2 min: " + ", ".join(f"{cost / costs[0]:.2f}" for cost in costs))


if __name__ == "__main__":
    main()
