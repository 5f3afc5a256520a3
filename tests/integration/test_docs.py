"""What stands in a document was run: commands and Python, page by page, in a folder with a recording."""

import inspect
import re
import runpy
import shlex
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import nwb_neurid
from nwb_neurid import registry
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.testing import EncoderConformance, ReaderConformance
from nwb_neurid.testing.verdicts import list_rules, make_encoder_kit, run_kit

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "cli.md", ROOT / "docs" / "index.md", ROOT / "docs" / "simulation.md"]


@pytest.fixture
def folder(tmp_path, recording, monkeypatch) -> Path:
    """Holds `recording.nwb`, a checkpoint, and a model folder."""
    small, authors = (nwb_neurid.new_model("nuclr", preset=preset, untrained=True) for preset in ("small", "base"))
    small.save(tmp_path / "model")
    save_file(dict(authors.encoder.state()), tmp_path / "checkpoint.safetensors")
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


@pytest.mark.filterwarnings("ignore")  # of SpikeInterface and its libraries, while they make a recording
def test_the_spikeinterface_page_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("spikeinterface", reason="spikeinterface is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda *_, **__: None)
    blocks = "\n".join(python_blocks("spikeinterface.md"))
    exec(compile(blocks, "spikeinterface.md", "exec"), {})
    out = capsys.readouterr().out
    assert "(12, 64)" in out
    assert "(11, 53)" in out
    assert "['neurid_cell_type', 'neurid_cell_type_probability']" in out
    assert out.endswith("True\n")
    assert len(nwb_neurid.read_results("results.nwb")[0].predictions) == 1


def test_the_simulation_page_runs(capsys):
    (block,) = python_blocks("simulation.md")
    exec(compile(block, "simulation.md", "exec"), {})
    spikes, traces = capsys.readouterr().out.splitlines()
    assert spikes == "Population(30 units, spikes, 20 s in 1 runs)"
    assert traces == "Population(30 units, dff, 20 s in 1 runs)"


def files_of(page: str, folder: Path) -> None:
    """Write every file that a page gives whole: its name stands in the line above."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    for name, block in re.findall(
        r"`([\w.]+\.(?:py|toml))`[^\n]*\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    ):
        (folder / name).write_text(block, "utf-8")


@pytest.mark.parametrize(
    ("page", "module", "kit"),
    [
        ("adding_an_encoder.md", "my_lab_isi", EncoderConformance),
        ("adding_a_reader.md", "spike_table", ReaderConformance),
    ],
)
def test_the_plugin_of_a_page_is_whole_and_passes_its_test(tmp_path, monkeypatch, page, module, kit):
    files_of(page, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{module}.py", f"test_{module}.py", "pyproject.toml"}
    about = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))
    ((group, points),) = about["project"]["entry-points"].items()
    ((name, value),) = points.items()
    assert about["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"] == [f"{module}.py"]
    monkeypatch.syspath_prepend(str(tmp_path))
    found = registry.encoders if group == "nwb_neurid.encoders" else registry.readers
    assert found([EntryPoint(name, value, group)]).load(name).spec.name == name
    tests = runpy.run_path(str(tmp_path / f"test_{module}.py"))
    ((_, case),) = [(key, value) for key, value in tests.items() if key.startswith("Test")]
    outcomes = {verdict.outcome for verdict in run_kit(case)}
    assert outcomes <= {"passed", "skipped"}
    rules = [inspect.getdoc(getattr(kit, rule)).splitlines()[0] for rule in list_rules(kit)]
    listed = re.findall(r"^- (.*)$", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE)
    assert [line for line in listed if line in rules] == rules


def test_the_torch_encoder_of_the_page_is_whole(folder, monkeypatch):
    """From its files to vectors of a trained model, by the rules of the kit."""
    package = folder / "my_network"
    package.mkdir()
    text = (ROOT / "docs" / "adding_an_encoder.md").read_text("utf-8")
    files = re.findall(r"`my_network/(\w+\.py)`[^\n]*\n\n```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == ["__init__.py", "network.py"]
    for name, block in files:
        (package / name).write_text(block, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    plugin = registry.encoders([EntryPoint("my-network", "my_network:PLUGIN", "nwb_neurid.encoders")]).load(
        "my-network"
    )
    verdicts = list(run_kit(make_encoder_kit(plugin, None)))
    assert [verdict for verdict in verdicts if verdict.outcome == "failed"] == []
    population = nwb_neurid.read("recording.nwb")
    config = plugin.presets["small"]
    encoder = plugin.build(config, plugin.initial_state(config, 0), "cpu")
    before = encoder.embed(population).vectors
    assert encoder.fit([population], TrainingOptions(steps=2)).finished
    after = encoder.embed(population).vectors
    assert before.shape == after.shape == (len(population), 16)
    assert not np.allclose(before, after, equal_nan=True)
    again = plugin.build(config, encoder.state(), "cpu").embed(population).vectors
    np.testing.assert_array_equal(again, after)
