"""What each group of figures measures; `figures.py` runs them."""

from collections import Counter
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from _authors import PackedFlow
from _device import Device
from _models import build_encoder, find_network
from _populations import draw_population
from _products import record_products
from _report import Report
from _resident import Trainer, draw_batches
from _shares import (
    RATES_HZ,
    add_share,
    draw_recordings,
    embed_in,
    measure_data_path,
    measure_embedding,
    measure_training,
    time_steps,
)
from torch.nn.attention import SDPBackend, sdpa_kernel

from nwb_neurid.contracts import TrainingOptions


def measure_card(device: Device, size: SimpleNamespace, report: Report) -> None:
    """What the card does at best: large products, and a copy."""
    for dtype in (torch.bfloat16, torch.float32):
        left, right = (torch.randn(size.side, size.side, dtype=dtype, device=device.torch) for _ in range(2))
        seconds = device.time_kernels(partial(torch.mm, left, right), size.repeats)
        report.add(f"card, product of {size.side}^3 in {str(dtype)[6:]}", tflops=2 * size.side**3 / seconds / 1e12)
    source = torch.randint(0, 9, (2 * size.side**2,), dtype=torch.int64, device=device.torch)
    seconds = device.time_kernels(partial(torch.empty_like(source).copy_, source), size.repeats)
    report.add("card, copy", terabytes_a_second=2 * source.nbytes / seconds / 1e12)


def measure_base(device: Device, size: SimpleNamespace, report: Report) -> None:
    """NuCLR `base` as users get it."""
    with report.trying("card"):
        measure_card(device, size, report)
    for precision in ("bfloat16", "float32"):
        with report.trying(f"base trains in {precision}"):
            whole_s = measure_training("base", precision, device, size, report)
            measure_data_path("base", precision, whole_s, device, size, report)
    with report.trying("base embeds"):
        measure_embedding("base", device, size, report, compiled=False)


def measure_base_compiled(device: Device, size: SimpleNamespace, report: Report) -> None:
    """NuCLR `base` with compiled layers."""
    with device.compile_quickly(), report.trying("base trains compiled"):
        measure_training("base", "bfloat16", device, size, report, compiled=True)
    with device.compile_quickly(), report.trying("base embeds compiled"):
        measure_embedding("base", device, size, report, compiled=True)


def measure_small(device: Device, size: SimpleNamespace, report: Report) -> None:
    """NuCLR `small`, with as many windows in a step as `base`."""
    for precision in ("bfloat16", "float32"):
        with report.trying(f"small trains in {precision}"):
            measure_training("small", precision, device, size, report)
    with report.trying("small embeds"):
        measure_embedding("small", device, size, report, compiled=False)


def measure_small_compiled(device: Device, size: SimpleNamespace, report: Report) -> None:
    """NuCLR `small` with compiled layers."""
    with device.compile_quickly(), report.trying("small trains compiled"):
        measure_training("small", "bfloat16", device, size, report, compiled=True)


