"""What stands in a document was run: commands and Python, page by page, in a folder with a recording."""

import inspect
import os
import re
import runpy
import shlex
import shutil
import subprocess
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import nwb_neurid
from nwb_neurid import registry
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.testing import EncoderConformance, ReaderConformance
from nwb_neurid.testing.verdicts import list_rules, make_encoder_kit, run_kit

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WRITTEN = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]
PAGES = [path for path in WRITTEN if "\nkernelspec:" not in path.read_text("utf-8")]
"""Without the tutorials, which are run whenever the documentation is built."""

IN_A_FRESH_ENVIRONMENT = ("adding_an_encoder.md", "adding_a_reader.md")
"""They install plugins: tests/integration/test_new_plugins.py runs their commands."""

NEEDS = {
    "README.md": ("recording.nwb",),
    "docs/reference/cli.md": ("recording.nwb", "model", "checkpoint.safetensors"),
    "docs/index.md": ("recording.nwb",),
    "docs/howto/report.md": ("recording.nwb",),
    "docs/understand/company.md": ("recording.nwb", "other.nwb"),
    "docs/understand/neurpir.md": ("recording.nwb", "other.nwb"),
    "docs/howto/criteria.md": ("recording.nwb",),
    "docs/howto/archive.md": ("recording.nwb", "other.nwb"),
    "docs/howto/training.md": ("recording.nwb", "other.nwb"),
}
"""What a page takes for granted."""

FROM_THE_ARCHIVE = (["data", "fetch"], ["data", "check"], ["reproduce"])
"""Commands that need recordings of an archive; tests/unit/datasets runs them against a server on this machine."""

SMALLER = {"steps": 2, "duration": 600}
SIMULATED = {"units": 30, "duration": 30}
"""The largest numbers that these options get while testing; those of `SIMULATED` where something is simulated."""

PROGRAMS = {"python": "", "nwb-neurid": "-m nwb_neurid", "torchrun": "-m torch.distributed.run"}


def relative(page: Path) -> str:
    """The path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def commands_of(page: Path) -> list[str]:
    """The commands of a page, in their order: the lines of its blocks that begin with `$`."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    return re.findall(r"^\$ (.+)$", text, re.MULTILINE)


def shrink(command: str) -> str:
    """The command with its large numbers made small."""
    most = SMALLER | (SIMULATED if command.startswith(("nwb-neurid simulate", "nwb-neurid demo")) else {})

    def lower(found: re.Match[str]) -> str:
        return f"--{found[1]} {min(float(found[2]), most[found[1]]):g}"

    return re.sub(rf"--({'|'.join(most)}) ([\d.]+)", lower, command)


@pytest.fixture(scope="module")
def material(tmp_path_factory, commands) -> Path:
    """Holds recordings, a checkpoint and a model folder, and programs of these names."""
    folder = tmp_path_factory.mktemp("material")
    for seed, name in enumerate(("recording.nwb", "other.nwb")):
        write_nwb(simulate(12, 30.0, 3 + seed), folder / name)
    small, authors = (nwb_neurid.new_model("nuclr", preset=preset, untrained=True) for preset in ("small", "base"))
    small.save(folder / "model")
    save_file(dict(authors.encoder.state()), folder / "checkpoint.safetensors")
    (folder / "bin").mkdir()
    for name, words in PROGRAMS.items():
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {commands.python} {words} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    return folder


@pytest.fixture
def shell(material, tmp_path):
    """Runs a line as a shell does, in a folder of the page's own, and shows what it printed if it failed."""

    def shell(line: str) -> str:
        path = os.pathsep.join([str(material / "bin"), os.environ["PATH"]])
        environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    return shell


def check_target(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in words if "=" not in target)


def check_script(shell, script: str, words: list[str]) -> None:
    """A script that takes long, or needs recorded data: it is there, and has these options."""
    known = shell(f"python {ROOT / script} --help")
    assert [word for word in words if word.startswith("--") and word not in known] == []


