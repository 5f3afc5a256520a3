"""Configs and checkpoints: what is right is read whatever wraps it, and every fault is told."""

import os
import re
import sys
import zipfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.serialization import get_safe_globals

from neurid_nuclr import initial_state
from neurid_nuclr.checkpoint import load_network, read_checkpoint
from neurid_nuclr.config import FRAME_S, NetworkConfig
from nwb_neurid.errors import InvalidModel, WrongWeights

SIZES = {
    "tokens": 4,
    "dim": 16,
    "heads": 2,
    "dim_head": 8,
    "temporal_blocks": 1,
    "spatiotemporal_blocks": 2,
    "dropout": 0.2,
}
SPIKES = {"activity": "spikes", "bin_s": 0.02, "patch": 50} | SIZES
CALCIUM = {"activity": "dff", "rate_hz": 1 / FRAME_S, "patch": 4} | SIZES


@pytest.fixture(scope="module")
def arrays():
    return initial_state(SPIKES, 0)


@pytest.fixture
def weights(arrays):
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


@pytest.fixture
def saved(tmp_path):
    """Writes a checkpoint."""

    def save(content, name="checkpoint.pt"):
        torch.save(content, tmp_path / name)
        return tmp_path / name

    return save


def same(state, arrays):
    assert state.keys() == arrays.keys()
    for name, array in arrays.items():
        assert state[name].dtype == np.float32
        np.testing.assert_array_equal(state[name], array)


# What is right


def test_a_config_holds_what_its_json_says():
    config = NetworkConfig.from_json(SPIKES)
    assert (config.activity, config.bin_s) == ("spikes", 0.02)
    assert {name: value for name, value in asdict(config).items() if value is not None} == SPIKES


@pytest.mark.parametrize(("config", "step_s"), [(SPIKES, 0.02), (CALCIUM, FRAME_S)])
def test_the_time_between_bins_or_frames(config, step_s):
    assert NetworkConfig.from_json(config).step_s == pytest.approx(step_s)


@pytest.mark.parametrize("kind", ["spikes", "calcium"])
def test_official_weights_tell_their_config(shared_golden, kind):
    config, state = read_checkpoint(shared_golden / f"nuclr_{kind}_weights.safetensors", {})
    sizes = {"dim": 32, "heads": 2, "dim_head": 16, "temporal_blocks": 2, "spatiotemporal_blocks": 2, "dropout": 0.2}
    recorded = {
        "spikes": {"activity": "spikes", "bin_s": 0.02, "patch": 50, "tokens": 10},
        "calcium": {"activity": "dff", "rate_hz": pytest.approx(4.2838, abs=1e-4), "patch": 4, "tokens": 32},
    }
    assert config == recorded[kind] | sizes
    assert state.keys() == load_network(config, state).state_dict().keys()


@pytest.mark.parametrize("expected", [SPIKES, CALCIUM], ids=["spikes", "calcium"])
def test_bare_weights_tell_their_config(saved, expected):
    state = initial_state(expected, 0)
    config, read = read_checkpoint(saved({name: torch.from_numpy(array) for name, array in state.items()}), {})
    assert config == expected
    same(read, state)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model."])
def test_wrappers_of_a_model_leave_no_trace(saved, weights, arrays, prefix):
    wrapped = {prefix + name: tensor for name, tensor in weights.items()}
    same(read_checkpoint(saved({"model_state_dict": wrapped}), {})[1], arrays)


def test_what_is_not_the_encoder_is_left_out(saved, weights, arrays):
    loss = {"projector.0.weight": torch.ones(2), "loss.projector.0.weight": torch.ones(2)}
    content = {"model_state_dict": weights | loss, "optimizer_state_dict": {"state": {0: torch.ones(2)}}, "epoch": 3}
    same(read_checkpoint(saved(content), {})[1], arrays)


def test_half_precision_becomes_single(saved, weights, arrays, tmp_path):
    half = {name: tensor.bfloat16() for name, tensor in weights.items()}
    save_file(half, tmp_path / "half.safetensors")
    for path in (saved(half), tmp_path / "half.safetensors"):
        state = read_checkpoint(path, {"tokens": 4})[1]
        assert all(array.dtype == np.float32 for array in state.values())
        np.testing.assert_allclose(state["read_in.weight"], arrays["read_in.weight"], rtol=0.01)