def measure_neurpir(device: Device, size: SimpleNamespace, report: Report) -> None:
    """NeurPIR `base`. Its tokens are spikes, so that its work is counted as it is done."""
    population = draw_population("spikes", size.units, size.embedded_s / 2, rates_hz=RATES_HZ)
    populations = draw_recordings(size, min(size.units, 100))
    for precision in ("float32", "bfloat16"):
        with report.trying(f"neurpir base embeds in {precision}"):
            embed = partial(embed_in, precision, build_encoder("neurpir", "base", device.name), population, device)
            seconds = device.time_wall(embed, max(1, size.repeats // 2))
            add_share(report, f"neurpir base embeds in {precision}", record_products(embed), seconds, device)
        with report.trying(f"neurpir base trains in {precision}"):
            encoder = build_encoder("neurpir", "base", device.name)
            options = {"windows": 12, "precision": precision}
            _, seconds = time_steps(encoder, populations, device, steps=size.steps, **options)
            products = record_products(partial(encoder.fit, populations, TrainingOptions(steps=2, **options)))
            a_step = Counter({product: number / 2 for product, number in products.items()})
            add_share(report, f"neurpir base trains in {precision}", a_step, seconds, device)


def measure_authors(device: Device, size: SimpleNamespace, report: Report) -> None:
    """Our flow of data against the authors': the same network, on the same windows."""
    network = find_network(build_encoder("nuclr", "base", device.name))
    batches = draw_batches(device, min(16, size.windows), -(-size.windows // 16), size.units, 500)
    activity, present, sizes = batches[0].activity[0], batches[0].present, batches[0].sizes
    flow = PackedFlow(network)
    ways = {"ours": lambda: network(activity, present)[present], "theirs": lambda: flow(activity[present], sizes)}
    with torch.inference_mode():
        off = float((ways["ours"]() - ways["theirs"]()).norm() / ways["ours"]().norm())
        report.add("authors, distance of their vectors from ours", distance=off)
        if not off < 1e-4:
            raise ValueError(f"the two flows compute different vectors, {off:.1e} apart")
        for precision in ("float32", "bfloat16"):
            with torch.autocast(device.name, torch.bfloat16, enabled=precision == "bfloat16"):
                times = {name: device.time_kernels(way, size.repeats) for name, way in ways.items()}
            add_rival(report, f"base embeds in {precision}", times)
    for precision in ("bfloat16", "float32"):
        trainer = Trainer(network, 256, device, precision)
        steps = {"ours": trainer.step, "theirs": trainer.step_as_authors}
        repeats = max(1, size.repeats // 2)
        times = {name: device.time_wall(partial(step, batches), repeats) for name, step in steps.items()}
        add_rival(report, f"base trains in {precision}", times)


def add_rival(report: Report, name: str, times: dict[str, float]) -> None:
    """How many times as fast ours is."""
    ratio = times["theirs"] / times["ours"]
    report.add(
        f"{name}, times as fast as the authors' flow", ratio=ratio, ours_s=times["ours"], theirs_s=times["theirs"]
    )


def measure_units(device: Device, size: SimpleNamespace, report: Report) -> None:
    """Time and memory of one window of more and more units."""
    network = find_network(build_encoder("nuclr", "base", device.name))
    rows = []
    for units in size.many:
        with report.trying(f"one window of {units} units"):
            rows.append(measure_one_window(network, units, device, size))
            report.add(f"base in bfloat16, one window of {units} units", **rows[-1])
    half = rows[len(rows) // 2 - 1 :]
    for name in ("embedding_s", "embedding_bytes", "training_s", "training_bytes"):
        if len(half) > 1 and all(row[name] > 0 for row in half):
            logs = np.log([[row["units"], row[name]] for row in half])
            slope = float(np.polyfit(*logs.T, 1)[0])
            report.add(f"slope of {name} over units", slope=slope, lowest=half[0]["units"], highest=half[-1]["units"])


def measure_one_window(
    network: torch.nn.Module, units: int, device: Device, size: SimpleNamespace
) -> dict[str, int | float]:
    """Time and peak memory to embed a window, and to train on a pair of them."""
    (batch,) = draw_batches(device, 1, 1, units, 500)
    trainer = Trainer(network, 256, device, "bfloat16")

    def embed() -> None:
        network.eval()
        with torch.inference_mode(), torch.autocast(device.name, torch.bfloat16):
            network(batch.activity[0], batch.present)

    def train() -> None:
        network.train()
        trainer.step([batch])

    row: dict[str, int | float] = {"units": units}
    for name, call in (("embedding", embed), ("training", train)):
        row[f"{name}_s"] = device.time_wall(call, max(1, size.repeats // 2))
        row[f"{name}_bytes"] = device.measure_peak(call)
    return row


def measure_attention(device: Device, size: SimpleNamespace, report: Report) -> None:
    """Attention alone, by each of PyTorch's kernels: across units with and without a mask, and along time."""
    aligned = -(-size.length // 8) * 8
    across, along = ((8, 40, aligned, 64), (size.rows, 4, 10, 64))
    mask = (torch.arange(aligned, device=device.torch) < size.length)[None, None, None].expand(8, 1, 1, -1)
    together = (size.rows // 12, 4, 120, 64)
    blocks = torch.block_diag(*[torch.ones(10, 10)] * 12).bool().to(device.torch)[None, None]
    cases = {
        "across units": (across, None),
        "across units, keys masked": (across, mask),
        "along time": (along, None),
        "along time, 12 units together": (together, blocks),
    }
    kernels = ("FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION") if device.is_gpu else ()
    for case, (shape, keys) in cases.items():
        for kernel in ("default", *kernels):
            allowed = nullcontext() if kernel == "default" else sdpa_kernel(SDPBackend.__members__[kernel])
            name = f"attention {case}, {kernel.lower()}"
            with report.trying(name), allowed:
                measure_kernel(name, shape, keys, device, size, report)


def measure_kernel(
    name: str,
    shape: tuple[int, ...],
    mask: torch.Tensor | None,
    device: Device,
    size: SimpleNamespace,
    report: Report,
) -> None:
    """Time and memory of one attention in bfloat16, without and with its gradient."""
    parts = [torch.randn(shape, dtype=torch.bfloat16, device=device.torch, requires_grad=True) for _ in range(3)]
    slope = torch.randn(shape, dtype=torch.bfloat16, device=device.torch)

    def attend() -> torch.Tensor:
        return F.scaled_dot_product_attention(*parts, attn_mask=mask)

    def learn() -> None:
        attend().backward(slope)

    with torch.no_grad():
        forward_s = device.time_kernels(attend, size.repeats)
    both_s = device.time_kernels(learn, size.repeats)
    report.add(name, forward_s=forward_s, with_gradient_s=both_s, bytes=device.measure_peak(learn))


def measure_profile(device: Device, size: SimpleNamespace, report: Report) -> None:
    """Where the time of a step of training, and of embedding, goes."""
    from torch.profiler import ProfilerActivity, profile

    network = find_network(build_encoder("nuclr", "base", device.name))
    batches = draw_batches(device, 2, max(1, size.windows // 16), size.units, 500)
    trainer = Trainer(network, 256, device, "bfloat16")

    def embed() -> None:
        with torch.inference_mode(), torch.autocast(device.name, torch.bfloat16):
            network.eval()(batches[0].activity[0], batches[0].present)

    def train() -> None:
        network.train()
        trainer.step(batches)

    activities = [ProfilerActivity.CUDA if device.is_gpu else ProfilerActivity.CPU]
    for name, call in (("train", train), ("embed", embed)):
        call()
        with profile(activities=activities) as profiler:
            call()
            device.wait()
        times = {event.key: time_of(event, device) for event in profiler.key_averages()}
        longest = sorted(times, key=times.get, reverse=True)[:16]
        total = sum(times.values())
        top = [[key[:90], float(f"{times[key] / total:.3g}")] for key in longest]
        report.add(f"base in bfloat16, parts of the time to {name}", milliseconds=total / 1000, top=top)
        for key, share in top[:8]:
            print(f"    {share:.1%} {key}", flush=True)


def time_of(event: object, device: Device) -> float:
    """Microseconds that an operation itself took on the device."""
    own, older = ("self_device_time_total", "self_cuda_time_total") if device.is_gpu else ("self_cpu_time_total", "")
    return float(getattr(event, own, getattr(event, older, 0.0) if older else 0.0))


GROUPS = {
    "base": measure_base,
    "base-compiled": measure_base_compiled,
    "authors": measure_authors,
    "units": measure_units,
    "profile": measure_profile,
    "attention": measure_attention,
    "small": measure_small,
    "neurpir": measure_neurpir,
    "small-compiled": measure_small_compiled,
}
"""In the order in which they run."""
