"""The model folder: whole or not at all, and nothing in it is believed unseen."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nwb_neurid._system.arrays import hash_arrays, pack_arrays
from nwb_neurid.errors import CannotWrite, InvalidModel, WrongWeights
from nwb_neurid.model import folder as model_folder
from nwb_neurid.model.folder import Description, read_description, read_weights, write_folder

STATE = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "count": np.array(3)}
ABOUT = Description(
    encoder="isi",
    encoder_version="1",
    distribution="lab-a 1.0",
    config={"sizes": [1, 2], "name": "µ"},
    training="",
    weights_sha256=hash_arrays(STATE),
    software={"numpy": "2"},
)


def write(folder, *, about=ABOUT, card="# Card\n", state=STATE, overwrite=False):
    write_folder(folder, about, card, state, overwrite=overwrite)


@pytest.fixture
def folder(tmp_path):
    """A model folder."""
    write(tmp_path / "model")
    return tmp_path / "model"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def change(folder, **values):
    """Write other values into model.json."""
    about = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps(about | values), "utf-8")


def test_what_was_written_is_read(folder):
    assert read_description(folder) == ABOUT
    state = read_weights(folder, ABOUT.weights_sha256)
    assert state.keys() == STATE.keys()
    for name, array in STATE.items():
        np.testing.assert_array_equal(state[name], array, strict=True)
    assert (folder / "README.md").read_text("utf-8") == "# Card\n"
    assert names(folder.parent) == ["model"]


def test_no_weights_are_weights_too(tmp_path):
    write(tmp_path / "model", state={})
    assert read_weights(tmp_path / "model", "") == {}
    assert hash_arrays({}) == ""


def test_the_layout_in_memory_does_not_matter():
    turned = {"count": STATE["count"], "weights": np.asfortranarray(STATE["weights"])}
    assert hash_arrays(turned) == hash_arrays(STATE)
    assert hash_arrays({**STATE, "weights": STATE["weights"] + 1}) != hash_arrays(STATE)


def test_an_existing_folder_is_kept_unless_it_is_to_be_replaced(folder):
    with pytest.raises(CannotWrite, match=r"model exists\. Choose another folder, or overwrite it \(--overwrite\)\."):
        write(folder, card="# Other\n")
    assert (folder / "README.md").read_text("utf-8") == "# Card\n"
    write(folder, card="# Other\n", overwrite=True)
    assert (folder / "README.md").read_text("utf-8") == "# Other\n"
    assert names(folder.parent) == ["model"]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_is_no_model_folder_is_never_replaced(tmp_path, make):
    make(tmp_path / "thesis")
    message = r"thesis exists and is not a model folder, so it is not overwritten\. Choose another\."
    with pytest.raises(CannotWrite, match=message):
        write(tmp_path / "thesis", overwrite=True)
    assert names(tmp_path) == ["thesis"]


def test_a_folder_can_be_named_by_a_dot(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(CannotWrite, match=r"model exists\."):
        write(Path())
    write(Path(), card="# Other\n", overwrite=True)
    assert (folder / "README.md").read_text("utf-8") == "# Other\n"


def test_a_link_to_a_folder_stays_a_link(folder):
    link = folder.with_name("link")
    link.symlink_to(folder, target_is_directory=True)
    write(link, card="# Other\n", overwrite=True)
    assert link.is_symlink()
    assert (folder / "README.md").read_text("utf-8") == "# Other\n"
    assert names(folder.parent) == ["link", "model"]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite, match=r"The model cannot be written to .*model: .+\."):
        write(tmp_path / "file" / "model")
    assert names(tmp_path) == ["file"]


FAULTS = pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])


def fail_at(monkeypatch, name, step, fault):
    inner, count = getattr(Path, name), iter(range(100))

    def failing(self, target):
        if next(count) == step:
            raise fault
        return inner(self, target)

    monkeypatch.setattr(Path, name, failing)


@FAULTS
def test_a_failed_replacement_leaves_the_old_folder(folder, monkeypatch, fault):
    fail_at(monkeypatch, "rename", 0, fault)
    with pytest.raises((CannotWrite, KeyboardInterrupt)) as caught:
        write(folder, card="# Other\n", overwrite=True)
    if isinstance(fault, OSError):
        assert str(caught.value) == f"The model cannot be written to {folder}: No space left on device."
    assert (folder / "README.md").read_text("utf-8") == "# Card\n"
    assert names(folder) == ["README.md", "model.json", "weights.safetensors"]
    assert names(folder.parent) == ["model"]


@FAULTS
@pytest.mark.parametrize("step", [0, 1, 2])
def test_a_replacement_that_broke_off_is_read_whole_and_ended_by_the_next(folder, monkeypatch, step, fault):
    state = {"weights": STATE["weights"] + 1}
    with monkeypatch.context() as patch:
        fail_at(patch, "replace", step, fault)
        with pytest.raises((CannotWrite, KeyboardInterrupt)):
            write(folder, about=replace(ABOUT, weights_sha256=hash_arrays(state)), state=state, overwrite=True)
    about = read_description(folder)
    np.testing.assert_array_equal(read_weights(folder, about.weights_sha256)["weights"], state["weights"])
    write(folder, overwrite=True)
    assert read_weights(folder, read_description(folder).weights_sha256).keys() == STATE.keys()
    assert names(folder) == ["README.md", "model.json", "weights.safetensors"]


def test_what_else_is_in_the_folder_stays(folder):
    folder.chmod(0o700)
    others = {".git/config": "mine", "figures/one.png": "mine", "notes.md": "mine", "heads/notes.md": "mine"}
    for name, text in others.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    write(folder, card="# Other\n", overwrite=True)
    assert {name: (folder / name).read_text() for name in others} == others
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_with_nothing_but_the_leftovers_of_a_killed_training_can_be_overwritten(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / ".checkpoint.safetensors.neurid-0123456789abcdef").touch()
    write(tmp_path / "model", overwrite=True)
    (tmp_path / "model" / "thesis").touch()
    read_description(tmp_path / "model")


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(model_folder, "pack_arrays", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "model")
    assert names(tmp_path) == []


def test_a_folder_without_description_is_no_model_folder(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InvalidModel, match=r" is not a model folder: it has no model\.json\."):
            read_description(folder)


def test_a_description_that_cannot_be_read_is_an_error(folder, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("nwb_neurid._system.files.os.open", denied)
    with pytest.raises(InvalidModel, match=r"model\.json cannot be read: Permission denied\."):
        read_description(folder)


@pytest.mark.parametrize("text", [b"{", b"", b"\xff\xfe\x00"])
def test_a_damaged_description_is_an_error(folder, text):
    (folder / "model.json").write_bytes(text)
    with pytest.raises(InvalidModel, match=r"model\.json is not JSON: .+\."):
        read_description(folder)


@pytest.mark.parametrize(("text", "got"), [('{"format": 2}', "2"), ("{}", "None"), ("[]", "list"), ('"isi"', "str")])
def test_another_format_is_an_error(folder, text, got):
    (folder / "model.json").write_text(text, "utf-8")
    message = rf"model\.json must have format 1, got {got}\. A newer nwb-neurid may read it\."
    with pytest.raises(InvalidModel, match=message):
        read_description(folder)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("encoder", 3, "must have 'encoder' as str, got 3"),
        ("config", None, "must have 'config' as dict, got None"),
        ("software", "numpy", "must have 'software' as dict, got 'numpy'"),
        ("weights_sha256", ["a"], r"must have 'weights_sha256' as str, got \['a'\]"),
    ],
)
def test_a_description_of_another_shape_is_an_error(folder, name, value, message):
    change(folder, **{name: value})
    with pytest.raises(InvalidModel, match=r"model\.json " + message):
        read_description(folder)


def test_what_a_newer_version_adds_is_passed_over(folder):
    change(folder, scores={"macro_f1": 0.9})
    assert read_description(folder) == ABOUT


def test_weights_must_be_there(folder):
    (folder / "weights.safetensors").unlink()
    with pytest.raises(WrongWeights, match=r"weights\.safetensors cannot be read: No such file or directory\."):
        read_weights(folder, ABOUT.weights_sha256)


@pytest.mark.parametrize("cut", [0, 5, -1])
def test_damaged_weights_are_an_error(folder, cut):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(WrongWeights, match=r"weights\.safetensors is damaged: .+\."):
        read_weights(folder, ABOUT.weights_sha256)


def test_other_weights_than_described_are_an_error(folder):
    other = {**STATE, "weights": STATE["weights"] + 1}
    (folder / "weights.safetensors").write_bytes(pack_arrays(other))
    message = (
        rf"weights\.safetensors does not match model\.json: SHA-256 {hash_arrays(other)}, "
        rf"expected {hash_arrays(STATE)}\."
    )
    with pytest.raises(WrongWeights, match=message):
        read_weights(folder, ABOUT.weights_sha256)
    with pytest.raises(WrongWeights, match=rf"SHA-256 {hash_arrays(other)}, expected no weights\."):
        read_weights(folder, "")
    (folder / "weights.safetensors").write_bytes(pack_arrays({}))
    with pytest.raises(WrongWeights, match=rf"SHA-256 of no weights, expected {hash_arrays(STATE)}\."):
        read_weights(folder, ABOUT.weights_sha256)
