"""NuCLR `base` on the processor: speed against the largest matrix product of the model, and memory of a session.

Work is counted as 2 operations for each parameter and token, and its rate stated as a share of that of the network's
largest product (16,000 x 256 by 256 x 2,048), which is timed by turns with it. In bfloat16 both have weights and
activations of that type; it also prints how far its vectors are from those in float32.
"""

import subprocess
import sys
from timeit import timeit

import numpy as np
import torch

from neurid_nuclr.checkpoint import load_network
from neurid_nuclr.training import choose_recipe
from nwb_neurid.population import Population, Spikes
from nwb_neurid.training import TorchEncoder, WindowOptions

UNITS, DURATION_S, RATE_HZ, TOKENS, TURNS = 200, 80, 5.0, 10, 7
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


def in_bfloat16(encoder):
    """The same encoder with weights in bfloat16, which its activations follow."""
    config = dict(encoder.config)
    network = load_network(config, encoder.state())
    for weight in network.parameters():
        weight.data = weight.data.bfloat16()
    options = WindowOptions(bin_s=config["bin_s"], token_bins=config["patch"], tokens=config["tokens"])
    return TorchEncoder(
        network, config=config, dim=config["dim"], options=options, device="cpu", recipe=choose_recipe("spikes")
    )


def measured(encoder, parameters, recording, dtype) -> np.ndarray:
    """Print one line about an encoder; its vectors."""
    left, right = torch.randn(16_000, 256, dtype=dtype), torch.randn(256, 2_048, dtype=dtype)
    times = [
        (timeit(lambda: encoder.embed(recording), number=1), timeit(lambda: left @ right, number=3) / 3)
        for _ in range(TURNS)
    ]
    work = 2 * parameters * UNITS * DURATION_S  # one token a second
    rates = [2 * 16_000 * 256 * 2_048 / rival for _, rival in times]
    shares = [work / own / rate for (own, _), rate in zip(times, rates, strict=True)]
    own = float(np.median([own for own, _ in times]))
    speed = UNITS * DURATION_S / TOKENS / own
    print(
        f"{dtype}: embed {UNITS} units x {DURATION_S} s: {own:.2f} s, {speed:,.0f} windows of a unit a second, "
        f"{np.median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f}) x the rate of its largest matrix product "
        f"({np.median(rates) / 1e9:.0f} GFLOP/s); medians of {TURNS} turns"
    )
    return encoder.embed(recording).vectors


def main() -> None:
    """Print all figures."""
    import nwb_neurid

    encoder = nwb_neurid.new_model("nuclr", preset="base", untrained=True, device="cpu").encoder
    recording = population()
    parameters = sum(array.size for array in encoder.state().values())
    exact = measured(encoder, parameters, recording, torch.float32)
    off = measured(in_bfloat16(encoder), parameters, recording, torch.bfloat16) - exact
    size = np.sqrt(np.square(exact).mean())
    print(
        f"bfloat16 is {np.sqrt(np.square(off).mean()) / size:.1e} from float32, a number at most "
        f"{np.abs(off).max() / size:.1e}, of the root mean square of the vectors"
    )
    subprocess.run([sys.executable, "-c", MEMORY], check=True)


if __name__ == "__main__":
    main()
