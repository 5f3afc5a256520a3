"""A checkpoint is whole or refused, and what broke off stands in nobody's way."""

import os

import numpy as np
import pytest
import torch
from safetensors.torch import save

from nwb_neurid.errors import CannotWrite, WrongWeights
from nwb_neurid.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint

STATE = Checkpoint(
    tensors={
        "weights": torch.arange(6.0).reshape(2, 3).T,
        "step": torch.tensor(3),
        "flags": torch.tensor([True, False]),
        "half": torch.ones(3, dtype=torch.bfloat16),
    },
    seconds=1.5,
    fingerprint={"seed": "0", "encoder": "nuclr"},
)


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "state", STATE)
    return tmp_path / "state"


def test_what_was_written_is_read(path):
    back = read_checkpoint(path)
    assert (back.seconds, back.fingerprint) == (STATE.seconds, STATE.fingerprint)
    assert back.tensors.keys() == STATE.tensors.keys()
    for name, tensor in STATE.tensors.items():
        assert torch.equal(back.tensors[name], tensor)
        assert back.tensors[name].dtype == tensor.dtype
    assert [each.name for each in path.parent.iterdir()] == ["state"]


def test_any_flipped_byte_is_noticed_or_changes_nothing(path):
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            back = read_checkpoint(path)
        except WrongWeights:
            continue
        assert (back.seconds, back.fingerprint) == (STATE.seconds, STATE.fingerprint), at
        assert all(torch.equal(back.tensors[name], tensor) for name, tensor in STATE.tensors.items()), at


def test_a_changed_tensor_is_named_a_damage(path):
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(WrongWeights, match=r"checkpoint .*state is damaged: its SHA-256 is not the one.*from scratch"):
        read_checkpoint(path)


def test_a_checkpoint_of_an_earlier_version_has_no_hash(path):
    about = {"format": "1", "seconds": "2.0", "fingerprint": "{}"}
    path.write_bytes(save({"a": torch.ones(2)}, about))
    assert read_checkpoint(path).seconds == 2.0
    path.write_bytes(save({"a": torch.ones(2)}, about | {"format": "2"}))
    with pytest.raises(WrongWeights, match="SHA-256"):
        read_checkpoint(path)


def test_a_full_disk_leaves_the_earlier_one(path, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(CannotWrite, match=r"state cannot be written: No space left"):
        write_checkpoint(path, STATE)
    assert np.isclose(read_checkpoint(path).seconds, STATE.seconds)
    assert [each.name for each in path.parent.iterdir()] == ["state"]
