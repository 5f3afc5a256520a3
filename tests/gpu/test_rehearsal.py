"""`make gpu` rehearsed on a CPU, as it runs on a bare machine: without what only reading, writing and testing need.

A test here fails for whatever would fail on a GPU for silly reasons. What these tests and figures say about the CPU
means nothing.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HIDDEN = ("pynwb", "hdmf", "ruamel", "beartype", "spikeinterface", "cebra", "neo", "zarr")
BARE = ["-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-p", "no:logging"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The environment of processes that find none of these libraries, and a recording that could not be made there."""
    from nwb_neurid.simulate import simulate, write_nwb

    folder = tmp_path_factory.mktemp("bare")
    hide = f"import sys\nsys.modules.update(dict.fromkeys({HIDDEN!r}))\n"
    (folder / "sitecustomize.py").write_text(hide, "utf-8")
    write_nwb(simulate(12, 40.0, 0), folder / "simulated.nwb")
    return {
        **os.environ,
        "PYTHONPATH": str(folder),
        "NWB_NEURID_RECORDING": str(folder / "simulated.nwb"),
        "NWB_NEURID_REHEARSE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # of libraries that need what is hidden
    }


def run(words, environment, folder=ROOT):
    return subprocess.run(
        [sys.executable, *words], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("figures")


def test_every_test_passes_along_the_ways_of_a_gpu(bare):
    small = "not base and not compiled"  # larger networks go the same ways; the figures compile
    done = run(["-m", "pytest", *BARE, "-q", "-m", "gpu", "-k", small, "--durations=10", str(HERE)], bare)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "passed" in done.stdout


def test_base_comes_to_its_end(bare, tmp_path):
    """In a process of its own, as every group on a GPU."""
    path = tmp_path / "gpu.json"
    words = [str(HERE / "figures.py"), "--json", str(path), "--device", "cpu", "--size", "tiny", "--seconds", "1500"]
    done = run([*words, "--groups", "base"], bare)
    content = json.loads(path.read_text("utf-8"))
    assert content["missing"] == [], done.stdout[-5000:] + done.stderr[-2000:]
    assert {"training", "embedding"} == content["goals"].keys()
    assert content["card"]["torch"] == torch.__version__
    assert f"GOAL training: {content['goals']['training']['best']:.2f}, target 0.40" in done.stdout
    assert done.returncode == 1 - all(goal["met"] for goal in content["goals"].values())


def test_every_other_group_comes_to_its_end(bare, figures, tmp_path):
    """In one process, which loads PyTorch once. Groups of `small` go the same ways as those of `base`."""
    groups = [name for name in figures.LIMITS_S if name != "base" and not name.startswith("small")]
    (tmp_path / "groups.py").write_text(
        f"""import sys
from pathlib import Path

sys.path.insert(0, {str(HERE)!r})
import figures

for name in {groups!r}:
    figures.run_group(name, figures.parse_options(["--json", f"{{name}}.json", "--device", "cpu", "--size", "tiny"]))
""",
        "utf-8",
    )
    done = run(["groups.py"], bare, tmp_path)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    contents = [json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in groups]
    assert [content["missing"] for content in contents] == [[]] * len(groups)
    assert sum(len(content["figures"]) for content in contents) > 20


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("hangs", "it was stopped after 9 s"),
        ("dies", "its process ended with exit code -11"),
        ("raises", "ValueError: no"),
    ],
)
def test_a_group_that_fails_takes_no_other_with_it(figures, tmp_path, monkeypatch, kind, reason):
    path = tmp_path / "gpu.json"

    def measure(words, **options):
        report = figures.Report(Path(words[words.index("--json") + 1]))
        report.add("half of it", ratio=0.5, goal="training", target=0.4)
        if kind == "hangs":
            raise subprocess.TimeoutExpired(words, options["timeout"])
        if kind == "raises":
            with report.trying("the other half"):
                raise ValueError("no")
        return subprocess.CompletedProcess(words, -11 if kind == "dies" else 0)

    monkeypatch.setattr(figures.subprocess, "run", measure)
    monkeypatch.setitem(figures.LIMITS_S, "base", 9)
    assert figures.main(["--json", str(path), "--groups", "base,units"]) == 1
    content = json.loads(path.read_text("utf-8"))
    assert [figure["name"] for figure in content["figures"]] == ["half of it", "half of it"]
    assert content["goals"] == {"training": {"best": 0.5, "target": 0.4, "met": True}}
    assert reason in [part["reason"] for part in content["missing"]]


def test_groups_for_which_there_is_no_time_are_named(figures, tmp_path):
    path = tmp_path / "gpu.json"
    assert figures.main(["--json", str(path), "--seconds", "1", "--groups", "base"]) == 1
    assert json.loads(path.read_text("utf-8"))["missing"] == [
        {"name": "base", "reason": "the time for all groups was over"}
    ]


def test_every_group_has_a_limit(figures):
    assert importlib.import_module("_groups").GROUPS.keys() == figures.LIMITS_S.keys()
