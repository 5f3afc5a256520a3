"""Every benchmark beside this file comes to its end at the tiny size, and each line that it prints is a ratio."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(path.name for path in HERE.glob("[a-z]*.py") if not path.name.startswith("test_"))
RATIO = re.compile(r"[\d)] x |\d%.* of the rate|step on .* recordings")
CHANCE = re.compile(r"^chance: ")


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_comes_to_its_end_and_prints_ratios(script):
    words = [sys.executable, str(HERE / script), "--size", "tiny"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines
    assert [line for line in lines if not RATIO.search(line) and not CHANCE.search(line)] == []


def test_a_value_can_be_set_beside_the_size():
    words = [sys.executable, str(HERE / "simulation.py"), "--size", "tiny", "--units", "7", "--rounds", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("simulate 7 neurons x 2 s: ")