def run_command(shell, command: str) -> None:
    """Run a command of a page, or what can be run of it."""
    words = shlex.split(command, comments=True)
    while "=" in words[0]:  # a variable for the command
        words = words[1:]
    if words[0] == "make":
        check_target(words[1:])
    elif words[0] == "pip":
        assert words[1] == "install"  # tests/architecture/test_dependencies.py looks at what
    elif words[0].endswith("pytest"):
        assert all((ROOT / word).exists() for word in words[1:])
    elif words[:2] == ["python", "-m"]:
        pass  # another project's
    elif words[1:3] in FROM_THE_ARCHIVE or words[1:2] in FROM_THE_ARCHIVE:
        told = shell(f"nwb-neurid {' '.join(words[1:3] if words[1] == 'data' else words[1:2])} --help")
        assert [word for word in words if word.startswith("-") and word not in told] == []
    elif words[0] == "python":
        check_script(shell, words[1], words[2:])
    elif words[0] == "cat":
        pass  # what it prints was written to the file beforehand
    else:
        shell(shrink(re.sub(r"\b(tests/faults|examples)/", rf"{ROOT}/\1/", command)))


def fewer_units(command: str) -> str:
    """The command on 30 units of each session of Steinmetz et al., where it would take minutes otherwise."""
    if not re.search("sub-(Cori|Hench)", command):
        return command
    folds = " --folds 2" if "evaluate" in command else ""
    return f"{command} --where 'id > 250 and id <= 280'{folds}"


def write_listed(page: Path, folder: Path) -> None:
    """Write the files that a page prints with `cat`."""
    text = page.read_text("utf-8")
    for names, block in re.findall(r"^\$ cat (\S+)\n((?:(?!\$ |```).*\n)+)", text, re.MULTILINE):
        (folder / names).write_text(block, "utf-8")


@pytest.mark.skipif(os.name == "nt", reason="the pages are written for a POSIX shell")
@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_command_works(shell, request, material, tmp_path, page):
    if page.name in IN_A_FRESH_ENVIRONMENT:
        pytest.skip("its commands install plugins, and are run in an environment of their own")
    if page.name == "install.md":
        pytest.skip("its commands install packages: tests/architecture/test_dependencies.py looks at which")
    if page.name == "gpu.md":
        pytest.skip("its commands are rehearsed by tests/gpu/test_rehearsal.py")
    commands = commands_of(page)
    if not commands:
        pytest.skip("it has no commands")
    if page.name == "recorded.md":
        link_recorded(request.getfixturevalue("shared_data"), tmp_path)
    for name in NEEDS.get(relative(page), ()):
        copy = shutil.copytree if (material / name).is_dir() else shutil.copy
        copy(material / name, tmp_path / name)
    write_listed(page, tmp_path)
    for command in commands:
        run_command(shell, fewer_units(command))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_a_command_is_written_so_that_it_is_run(page):
    """With `$` before it; otherwise it would be missed here."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    bare = [line for block in blocks for line in block.splitlines() if re.match(r"(nwb-neurid|torchrun) ", line)]
    assert bare == []


def anchors_of(page: Path) -> set[str]:
    """What can be linked to in a page: its headings, as MyST names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*WRITTEN, *ROOT.glob("C*.md")], ids=relative)