def test_stored_settings_tell_the_bins(saved, weights):
    stored = {"model": {"bin_size": 0.01, "latent_step": 0.5, "ctx_duration": 2.0, "lin_dropout": 0.3}}
    config, _ = read_checkpoint(saved({"model_state_dict": weights, "cfg": stored}), {})
    assert config == SPIKES | {"bin_s": 0.01, "dropout": 0.3}


def test_stored_settings_tell_frames_from_bins(saved, weights):
    config, _ = read_checkpoint(saved({"model_state_dict": weights, "cfg": {"model": {"patch_size": 50}}}), {})
    assert config == CALCIUM | {"patch": 50}


def test_settings_override_what_the_checkpoint_tells(saved, weights):
    stored = {"model": {"bin_size": 0.01, "lin_dropout": 0.3}}
    settings = {"bin_s": 0.05, "dropout": 0}
    config, _ = read_checkpoint(saved({"model_state_dict": weights, "cfg": stored}), settings)
    assert config == SPIKES | settings


def test_settings_may_say_another_activity(saved, weights):
    config, _ = read_checkpoint(saved(weights), {"activity": "dff", "rate_hz": 30})
    assert config == CALCIUM | {"patch": 50, "rate_hz": 30}


def test_settings_stored_by_omegaconf_are_read_without_it(saved, weights, monkeypatch):
    """The authors' trainer stores such a tree in every checkpoint; these classes have its names and attributes."""
    classes = {}
    modules = {"omegaconf": ModuleType("omegaconf")}
    for module, name in [("dictconfig", "DictConfig"), ("nodes", "AnyNode"), ("base", "ContainerMetadata")]:
        classes[name] = type(name, (), {"__module__": f"omegaconf.{module}"})
        modules[f"omegaconf.{module}"] = ModuleType(module)
        setattr(modules[f"omegaconf.{module}"], name, classes[name])

    def node(value, parent=None):
        tree = isinstance(value, dict)
        made = classes["DictConfig" if tree else "AnyNode"]()
        made._metadata, made._parent = classes["ContainerMetadata"](), parent
        made._metadata.object_type, made._metadata.resolver_cache = type(value), defaultdict(dict)
        if tree:
            made._content = {key: node(item, made) for key, item in value.items()}
        else:
            made._val = value
        return made

    stored = {"model": {"bin_size": 0.01, "lin_dropout": 0.1}, "ckpt": {"load_from": Path("epoch_1.pt")}}
    with monkeypatch.context() as installed:
        for name, module in modules.items():
            installed.setitem(sys.modules, name, module)
        path = saved({"model_state_dict": weights, "cfg": node(stored)})
    # torch trusts further classes of its own as it loads its modules: let it do that by a checkpoint without settings
    read_checkpoint(saved({"model_state_dict": weights}, "plain.pt"), {"activity": "spikes", "bin_s": 0.01})
    trusted = list(map(str, get_safe_globals()))
    config, _ = read_checkpoint(path, {})
    assert config == SPIKES | {"bin_s": 0.01, "dropout": 0.1}
    assert not any(name.startswith("omegaconf") for name in sys.modules)
    assert sorted(map(str, get_safe_globals())) == sorted(trusted)


