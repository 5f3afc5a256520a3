"""NuCLR `base` on the processor: speed against the largest matrix product of the model, and memory of a session."""

import subprocess
import sys
from timeit import repeat

import numpy as np
import torch

from nwb_neurid.population import Population, Spikes

UNITS, DURATION_S, RATE_HZ, TOKENS = 200, 80, 5.0, 10
MEMORY = """
import resource, sys
import numpy as np, nwb_neurid
from nwb_neurid.population import Population, Spikes
rng = np.random.default_rng(0)
trains = [np.sort(rng.uniform(0, 100, rng.poisson(500))) for _ in range(1769)]
session = Population(unit_ids=np.arange(1769), activity=Spikes.of(trains), observed_s=np.array([[0.0, 100.0]]))
model = nwb_neurid.new_model("nuclr", preset="base", untrained=True, device="cpu")
model.embed(session)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 2**10)
bare = 1769**2 * 10 * 4 * 4 / 2**20
print(f"1,769 units x 100 s: peak {peak:,.0f} MiB, {peak / bare:.2f} x a window's attention weights ({bare:,.0f} MiB)")
"""


def population() -> Population:
    """Poisson units, all of them active in every window."""
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, DURATION_S, int(RATE_HZ * DURATION_S))) for _ in range(UNITS)]
    observed = np.array([[0.0, float(DURATION_S)]])
    return Population(unit_ids=np.arange(UNITS), activity=Spikes.of(trains), observed_s=observed)


def main() -> None:
    """Print both figures."""
    import nwb_neurid

    model = nwb_neurid.new_model("nuclr", preset="base", untrained=True, device="cpu")
    recording = population()
    ours = min(repeat(lambda: model.embed(recording), number=1, repeat=3))
    parameters = sum(array.size for array in model.encoder.state().values())
    work = 2 * parameters * UNITS * DURATION_S  # one token a second
    left, right = torch.randn(16_000, 256), torch.randn(256, 2_048)
    rival = min(repeat(lambda: left @ right, number=5, repeat=5)) / 5
    rate = 2 * 16_000 * 256 * 2_048 / rival
    speed = UNITS * DURATION_S / TOKENS / ours
    print(
        f"embed {UNITS} units x {DURATION_S} s: {ours:.2f} s, {speed:,.0f} windows of a unit a second, "
        f"{work / ours / rate:.2f} x the rate of its largest matrix product ({rate / 1e9:.0f} GFLOP/s)"
    )
    subprocess.run([sys.executable, "-c", MEMORY], check=True)


if __name__ == "__main__":
    main()