def test_links_lead_somewhere(page):
    """To a file of the repository, and to a heading in it."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    lost = []
    for path, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)#?([^)\s]*)\)", text):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            lost.append(f"{path}#{anchor}")
    assert lost == []


def test_every_page_is_in_a_table_of_contents():
    tables = [
        (page, block)
        for page in WRITTEN
        for block in re.findall(r"^```{toctree}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    ]
    listed = {page.parent / f"{name}.md" for page, block in tables for name in block.split() if name[0] != ":"}
    missing = {relative(page) for page in WRITTEN[1:]} - {relative(page) for page in listed}
    assert missing == {"docs/index.md"}


def link_recorded(data: Path, folder: Path) -> None:
    """One session of each mouse, and the ground truth of CellExplorer, under their names."""
    sessions = ["sub-Cori_ses-2016-12-18", "sub-Forssmann_ses-2017-11-05", "sub-Hench_ses-2017-06-16"]
    paths = [data / "steinmetz" / f"{name}.nwb" for name in sessions]
    for path in [*paths, *(data / "cellexplorer").glob("*.nwb")]:
        (folder / path.name).symlink_to(path)


@pytest.fixture
def folder(material, tmp_path, monkeypatch) -> Path:
    """Holds `recording.nwb` and a model folder; the current one."""
    shutil.copy(material / "recording.nwb", tmp_path)
    shutil.copytree(material / "model", tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_map_of_regions_is_that_of_the_training_script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    groups = runpy.run_path(str(ROOT / "examples" / "train_default_models.py"))["REGIONS_OF"]
    rows = [f"{region},{group}" for group, regions in groups.items() for region in regions.split()]
    assert (ROOT / "examples" / "steinmetz_regions.csv").read_text("utf-8").split() == ["old,new", *rows, "*,"]


def python_blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_python_page_runs(folder, capsys):
    (block,) = python_blocks("howto/python.md")
    exec(compile(block, "python.md", "exec"), {})
    assert "neurid_isi (12, 57)" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # of SpikeInterface and its libraries, while they make a recording
def test_the_spikeinterface_page_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("spikeinterface", reason="spikeinterface is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda *_, **__: None)
    blocks = "\n".join(python_blocks("howto/spikeinterface.md"))
    exec(compile(blocks, "spikeinterface.md", "exec"), {})
    out = capsys.readouterr().out
    assert "(12, 88)" in out
    assert "(11, 53)" in out
    assert "['neurid_cell_type', 'neurid_cell_type_probability']" in out
    assert out.endswith("True\n")
    assert len(nwb_neurid.read_results("results.nwb")[0].predictions) == 1


def test_the_report_page_runs(folder):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")
    plt.switch_backend("Agg")
    figures, widget = python_blocks("howto/report.md")
    names: dict[str, object] = {}
    exec(compile(figures, "report.md", "exec"), names)
    assert Path("embedding.png").read_bytes().startswith(b"\x89PNG")
    plt.close("all")
    pytest.importorskip("anywidget", reason="the widget needs jupyter-scatter")
    exec(compile(widget, "report.md", "exec"), names)


def test_the_simulation_page_runs(capsys):
    (block,) = python_blocks("howto/simulation.md")
    exec(compile(block, "simulation.md", "exec"), {})
    spikes, traces = capsys.readouterr().out.splitlines()
    assert spikes == "Population(30 units, spikes, 20 s in 1 runs)"
    assert traces == "Population(30 units, dff, 20 s in 1 runs)"


def files_of(page: str, folder: Path) -> None:
    """Write every file that a page gives whole: its name stands in the line above."""
    text = (DOCS / page).read_text("utf-8")
    for name, block in re.findall(
        r"`([\w.]+\.(?:py|toml))`[^\n]*\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    ):
        (folder / name).write_text(block, "utf-8")


@pytest.mark.parametrize(
    ("page", "module", "kit"),
    [
        ("howto/adding_an_encoder.md", "my_lab_isi", EncoderConformance),
        ("howto/adding_a_reader.md", "spike_table", ReaderConformance),
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
    listed = re.findall(r"^- (.*)$", (DOCS / page).read_text("utf-8"), re.MULTILINE)
    assert [line for line in listed if line in rules] == rules


def test_the_torch_encoder_of_the_page_is_whole(folder, monkeypatch):
    """From its files to vectors of a trained model, by the rules of the kit."""
    package = folder / "my_network"
    package.mkdir()
    text = (DOCS / "howto" / "adding_an_encoder.md").read_text("utf-8")
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