# What is wrong


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activity": "deconvolved"}, "activity must be 'spikes' or 'dff', got 'deconvolved'"),
        ({"activity": 3}, "activity must be 'spikes' or 'dff', got 3"),
        ({"activity": "dff"}, "spikes must have bin_s and no rate_hz, dff must have rate_hz and no bin_s"),
        ({"rate_hz": 1e9}, "rate_hz must be a rate in Hz of up to 1000, got 1000000000.0"),
        ({"rate_hz": 30}, "spikes must have bin_s and no rate_hz, dff must have rate_hz and no bin_s"),
        ({"bin_s": 0}, "bin_s must be a number of seconds from 0.001, got 0"),
        ({"bin_s": float("nan")}, "bin_s must be a number of seconds from 0.001, got nan"),
        ({"bin_s": "0.02"}, "bin_s must be a number of seconds from 0.001, got '0.02'"),
        ({"patch": 2.5}, "patch must be a positive whole number, got 2.5"),
        ({"tokens": True}, "tokens must be a positive whole number, got True"),
        ({"dim": None}, "dim must be a positive whole number, got None"),
        ({"heads": -1}, "heads must be a positive whole number, got -1"),
        ({"dim_head": 6}, "dim_head must be a positive multiple of 4, got 6"),
        ({"temporal_blocks": 0}, "temporal_blocks must be a positive whole number, got 0"),
        ({"spatiotemporal_blocks": 0}, "spatiotemporal_blocks must be a positive whole number, got 0"),
        ({"dropout": 1}, "dropout must be from 0 to below 1, got 1"),
        ({"layers": 3}, "layers is unknown; known settings: activity"),
    ],
)
def test_a_config_that_cannot_be_used_says_why(change, message):
    with pytest.raises(InvalidModel, match=re.escape(message)):
        NetworkConfig.from_json(SPIKES | change)


def test_faults_of_a_config_come_at_once():
    with pytest.raises(InvalidModel) as raised:
        NetworkConfig.from_json({"activity": "spikes", "dim": 0, "colour": "red"})
    assert str(raised.value).splitlines()[:2] == [
        "The config of the NuCLR network cannot be used:",
        "  - colour is unknown; known settings: activity, bin_s, rate_hz, patch, tokens, dim, heads, dim_head, "
        "temporal_blocks, spatiotemporal_blocks, dropout",
    ]
    assert len(str(raised.value).splitlines()) == 2 + len(SPIKES) - 2


def test_faults_of_weights_come_at_once(arrays):
    wrong = dict(arrays)
    del wrong["read_in.bias"]
    wrong["extra"] = np.ones(3, np.float32)
    wrong["read_in.weight"] = np.ones((16, 40), np.float32)
    wrong["rotary_emb.omega"] = np.full(4, np.nan, np.float32)
    with pytest.raises(WrongWeights) as raised:
        load_network(SPIKES, wrong)
    assert str(raised.value) == (
        "The weights do not fit the NuCLR network:\n"
        "  - missing read_in.bias, shape (16,)\n"
        "  - unexpected extra\n"
        "  - read_in.weight has shape (16, 40), the network expects (16, 50)\n"
        "  - rotary_emb.omega holds numbers that are not finite"
    )


def test_a_checkpoint_with_wrong_weights_is_named(saved, weights):
    weights["t_blocks.0.1.norm.bias"][3] = torch.inf
    del weights["st_blocks.1.3.norm.bias"]
    path = saved(weights)
    with pytest.raises(WrongWeights) as raised:
        read_checkpoint(path, {})
    assert str(raised.value) == (
        f"The weights of {path} do not fit the NuCLR network:\n"
        "  - missing st_blocks.1.3.norm.bias, shape (16,)\n"
        "  - t_blocks.0.1.norm.bias holds numbers that are not finite"
    )


