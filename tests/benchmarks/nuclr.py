"""NuCLR on a CPU: against the authors' flow of data, against its largest matrix product, and memory of a session.

    python tests/benchmarks/nuclr.py

At dim 64 (`small` with tokens of 1 s) and on the same weights, CPU time is compared with that of the authors' flow:
packed tokens and block-diagonal attention, written anew in `tests/gpu/_authors.py`. Both take turns in one process, so
that other work on the machine disturbs both.

`base` is compared with its largest product (16,000 x 256 by 256 x 2,048), which is timed by turns with it. Work is
counted as 2 operations for each parameter and token. In bfloat16 both have weights and activations of that type; it
also prints how far its vectors are from those in float32, of their root mean square.
"""

import subprocess
import sys
import time
from pathlib import Path
from timeit import timeit

import numpy as np
import torch
from _options import parse_options

import nwb_neurid
from neurid_nuclr import initial_state
from neurid_nuclr.checkpoint import load_network
from neurid_nuclr.config import NetworkConfig
from neurid_nuclr.training import choose_recipe
from nwb_neurid import registry
from nwb_neurid.population import Population, Spikes
from nwb_neurid.training import ContrastiveLoss, TorchEncoder, WindowOptions

sys.path.append(str(Path(__file__).parents[1] / "gpu"))
from _authors import PackedFlow, sum_loss

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


def time_by_turns(own, rival, turns):
    """Median CPU time of one, and how many times as long the other takes: median and range."""
    taken = []
    for _ in range(turns + 1):  # the first turn warms up
        for work in (own, rival):
            started = time.process_time()
            work()
            taken.append(time.process_time() - started)
    own_s, rival_s = np.array(taken[2:]).reshape(-1, 2).T
    ratios = rival_s / own_s
    return f"{np.median(own_s):.3f} s, {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f}) x"


def compare_embedding(config, state, activity, dtype, turns):
    """Print how many times as fast as the authors' flow windows are embedded."""
    network = load_network(config, state).eval()
    for weight in network.parameters():
        weight.data = weight.data.to(dtype)
    flow, sizes, packed = PackedFlow(network), [activity.shape[1]] * len(activity), activity.flatten(0, 1)
    with torch.inference_mode():
        off = float((network(activity).flatten(0, 1) - flow(packed, sizes)).abs().max())
        if off > (1e-5 if dtype == torch.float32 else 0.1):
            raise SystemExit(f"The vectors of the two differ by up to {off:.1e}.")
        found = time_by_turns(lambda: network(activity), lambda: flow(packed, sizes), turns)
    print(
        f"dim {config['dim']}, {dtype}: embed {activity.shape[1]} units x {len(activity)} windows: {found} as fast as "
        f"the authors' flow, {off:.0e} apart"
    )


def compare_training(config, state, activity, turns):
    """Print how many times as fast as the authors' flow a step of training is."""
    network, loss = load_network(config, state).train(), ContrastiveLoss(config["dim"])
    flow, (windows, units) = PackedFlow(network), (len(activity) // 2, activity.shape[1])
    sizes, seen = [units] * windows, torch.ones(2, windows, units, dtype=torch.bool)

    def step():
        network.zero_grad()
        (loss(network(activity).unflatten(0, (2, windows)), seen) / (windows * units)).backward()

    def step_as_authors():
        network.zero_grad()
        vectors = flow(activity.flatten(0, 1), sizes * 2).unflatten(0, (2, -1))
        sum_loss(loss.projector, vectors, sizes).backward()

    found = time_by_turns(step, step_as_authors, turns)
    print(f"dim {config['dim']}: train {units} units x {windows} windows: {found} as fast as the authors' flow")


def compare_with_authors(options):
    """Print the comparisons with the authors' flow at dim 64."""
    config = {**registry.encoders().load("nuclr").presets["small"], "patch": 50, "tokens": 10}
    state = initial_state(config, 0)
    generator = torch.Generator().manual_seed(0)
    for windows in (1, options.windows):
        shape = (windows, options.units, config["patch"] * config["tokens"])
        activity = torch.randint(0, 4, shape, dtype=torch.uint8, generator=generator)
        for dtype in (torch.float32, torch.bfloat16):
            compare_embedding(config, state, activity, dtype, options.turns)
    compare_training(config, state, activity, options.turns)


def main() -> None:
    options = parse_options(
        __doc__,
        full={
            "preset": "base",
            "units": 200,
            "windows": 8,
            "seconds": 80.0,
            "turns": 7,
            "rows": 16_000,
            "session": 1_769,
        },
        tiny={"preset": "small", "units": 10, "windows": 2, "seconds": 20.0, "turns": 1, "rows": 100, "session": 20},
    )
    subprocess.run([sys.executable, "-c", MEMORY, str(options.session), options.preset], check=True)
    compare_with_authors(options)
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


if __name__ == "__main__":
    main()
