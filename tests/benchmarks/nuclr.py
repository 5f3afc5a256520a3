"""NuCLR `base` on a CPU: speed against the largest matrix product of the model, and memory of a session.

    python tests/benchmarks/nuclr.py

Work is counted as 2 operations for each parameter and token, and its rate stated as a share of that of the network's
largest product (16,000 x 256 by 256 x 2,048), which is timed by turns with it. In bfloat16 both have weights and
activations of that type; it also prints how far its vectors are from those in float32, of their root mean square.
"""

import subprocess
import sys
from timeit import timeit

import numpy as np
import torch
from _options import parse_options

import nwb_neurid
from neurid_nuclr.checkpoint import load_network
from neurid_nuclr.config import NetworkConfig
from neurid_nuclr.training import choose_recipe
from nwb_neurid.population import Population, Spikes
from nwb_neurid.training import TorchEncoder, WindowOptions

RATE_HZ = 5.0
MEMORY = """
import resource, sys
import numpy as np, nwb_neurid
from nwb_neurid.population import Population, Spikes
units, seconds, preset = int(sys.argv[1]), 100, sys.argv[2]
rng = np.random.default_rng(0)
trains = [np.sort(rng.uniform(0, seconds, rng.poisson(5 * seconds))) for _ in range(units)]
session = Population(unit_ids=np.arange(units), activity=Spikes.of(trains), observed_s=np.array([[0.0, seconds]]))
model = nwb_neurid.new_model("nuclr", preset=preset, untrained=True, device="cpu")
model.embed(session)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
bare = units**2 * 10 * 4 * 4 / 2**20
what = f"{units:,} units x 100 s: peak memory {peak:,.0f} MiB"
print(f"{what}, {peak / bare:.2f} x a window's attention weights ({bare:,.0f} MiB)")
"""


def make_population(units: int, seconds: float) -> Population:
    """Poisson units, all of them active in every window."""
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0, seconds, int(RATE_HZ * seconds))) for _ in range(units)]
    return Population(unit_ids=np.arange(units), activity=Spikes.of(trains), observed_s=np.array([[0.0, seconds]]))


def to_bfloat16(encoder):
    """The same encoder with weights in bfloat16, which its activations follow."""
    config = dict(encoder.config)
    checked = NetworkConfig.from_json(config)
    network = load_network(config, encoder.state())
    for weight in network.parameters():
        weight.data = weight.data.bfloat16()
    options = WindowOptions(bin_s=checked.step_s, token_bins=checked.patch, tokens=checked.tokens)
    return TorchEncoder(
        network, config=config, dim=checked.dim, options=options, device="cpu", recipe=choose_recipe(checked)
    )


def measure(encoder, parameters, recording, options, dtype) -> np.ndarray:
    """Print one line about an encoder; its vectors."""
    config, seconds = NetworkConfig.from_json(encoder.config), options.seconds
    left = torch.randn(options.rows, config.dim, dtype=dtype)
    right = torch.randn(config.dim, 8 * config.dim, dtype=dtype)
    times = [
        (timeit(lambda: encoder.embed(recording), number=1), timeit(lambda: left @ right, number=3) / 3)
        for _ in range(options.turns)
    ]
    tokens = seconds / (config.patch * config.step_s)
    work = 2 * parameters * len(recording) * tokens
    rates = [2 * options.rows * config.dim * 8 * config.dim / rival for _, rival in times]
    shares = [work / own / rate for (own, _), rate in zip(times, rates, strict=True)]
    own = float(np.median([own for own, _ in times]))
    print(
        f"{dtype}: embed {len(recording)} units x {seconds:g} s: {own:.2f} s, "
        f"{len(recording) * tokens / config.tokens / own:,.0f} windows of a unit a second, {np.median(shares):.2f} "
        f"({min(shares):.2f} to {max(shares):.2f}) x the rate of its largest matrix product "
        f"({np.median(rates) / 1e9:.0f} GFLOP/s); medians of {options.turns} turns"
    )
    return encoder.embed(recording).vectors


def main() -> None:
    options = parse_options(
        __doc__,
        full={"preset": "base", "units": 200, "seconds": 80.0, "turns": 7, "rows": 16_000, "session": 1_769},
        tiny={"preset": "small", "units": 10, "seconds": 20.0, "turns": 1, "rows": 100, "session": 20},
    )
    encoder = nwb_neurid.new_model("nuclr", preset=options.preset, untrained=True, device="cpu").encoder
    recording = make_population(options.units, options.seconds)
    parameters = sum(array.size for array in encoder.state().values())
    exact = measure(encoder, parameters, recording, options, torch.float32)
    off = measure(to_bfloat16(encoder), parameters, recording, options, torch.bfloat16) - exact
    size = np.sqrt(np.square(exact).mean())
    print(
        f"vectors in bfloat16 differ from those in float32 by {np.sqrt(np.square(off).mean()) / size:.1e} x their root "
        f"mean square, a number by at most {np.abs(off).max() / size:.1e} x"
    )
    subprocess.run([sys.executable, "-c", MEMORY, str(options.session), options.preset], check=True)


if __name__ == "__main__":
    main()
