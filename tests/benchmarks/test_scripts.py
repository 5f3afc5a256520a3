"""Every benchmark beside this file comes to its end at the tiny size, and each line that it prints is a ratio."""

import json
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(path.name for path in HERE.glob("[a-z]*.py") if not path.name.startswith("test_"))
RATIO = re.compile(r"[\d)] x |\d%.* of the rate|step on .* recordings")
CHANCE = re.compile(r"^chance: ")


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_comes_to_its_end_and_prints_ratios(commands, tmp_path, script):
    done = commands.run_python([HERE / script, "--size", "tiny"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines
    assert [line for line in lines if not RATIO.search(line) and not CHANCE.search(line)] == []


def test_a_value_can_be_set_beside_the_size(commands, tmp_path):
    words = [HERE / "simulation.py", "--size", "tiny", "--units", 7, "--rounds", 1]
    done = commands.run_python(words, tmp_path)
    assert done.stdout.startswith("simulate 7 neurons x 2 s: ")


@pytest.fixture
def bench():
    """The runner of the benchmarks."""
    spec = spec_from_file_location("_bench", HERE / "_bench.py")
    module = sys.modules["_bench"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["_bench"]


def test_the_runner_knows_every_benchmark_that_measures_time(bench):
    assert set(SCRIPTS) - set(bench.SCRIPTS) == {"simulation_difficulty.py", "training.py"}
    assert set(bench.SCRIPTS) <= set(SCRIPTS)


def test_ratios_and_slopes_stand_after_the_colon(bench):
    lines = [
        "write 1,000 x 512 into 300 MB: 1.20 s, 2.50 x a copy of the file (0.48 s)",
        "embed: 0.053 s, 1.52 (1.4 to 1.6) x the authors' flow; 3 x b, slope over sessions 0.97",
        "train: 1.2 s a step, 61% (49% to 77%) of the rate of its largest product (9 Gflop/s)",
        "embed: 2.00 x the authors' flow",
    ]
    found = [(each.what, each.rival, each.ratio) for each in bench.parse_lines("a.py", lines)]
    assert found == [
        ("write 1,000 x 512 into 300 MB", "a copy of the file", 2.5),
        ("embed", "the authors' flow", 1.52),
        ("embed", "b", 3.0),
        ("embed", "slope", 0.97),
        ("train", "the rate of its largest product", 0.61),
        ("embed (2)", "the authors' flow", 2.0),
    ]


def test_the_guard_names_what_became_worse(bench):
    figures = [*bench.parse_lines("a.py", ["a: 1.0 x b", "c: 2.0 x the rate of d", "new: 1.0 x e"])]
    assert bench.compare(figures, {"a.py: a / b": 0.9, "a.py: c / the rate of d": 2.5}, 1.5) == []
    assert bench.compare(figures, {"a.py: a / b": 0.5, "a.py: c / the rate of d": 4.0, "a.py: f / g": 1.0}, 1.5) == [
        "a.py: a / b: 1, accepted 0.5",
        "a.py: c / the rate of d: 2, accepted 4",
        "a.py: f / g: accepted 1, not measured",
    ]


def test_figures_are_kept_accepted_and_compared(tmp_path):
    words = [sys.executable, str(HERE / "_bench.py"), "--size", "tiny", "--only", "startup.py", "--accept"]
    words += ["--json", str(tmp_path / "bench.json"), "--accepted", str(tmp_path / "accepted.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "bench.json").read_text())
    accepted = json.loads((tmp_path / "accepted.json").read_text())
    assert told["failed"] == []
    assert len(accepted) == len(told["figures"]) > 0
    assert "figures accepted" in done.stdout


def test_a_benchmark_that_the_time_does_not_suffice_for_is_named(tmp_path):
    words = [sys.executable, str(HERE / "_bench.py"), "--size", "tiny", "--only", "reading.py", "--minutes", "0"]
    words += ["--json", str(tmp_path / "bench.json")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "failed: reading.py: the time was over" in done.stdout
