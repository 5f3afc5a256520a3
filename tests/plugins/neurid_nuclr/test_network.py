"""The network: it gives the official numbers, and obeys the symmetries that its method rests on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurid_nuclr import attention, feed_forward, initial_state, products
from neurid_nuclr import network as module
from neurid_nuclr.checkpoint import load_network, read_checkpoint
from neurid_nuclr.config import NetworkConfig
from neurid_nuclr.network import Network, RotaryPositions
from nwb_neurid.errors import InvalidModel

pytestmark = pytest.mark.usefixtures("one_thread")

PATCH = 5
BASE = {
    "activity": "spikes",
    "bin_s": 0.02,
    "patch": 50,
    "tokens": 10,
    "dim": 256,
    "heads": 4,
    "dim_head": 64,
    "temporal_blocks": 2,
    "spatiotemporal_blocks": 2,
    "dropout": 0.2,
}


@pytest.fixture(params=["spikes", "calcium"])
def golden(request, shared_golden):
    """A network with official weights, and what the official code computed with them."""
    config, state = read_checkpoint(shared_golden / f"nuclr_{request.param}_weights.safetensors", {})
    with np.load(shared_golden / f"nuclr_{request.param}_values.npz") as values:
        return load_network(config, state), dict(values)


def counts(seed, windows=2, units=6, tokens=4):
    generator = torch.Generator().manual_seed(seed)
    shape = (windows, units, tokens * PATCH)
    return torch.randint(0, 4, shape, dtype=torch.uint8, generator=generator)


def close(left, right, tolerance=1e-5):
    np.testing.assert_allclose(left.detach().numpy(), right.detach().numpy(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("view", ["1", "2"])
def test_embeddings_are_the_official_ones(golden, view, gradients):
    network, values = golden
    activity, expected = (torch.from_numpy(values[name + view]) for name in ("view", "embedding"))
    present = torch.arange(max(values["sizes"])) < torch.from_numpy(values["sizes"])[:, None]
    padded = torch.zeros(*present.shape, activity.shape[1])
    padded[present] = activity
    with torch.set_grad_enabled(gradients):
        close(network(padded, present)[present], expected)
        alone = [network(window[None])[0] for window in activity.split(values["sizes"].tolist())]
        close(torch.cat(alone), expected)


def test_rotary_periods_are_the_official_ones(golden):
    network, values = golden
    tokens = values["view1"].shape[1] // network.patch
    close(RotaryPositions(16, tokens).omega, network.rotary_emb.omega, 1e-6)


def test_base_has_the_parameters_of_the_paper():
    assert sum(parameter.numel() for parameter in Network(NetworkConfig(**BASE)).parameters()) == 6_330_624


@given(seed=st.integers(0, 1000))
def test_the_order_of_units_does_not_matter(network, seed):
    activity = counts(seed)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
    close(network(activity[:, order]), network(activity)[:, order])


@given(seed=st.integers(0, 1000), padding=st.integers(1, 9))
def test_padding_changes_nothing(network, seed, padding):
    activity = counts(seed)
    padded = torch.cat([activity, counts(seed + 1, units=padding)], 1)
    present = torch.arange(6 + padding).expand(2, -1) < 6
    close(network(padded, present)[:, :6], network(activity))


def test_units_matter_to_one_another(network):
    activity = counts(0)
    assert (network(activity)[:, :3] - network(activity[:, :3])).abs().max() > 1e-3


def test_windows_do_not_matter_to_one_another(network):
    activity = counts(0)
    close(network(activity), torch.cat([network(window[None]) for window in activity]))


def test_the_order_of_tokens_matters(network):
    tokens = counts(0).unflatten(-1, (4, 5))
    assert (network(tokens.flip(2).flatten(2)) - network(tokens.flatten(2))).abs().max() > 1e-3


@pytest.mark.parametrize("tokens", [1, 2, 37])
def test_windows_may_have_any_number_of_tokens(network, tokens):
    vectors = network(counts(0, tokens=tokens))
    assert vectors.shape == (2, 6, 16)
    assert vectors.isfinite().all()


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_without_units_there_are_no_vectors(network, shape, gradients):
    activity, present = torch.zeros(*shape, 20), torch.zeros(shape, dtype=torch.bool)
    with torch.set_grad_enabled(gradients):
        assert network(activity).shape == network(activity, present).shape == (*shape, 16)


def test_counts_are_taken_as_numbers(network):
    activity = counts(0)
    close(network(activity), network(activity.float()), 0)
    close(network(activity), network(activity.half()), 0)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("piece_tokens", [1, 20, 1000])
def test_pieces_without_gradients_give_the_same(network, monkeypatch, piece_tokens, masked):
    activity = counts(0, windows=5)
    present = torch.arange(6) < torch.tensor([6, 3, 1, 5, 0])[:, None] if masked else None
    with_gradients = network(activity, present)
    for part in (module, attention):
        monkeypatch.setattr(part, "PIECE_TOKENS", piece_tokens)
    with torch.inference_mode():
        close(network(activity, present).clone(), with_gradients)


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("on_cpu", lambda _: False),  # as on a GPU: padding taken out, one product for all parts of a layer
        ("LEAST_PRESENT", 2.0),
        ("LEAST_PRESENT", 0.0),
        ("MOST_ROWS", 2),
        ("LEAST_ROWS", 1),  # oneDNN's products, where there are any, for few rows too
        ("SHORT", 0),  # torch's kernel for attention along time
        ("SAFE", 0.0),  # scores about their largest
    ],
)
def test_however_it_is_computed_vectors_and_gradients_are_the_same(network, monkeypatch, name, value, gradients):
    activity = counts(0, windows=5, units=11)
    present = torch.arange(11) < torch.tensor([11, 10, 11, 9, 11])[:, None]

    def compute():
        network.zero_grad()
        vectors = network(activity, present)[present]
        if gradients:
            vectors.square().sum().backward()
        slopes = [parameter.grad for parameter in network.parameters() if gradients]
        return torch.cat([part.flatten() for part in [vectors.detach(), *slopes]])

    with torch.inference_mode(not gradients):
        expected = compute()
        for part in (products, attention, feed_forward, module):
            if hasattr(part, name):
                monkeypatch.setattr(part, name, value)
        found = compute()
    assert (found - expected).norm() < 1e-5 * expected.norm()


def test_layers_are_compiled_for_a_network_of_the_same_weights(network, monkeypatch):
    asked = []

    def compile_nothing(function, **options):
        asked.append(options)
        return lambda *args, **words: function(*args, **words)

    monkeypatch.setattr(torch, "compile", compile_nothing)
    compiled, activity = network.with_compiled_layers(), counts(0)
    assert asked == [{"dynamic": True}]
    assert network.run is module._add_residual is not compiled.run
    assert all(own is other for own, other in zip(network.parameters(), compiled.parameters(), strict=True))
    with torch.inference_mode():
        close(compiled(activity), network(activity))


def test_training_keeps_no_hidden_units_without_dropout(network, monkeypatch):
    """With dropout they are kept, since its masks are drawn once."""

    def count_kept(share):
        sizes = []
        for layer in network.modules():
            if hasattr(layer, "share"):
                monkeypatch.setattr(layer, "share", share)
        with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
            network(counts(0, windows=3, units=100))
        return sum(sizes)

    assert count_kept(0.0) < 0.7 * count_kept(0.2)


def test_activity_is_left_as_it_was(network):
    activity = counts(0).float()
    before = activity.clone()
    with torch.inference_mode():
        network(activity)
    close(activity, before, 0)


def test_a_window_without_units_gives_numbers_and_gradients(network):
    activity = counts(0).float().requires_grad_()
    present = torch.arange(6) < torch.tensor([4, 0])[:, None]
    vectors = network(activity, present)
    assert vectors.isfinite().all()
    network.zero_grad()
    vectors[present].square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())
    assert all(parameter.grad.any() for parameter in network.parameters())
    assert activity.grad[present].any(-1).all()
    assert not activity.grad[~present].any()


def test_half_precision_is_close(network):
    activity = counts(0)
    with torch.autocast("cpu", torch.bfloat16):
        vectors = network(activity)
    close(vectors.float(), network(activity), 0.1)


def test_dropout_acts_in_training_alone(network):
    activity = counts(0)
    close(network(activity), network(activity), 0)
    network.train()
    assert not torch.equal(network(activity), network(activity))
    network.eval()


def test_untrained_weights_follow_from_the_seed_alone(small):
    before = torch.get_rng_state()
    first = initial_state(small, 7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    again, other = initial_state(small, 7), initial_state(small, 8)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["read_in.weight"], other["read_in.weight"])


def test_untrained_weights_need_a_config(small):
    with pytest.raises(InvalidModel, match="tokens must be a positive whole number, got 0"):
        initial_state(small | {"tokens": 0}, 0)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_large_population_fits_in_memory():
    """1,769 units are the largest session of Steinmetz et al. (2019)."""
    code = f"""
import re, torch
from neurid_nuclr.config import NetworkConfig
from neurid_nuclr.network import Network
torch.set_num_threads(1)
network = Network(NetworkConfig(**{BASE})).eval()
activity = torch.randint(0, 3, (1, 1769, 500), dtype=torch.uint8)
present = torch.arange(1769)[None] < 1700
with torch.inference_mode():
    network(activity, present)
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 2 * 1024**2
