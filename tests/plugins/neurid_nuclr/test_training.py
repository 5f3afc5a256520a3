"""The recipe of the authors, and their gradient."""

import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from neurid_nuclr import PLUGIN
from neurid_nuclr.checkpoint import load_network, read_checkpoint
from neurid_nuclr.config import NetworkConfig
from neurid_nuclr.training import choose_recipe
from nwb_neurid.training import ContrastiveLoss


@pytest.mark.parametrize(
    ("preset", "windows", "learning_rate", "distance_s"),
    [
        ("base", 128, 5e-4, 30.0),
        ("base-calcium", 16, 1.25e-4, 240.0),
        ("small", 1, 1e-3, 30.0),
        ("small-calcium", 1, 1e-3, 240.0),
    ],
)
def test_settings_are_the_authors_but_for_the_steps_of_small(preset, windows, learning_rate, distance_s):
    own = choose_recipe(NetworkConfig.from_json(PLUGIN.presets[preset]))
    assert (own.windows, own.learning_rate, own.max_distance_s) == (windows, learning_rate, distance_s)
    assert (own.weight_decay, own.clip, own.keep_units, own.shortest) == (0.01, 1.0, 0.5, 1.0)


@pytest.mark.parametrize("kind", ["spikes", "calcium"])
def test_loss_and_gradient_are_the_official_ones(shared_golden, kind):
    config, state = read_checkpoint(shared_golden / f"nuclr_{kind}_weights.safetensors", {})
    network = load_network({**config, "dropout": 0.0}, state).train()
    loss = ContrastiveLoss(32)
    loss.load_state_dict(load_file(shared_golden / f"nuclr_{kind}_loss_weights.safetensors"))
    with np.load(shared_golden / f"nuclr_{kind}_values.npz") as file:
        values = {name: file[name] for name in file.files}
    first = np.r_[0, np.cumsum(values["sizes"])]
    most = int(values["sizes"].max())
    vectors, seen = torch.zeros(2, 2, 2 * most, 32), torch.zeros(2, 2, 2 * most, dtype=torch.bool)
    for window, (start, stop) in enumerate(itertools.pairwise(first)):
        rows = np.arange(stop - start)
        other = rows + most  # a matched unit has the row of the first view, the others have rows of their own
        matched = values[f"match{window}"]
        other[matched[1]] = matched[0]
        for view, place in ((0, rows), (1, other)):
            activity = torch.from_numpy(values[f"view{view + 1}"][start:stop])[None]
            vectors[view, window, place] = network(activity)[0]
            seen[view, window, place] = True
    found = loss(vectors, seen) / seen.all(0).sum()
    found.backward()
    assert found.item() == pytest.approx(float(values["loss"]), rel=1e-4)
    gradient = values["read_in_weight_grad"]
    off = np.linalg.norm(network.read_in.weight.grad.numpy() - gradient) / np.linalg.norm(gradient)
    assert off < 1e-4
