"""What the shell completes."""

import os
import subprocess
import sys

import pytest

from nwb_neurid.cli import completion


@pytest.mark.parametrize(
    ("complete", "incomplete", "values"),
    [
        (completion.complete_devices, "c", ["cpu", "cuda"]),
        (completion.complete_kinds, "d", ["deconvolved", "dff"]),
        (completion.complete_heads, "", ["linear", "mlp"]),
        (completion.complete_formats, "", ["nwb", "csv", "parquet", "phy"]),
        (completion.complete_protocols, "t", ["transductive", "transductive-zero-shot"]),
        (completion.complete_encoders, "n", ["neurpir", "nuclr"]),
        (completion.complete_models, "default", ["default-calcium", "default-spikes"]),
    ],
)
def test_values(complete, incomplete, values):
    assert complete(incomplete) == values


def test_model_folders_of_here_are_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "first").mkdir(parents=True)
    (tmp_path / "mine" / "model.json").touch()
    (tmp_path / "mine" / "first" / "model.json").touch()
    (tmp_path / "others").mkdir()
    assert completion.complete_models("m") == ["mine"]
    assert completion.complete_models("mine/") == ["mine/first"]


def test_a_shell_gets_them(tmp_path):
    words = "nwb-neurid embed a.nwb --encoder nuclr --preset sm"
    environment = {"_NWB_NEURID_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "6"}
    code = "import sys; sys.argv = ['nwb-neurid']; from nwb_neurid.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["small", "small-calcium"]
