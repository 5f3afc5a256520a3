"""Mutations of small sources, some of the many that the scripts beside this file make."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(
    not hasattr(os, "fork") or not Path("/proc/self/statm").exists(), reason="limits are those of Linux"
)
def test_mutations_of_nwb_files_are_read_or_refused():
    command = [sys.executable, HERE / "fuzz_nwb.py", "--mutations", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "read " in done.stdout
    assert "refused " in done.stdout
