"""What stands in a document was run: commands and Python, page by page, in a folder with a recording."""

import re
import shlex
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import nwb_neurid
from nwb_neurid import registry
from nwb_neurid.trainable import TrainingOptions

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "cli.md", ROOT / "docs" / "index.md", ROOT / "docs" / "simulation.md"]


@pytest.fixture
def folder(tmp_path, recording, monkeypatch) -> Path:
    """Holds `recording.nwb`, a checkpoint, and a model folder."""
    model = nwb_neurid.new_model("nuclr", preset="small", untrained=True)
    model.save(tmp_path / "model")
    save_file(dict(model.encoder.state()), tmp_path / "checkpoint.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_works(run, folder, page):
    commands = re.findall(r"^\$ nwb-neurid (.+)$", page.read_text("utf-8"), re.MULTILINE)
    assert commands
    for command in commands:
        run(*shlex.split(command))


def python_blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_python_page_runs(folder, capsys):
    (block,) = python_blocks("python.md")
    exec(compile(block, "python.md", "exec"), {})
    assert "neurid_isi (12, 57)" in capsys.readouterr().out


def test_the_simulation_page_runs(capsys):
    (block,) = python_blocks("simulation.md")
    exec(compile(block, "simulation.md", "exec"), {})
    spikes, traces = capsys.readouterr().out.splitlines()
    assert spikes == "Population(30 units, spikes, 20 s in 1 runs)"
    assert traces == "Population(30 units, dff, 20 s in 1 runs)"


def test_the_encoder_of_the_page_can_be_installed_and_embeds(folder, monkeypatch):
    block, torch_block = python_blocks("adding_an_encoder.md")
    (folder / "my_lab_isi.py").write_text(block, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    point = EntryPoint("isi-histogram", "my_lab_isi:PLUGIN", "nwb_neurid.encoders")
    plugin = registry.encoders([point]).load("isi-histogram")
    population = nwb_neurid.read("recording.nwb")
    embeddings = plugin.build({}, {}, "cpu").embed(population)
    assert np.allclose(np.nansum(embeddings.vectors, axis=1)[embeddings.reasons == ""], 1)

    scope: dict[str, object] = {}
    exec(compile(torch_block, "adding_an_encoder.md", "exec"), scope)
    encoder = scope["encoder"]
    before = encoder.embed(population).vectors
    assert encoder.fit([population], TrainingOptions(steps=2)).finished
    after = encoder.embed(population).vectors
    assert before.shape == after.shape == (len(population), 8)
    assert not np.allclose(before, after, equal_nan=True)
