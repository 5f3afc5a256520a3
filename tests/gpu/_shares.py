"""Time to embed and to train, as a share of the device's own rate for the same matrix products."""

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import torch
from _device import Device
from _models import build_encoder, find_network, load_plugin
from _populations import draw_population
from _products import Product, count_operations, record_products, time_products
from _report import Report
from _resident import Trainer, draw_batches

from neurid_nuclr.config import NetworkConfig
from neurid_nuclr.training import choose_recipe
from nwb_neurid import Population
from nwb_neurid.contracts import Encoder, TrainingOptions
from nwb_neurid.results import Embeddings
from nwb_neurid.training import TorchEncoder, WindowOptions
from nwb_neurid.training.memory import TOKENS, most_tokens
from nwb_neurid.training.schedule import SHARE

TRAINING, EMBEDDING = 0.40, 0.50
"""Shares that `base` is to reach in bfloat16, training with its path of data."""

RATES_HZ = (5.0, 5.0)
"""No unit is silent in any window."""


def add_share(
    report: Report,
    name: str,
    products: Counter[Product],
    seconds: float,
    device: Device,
    *,
    operations: float | None = None,
    **details: object,
) -> float:
    """Report a share; how long the products take for each operation. All that are done count, or those named."""
    done = count_operations(products)
    rate = done / time_products(device, products)
    wanted = done if operations is None else operations
    found = {"seconds": seconds, "products_tflops": rate / 1e12, "products_done": done / wanted}
    report.add(name, ratio=wanted / seconds / rate, **found, **details)
    return rate


def embed_in(precision: str, encoder: Encoder, population: Population, device: Device) -> Embeddings:
    """Embed in "float32" or "bfloat16"."""
    with torch.autocast(device.name, torch.bfloat16, enabled=precision == "bfloat16"):
        return encoder.embed(population)


def draw_recordings(size: SimpleNamespace, units: int) -> list[Population]:
    """Recordings to train on."""
    return [draw_population("spikes", units, size.seconds, seed, rates_hz=RATES_HZ) for seed in range(size.recordings)]


def time_steps(
    encoder: Encoder, populations: Sequence[Population], device: Device, **options: object
) -> tuple[float, float]:
    """Time to the end of the first step, and the median of the others, in seconds."""
    ended = [time.perf_counter()]

    def watch(_: object) -> None:
        device.wait()
        ended.append(time.perf_counter())

    encoder.fit(populations, TrainingOptions(watch=watch, **options))
    times = [after - before for before, after in pairwise(ended)]
    return times[0], statistics.median(times[2:] or times)


def config_of(preset: str) -> NetworkConfig:
    """The settings of a preset of NuCLR."""
    return NetworkConfig.from_json(load_plugin("nuclr").presets[preset])


def compile_encoder(preset: str, device: Device) -> TorchEncoder:
    """NuCLR with compiled layers."""
    config, raw = config_of(preset), load_plugin("nuclr").presets[preset]
    network = find_network(build_encoder("nuclr", preset, device.name)).with_compiled_layers()
    options = WindowOptions(bin_s=config.step_s, token_bins=config.patch, tokens=config.tokens)
    return TorchEncoder(
        network, config=raw, dim=config.dim, options=options, device=device.name, recipe=choose_recipe(config)
    )


def measure_embedding(preset: str, device: Device, size: SimpleNamespace, report: Report, *, compiled: bool) -> None:
    """A recording from its spikes to its vectors; and windows that lie on the device already."""
    config = config_of(preset)
    population = draw_population("spikes", size.units, size.embedded_s, rates_hz=RATES_HZ)
    plain = build_encoder("nuclr", preset, device.name)
    encoder = compile_encoder(preset, device) if compiled else plain
    network, parameters = find_network(encoder), sum(weight.numel() for weight in find_network(plain).parameters())
    windows = min(size.windows, max(1, most_tokens(device.torch) // (size.units * config.tokens)))
    shape = (windows, size.units, config.patch * config.tokens)
    activity = torch.randint(0, 3, shape, dtype=torch.uint8, device=device.torch)
    whole = 2 * parameters * size.units * config.tokens * int(size.embedded_s // (shape[2] * config.step_s))
    how = " compiled" if compiled else ""
    for precision in ("bfloat16",) if compiled else ("float32", "bfloat16"):
        embed = partial(embed_in, precision, encoder, population, device)
        seconds = device.time_wall(embed, size.repeats)
        products = record_products(partial(embed_in, precision, plain, population, device))
        name = f"{preset} embeds in {precision}{how}"
        rate = add_share(report, f"{name}, from spikes to vectors", products, seconds, device, operations=whole)
        with torch.inference_mode(), torch.autocast(device.name, torch.bfloat16, enabled=precision == "bfloat16"):
            seconds = device.time_kernels(partial(network, activity), size.repeats)
        share = 2 * parameters * windows * size.units * config.tokens / seconds / rate
        goal = {"goal": "embedding", "target": EMBEDDING} if (preset, precision) == ("base", "bfloat16") else {}
        report.add(f"{name}, windows on the device", ratio=share, seconds=seconds, **goal)


def measure_training(
    preset: str, precision: str, device: Device, size: SimpleNamespace, report: Report, *, compiled: bool = False
) -> float:
    """Steps of a training, with all that prepares them. Returns the time of one."""
    config, populations = config_of(preset), draw_recordings(size, size.units)
    options = {"windows": size.windows, "precision": precision}
    encoder = build_encoder("nuclr", preset, device.name)
    steps = size.steps if precision == "bfloat16" else max(3, size.steps // 2)
    first, seconds = time_steps(encoder, populations, device, steps=steps, compile=compiled, **options)
    products = record_products(lambda: encoder.fit(populations, TrainingOptions(steps=1, **options)))
    parameters = sum(weight.numel() for weight in find_network(encoder).parameters())
    operations = 6 * parameters * count_tokens(products, config)
    peak = device.measure_peak(lambda: encoder.fit(populations, TrainingOptions(steps=1, **options)))
    goal = {"goal": "training", "target": TRAINING} if (preset, precision) == ("base", "bfloat16") else {}
    how = {"compiled_in_s": first} if compiled else {}
    name = (
        f"{preset} trains in {precision}{' compiled' if compiled else ''}, {size.units} units x {size.windows} windows"
    )
    add_share(report, name, products, seconds, device, operations=operations, bytes=peak, **how, **goal)
    return seconds


def count_tokens(products: Counter[Product], config: NetworkConfig) -> int:
    """Tokens that the network reads in, from the products of its first layer."""
    first = (config.patch, config.dim)
    return sum(
        number * torch.Size(product.shapes[0][:-1]).numel()
        for product, number in products.items()
        if product.shapes[1] == first
    )


def measure_data_path(
    preset: str, precision: str, whole_s: float, device: Device, size: SimpleNamespace, report: Report
) -> None:
    """Which part of a step goes to windows: to draw, to gather and to pack them."""
    config = config_of(preset)
    few = TOKENS // (size.units * config.tokens)
    most = min(size.windows, max(1, few, -(-size.windows // round(1 / SHARE["cuda"]))))
    batches = draw_batches(device, size.windows // most, most, size.units, config.patch * config.tokens)
    network = find_network(build_encoder("nuclr", preset, device.name))
    trainer = Trainer(network, config.dim, device, precision)
    resident_s = device.time_wall(partial(trainer.step, batches), max(1, size.repeats // 2))
    name = f"{preset} trains in {precision}, part of a step without the path of data"
    report.add(name, ratio=resident_s / whole_s, seconds=resident_s, whole_s=whole_s)