def test_a_missing_file_is_told(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(WrongWeights, match=re.escape(f"There is no file {path}.")):
            read_checkpoint(path, {})


@pytest.mark.parametrize("name", ["checkpoint.pt", "checkpoint.safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_a_damaged_file_is_told(saved, weights, tmp_path, name, keep):
    path = tmp_path / name
    if path.suffix == ".pt":
        saved(weights)
    else:
        save_file(weights, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WrongWeights, match=r"is damaged, or written neither by torch\.save nor as safetensors"):
        read_checkpoint(path, {})


@pytest.mark.parametrize("content", [3, [1, 2], {"model_state_dict": 1}, {"epoch": 1}, {1: torch.ones(2)}])
def test_a_file_without_an_encoder_is_told(saved, content):
    message = (
        "holds no NuCLR encoder of binned activity: it lacks read_in.weight, rotary_emb.omega, t_blocks.0.0.to_qkv"
    )
    with pytest.raises(WrongWeights, match=message):
        read_checkpoint(saved(content), {})


@pytest.mark.parametrize("omega", [torch.zeros(4), torch.zeros(0), torch.ones(())])
def test_weights_that_no_config_fits_are_told(saved, weights, omega):
    with pytest.raises((InvalidModel, WrongWeights), match=r"tokens must be|lacks rotary_emb.omega"):
        read_checkpoint(saved(weights | {"rotary_emb.omega": omega}), {})


@pytest.mark.parametrize("settings", [{}, {"activity": "dff"}, {"activity": "spikes"}])
def test_activity_that_nothing_tells_is_asked_for(saved, settings):
    state = initial_state(SPIKES | {"patch": 25}, 0)
    path = saved({name: torch.from_numpy(array) for name, array in state.items()})
    message = (
        f"{path} does not state whether its tokens are 25 bins or 25 frames long. Set activity to 'spikes' and bin_s "
        "to the seconds of a bin, or activity to 'dff' and rate_hz to the frames a second."
    )
    with pytest.raises(InvalidModel, match=re.escape(message)):
        read_checkpoint(path, settings)
    config, _ = read_checkpoint(path, {"activity": "spikes", "bin_s": 0.04})
    assert config == SPIKES | {"patch": 25, "bin_s": 0.04}


def test_settings_of_another_network_are_told(saved, weights):
    path = saved(weights)
    with pytest.raises(InvalidModel, match="colour is unknown"):
        read_checkpoint(path, {"colour": "red"})
    with pytest.raises(WrongWeights, match=r"missing t_blocks\.1\.0\.norm\.weight"):
        read_checkpoint(path, {"temporal_blocks": 2})


# What is malicious


class Bomb:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", ["cfg", "model_state_dict", "epoch"])
@pytest.mark.parametrize(
    ("function", "code", "named"),
    [
        (os.system, "mkdir {marker}", f"{os.system.__module__}.system"),
        (os.mkdir, "{marker}", f"{os.mkdir.__module__}.mkdir"),
        (eval, "__import__('os').mkdir(r'{marker}')", "builtins.eval"),
        (exec, "import os; os.mkdir(r'{marker}')", "builtins.exec"),
    ],
)
def test_code_in_a_pickle_is_not_run(saved, weights, tmp_path, function, code, named, place):
    marker = tmp_path / "marker"
    bomb = Bomb(function, code.format(marker=marker))
    path = saved({"model_state_dict": weights} | {place: bomb})
    with pytest.raises(WrongWeights) as raised:
        read_checkpoint(path, {})
    assert str(raised.value) == (
        f"{path} holds objects that could run code when read: {named}. Where it comes from, save only its weights: "
        "torch.save(checkpoint['model_state_dict'], 'weights.pt'), or as safetensors."
    )
    assert not marker.exists()


def test_what_stands_in_for_settings_calls_nothing(saved, weights):
    """A name that settings may have is never looked up, whatever it may be made to mean."""
    path = saved({"model_state_dict": weights, "cfg": Bomb(dict, [("model", {"bin_size": 0.5})])})
    config, _ = read_checkpoint(path, {})
    assert config == SPIKES


def test_tensors_that_repeat_one_number_are_refused(saved, weights):
    endless = {**weights, "read_in.weight": torch.zeros(1).expand(10**6, 10**6)}
    with pytest.raises(WrongWeights, match=r"but its tensors would take 40000\d+: it is damaged"):
        read_checkpoint(saved(endless), {})


def test_an_archive_that_unpacks_to_more_than_it_has_is_refused(saved, weights, tmp_path):
    whole = saved({**weights, "loss.zeros": torch.zeros(10**6)})
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
        for entry in archive.infolist():
            bomb.writestr(entry.filename, archive.read(entry))
    with pytest.raises(WrongWeights, match=r"bytes and unpacks to \d+: it was not written by torch\.save"):
        read_checkpoint(tmp_path / "bomb.pt", {})


def test_settings_without_an_end_are_refused(saved, weights):
    endless = {}
    endless["model"] = endless
    with pytest.raises(WrongWeights, match=r"is damaged: its settings are nested too deep"):
        read_checkpoint(saved({"model_state_dict": weights, "cfg": endless}), {})
