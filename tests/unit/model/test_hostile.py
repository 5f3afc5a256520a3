"""Model folders that would be built without an end, fill the memory, or cannot be read: one line for each."""

import json
import os
import time
from contextlib import nullcontext

import pytest
import torch
from safetensors.torch import save_file

from nwb_neurid import load_model, new_model
from nwb_neurid.errors import InvalidModel, NeuridError, WrongWeights
from nwb_neurid.model.making import import_model
from nwb_neurid.testing import mock_population

LONGEST_S = 15.0


@pytest.fixture
def folder(tmp_path):
    """Makes the folder of an untrained model."""

    def make(encoder="nuclr", preset="small"):
        return new_model(encoder, preset=preset, untrained=True, device="cpu").save(tmp_path / "model")

    return make


def configure(folder, **values):
    about = json.loads((folder / "model.json").read_text())
    about["config"] |= values
    (folder / "model.json").write_text(json.dumps(about))


HUGE = [10**6, 2**31 - 1, 2**31, 10**18, 10**400]


@pytest.mark.parametrize("value", HUGE)
@pytest.mark.parametrize(
    ("encoder", "preset", "setting"),
    [
        *(
            ("nuclr", "small-calcium", name)
            for name in (
                "rate_hz",
                "patch",
                "tokens",
                "dim",
                "heads",
                "dim_head",
                "temporal_blocks",
                "spatiotemporal_blocks",
            )
        ),
        *(
            ("neurpir", "small-calcium", name)
            for name in ("rate_hz", "token_bins", "tokens", "reach_s", "most_hz", "hidden", "layers", "dim", "cebra")
        ),
    ],
)
def test_a_huge_setting_is_refused_or_harmless(folder, encoder, preset, setting, value):
    made = folder(encoder, preset)
    value = value - value % 4 if setting == "dim_head" else value
    configure(made, **{setting: value})
    started = time.monotonic()
    message = ""
    try:
        load_model(made, device="cpu").embed(mock_population("dff", rate_hz=5.0))
    except NeuridError as error:
        message = str(error)
    assert len(message) < 3000
    assert "bug in the plugin" not in message
    assert time.monotonic() - started < LONGEST_S


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn])
def test_weights_of_a_type_that_numpy_has_not_are_refused(folder, dtype):
    made = folder()
    save_file({"read_in.weight": torch.zeros(2, 2).to(dtype)}, made / "weights.safetensors")
    with pytest.raises(WrongWeights, match=r"holds numbers of type (BF16|F8_E4M3), which NumPy does not have\. Store"):
        load_model(made)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_a_description_that_is_nested_too_deep_is_refused(folder, text):
    made = folder()
    (made / "model.json").write_text(text)
    with pytest.raises(InvalidModel, match=r"model\.json is not JSON: it is nested too deep"):
        load_model(made)


def test_a_description_that_is_too_large_is_refused(folder, monkeypatch):
    made = folder()
    monkeypatch.setattr("nwb_neurid._system.files.LARGEST_JSON_BYTES", 100)
    with pytest.raises(InvalidModel, match=r"it has \d+ bytes, the limit is 100"):
        load_model(made)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_pipe_in_place_of_a_file_is_refused(folder, name):
    made = folder()
    (made / name).unlink()
    os.mkfifo(made / name)
    with pytest.raises((InvalidModel, WrongWeights), match=rf"{name} cannot be read: it is not a regular file"):
        load_model(made)


def test_a_value_of_any_length_makes_a_short_message(folder):
    made = folder()
    about = json.loads((made / "model.json").read_text())
    for name, value in (("format", "x" * 10**6), ("encoder", ["x" * 10**6])):
        (made / "model.json").write_text(json.dumps(about | {name: value}))
        with pytest.raises(InvalidModel) as caught:
            load_model(made)
        assert len(str(caught.value)) < 400


def test_sizes_are_compared_before_anything_is_built(folder):
    made = folder()
    configure(made, dim=10**6)
    with pytest.raises(
        WrongWeights,
        match=r"read_in\.weight has shape \(64, 25\), the network expects \(1000000, "
        r"25\)",
    ):
        load_model(made)


def test_a_checkpoint_is_imported_under_the_limits(tmp_path, monkeypatch):
    """As models are read: in the command line, memory and time of it are limited by the size of the file."""
    limited = []
    monkeypatch.setattr("nwb_neurid.model.making.limits.reading", lambda source: nullcontext(limited.append(source)))
    weights = new_model("nuclr", preset="base", untrained=True, device="cpu").encoder.state()
    path = tmp_path / "checkpoint.safetensors"
    save_file({name: torch.from_numpy(array.copy()) for name, array in weights.items()}, path)
    import_model("nuclr", path, {})
    assert limited == [path]
