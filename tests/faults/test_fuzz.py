"""Mutations of small sources, some of the many that `fuzz.py` makes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(
    not hasattr(os, "fork") or not Path("/proc/self/statm").exists(), reason="limits are those of Linux"
)
@pytest.mark.parametrize("seed", [0, 1])
def test_mutations_are_read_or_refused(seed):
    command = [sys.executable, HERE / "fuzz.py", "--mutations", "100", "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {words: int(count) for count, words in re.findall(r"(\d+) (read|refused in one line)", done.stdout)}
    assert counts["read"] > 10
    assert counts["refused in one line"] > 10
