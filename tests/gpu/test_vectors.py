"""Vectors that a GPU computes are those of the CPU.

Distances are relative: the norm of the difference of two sets of vectors, by the norm of one. Float32 on both differs
in the order of sums alone, about 1e-6. On a machine without a GPU, its ways through the code are taken on the CPU.
"""

import numpy as np
import pytest
import torch
from _models import build_encoder, find_network, list_presets
from _populations import draw_population

from nwb_neurid import load_model

pytestmark = pytest.mark.gpu

FLOAT32 = 1e-4
BFLOAT16 = 3e-2
SECONDS = {"spikes": 64.0, "dff": 96.0}


def kind_of(preset):
    return "dff" if "calcium" in preset else "spikes"


def distance(found, expected):
    there = ~np.isnan(expected).any(axis=1)
    np.testing.assert_array_equal(np.isnan(found).any(axis=1), ~there)
    return float(np.linalg.norm(found[there] - expected[there]) / np.linalg.norm(expected[there]))


@pytest.mark.parametrize(("name", "preset"), list_presets())
def test_every_preset_gives_the_vectors_of_the_cpu(device, record_property, name, preset):
    population = draw_population(kind_of(preset), 24, SECONDS[kind_of(preset)])
    expected = build_encoder(name, preset, "cpu").embed(population)
    with device.take_gpu_paths():
        found = build_encoder(name, preset, device.name).embed(population)
    off = distance(found.vectors, expected.vectors)
    record_property("distance", off)
    print(f"{name} {preset}: {off:.1e}")
    assert off < FLOAT32
    np.testing.assert_array_equal(found.n_windows, expected.n_windows)
    np.testing.assert_allclose(found.stability, expected.stability, atol=1e-3)
    assert found.reasons.tolist() == expected.reasons.tolist()


@pytest.mark.parametrize("name", ["default-spikes", "default-calcium"])
def test_bundled_models_give_the_vectors_of_the_cpu(device, name):
    population = draw_population("spikes" if "spikes" in name else "dff", 20, 60.0)
    expected = load_model(name, device="cpu").embed(population)
    with device.take_gpu_paths():
        found = load_model(name, device=device.name).embed(population)
    assert distance(found.vectors, expected.vectors) < FLOAT32


@pytest.mark.parametrize("name", ["nuclr", "neurpir"])
def test_the_same_vectors_come_again_and_in_any_order_of_units(device, name):
    population = draw_population("spikes", 24, 40.0)
    order = np.random.default_rng(0).permutation(24)
    with device.take_gpu_paths():
        encoder = build_encoder(name, "small", device.name)
        first, again = encoder.embed(population).vectors, encoder.embed(population).vectors
        permuted = encoder.embed(population.select(order)).vectors
    assert distance(again, first) < 1e-6
    assert distance(permuted, first[order]) < 1e-5


@pytest.mark.parametrize(("name", "preset"), [("nuclr", "base"), ("nuclr", "small"), ("neurpir", "small")])
def test_bfloat16_is_close_to_float32(device, record_property, name, preset):
    population = draw_population("spikes", 24, 40.0)
    with device.take_gpu_paths():
        encoder = build_encoder(name, preset, device.name)
        exact = encoder.embed(population).vectors
        with torch.autocast(device.name, torch.bfloat16):
            off = distance(encoder.embed(population).vectors, exact)
    record_property("distance", off)
    print(f"{name} {preset} in bfloat16: {off:.1e}")
    assert off < BFLOAT16


def test_a_compiled_network_gives_the_same_vectors(device):
    network = find_network(build_encoder("nuclr", "small", device.name))
    generator = torch.Generator().manual_seed(0)
    activity = torch.randint(0, 3, (3, 13, 500), dtype=torch.uint8, generator=generator).to(device.torch)
    present = (torch.arange(13) < torch.tensor([13, 7, 10])[:, None]).to(device.torch)
    with device.take_gpu_paths(), device.compile_quickly(), torch.inference_mode():
        expected = network(activity, present)[present]
        found = network.with_compiled_layers()(activity, present)[present]
    assert (found - expected).norm() < FLOAT32 * expected.norm()


def test_more_windows_than_a_kernel_of_attention_takes(device):
    from neurid_nuclr.config import NetworkConfig
    from neurid_nuclr.network import Network

    sizes = {"patch": 5, "tokens": 2, "dim": 8, "heads": 1, "dim_head": 8, "temporal_blocks": 1}
    config = NetworkConfig(activity="spikes", bin_s=0.02, spatiotemporal_blocks=1, dropout=0.0, **sizes)
    with torch.random.fork_rng(devices=()):
        torch.default_generator.manual_seed(0)
        network = Network(config).to(device.torch)
    activity = torch.randint(0, 3, (66_000, 1, 10), dtype=torch.uint8).to(device.torch)
    with device.take_gpu_paths():
        vectors = network(activity)
        vectors.square().sum().backward()
        few = network(activity[-3:])
    assert torch.isfinite(network.read_in.weight.grad).all()
    assert (vectors[-3:] - few).norm() < FLOAT32 * few.norm()


def test_units_that_all_are_padding_give_numbers(device):
    network = find_network(build_encoder("nuclr", "small", device.name))
    activity = torch.ones(2, 5, 500, dtype=torch.uint8, device=device.torch)
    present = torch.tensor([[True] * 3 + [False] * 2, [False] * 5], device=device.torch)
    with device.take_gpu_paths():
        vectors = network(activity, present)
        vectors[present].square().sum().backward()
    assert torch.isfinite(vectors).all()
    assert all(torch.isfinite(weight.grad).all() for weight in network.parameters())
