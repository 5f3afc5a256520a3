"""Every benchmark beside this file comes to its end at the tiny size, and each line that it prints is a ratio."""

import re
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
