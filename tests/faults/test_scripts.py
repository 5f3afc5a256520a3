"""The scripts beside this file, on small recordings and few rounds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and disks are those of POSIX")


def figures(script, *words):
    done = subprocess.run(
        [sys.executable, HERE / script, *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("way", ["copy", "sidecar"])
def test_a_killed_writer_leaves_the_original_or_the_finished_file(way):
    assert "4 kills over" in figures("kills.py", "--kills", 4, "--megabytes", 4, "--way", way)


def test_a_full_disk_changes_nothing():
    said = figures("full_disk.py", "--megabytes", 2, "--steps", 2)
    if said.startswith("skipped"):
        pytest.skip(said)
    for way in ("copy", "sidecar", "remove"):
        assert f"{way}: refused in one line" in said


def test_other_faults_change_nothing():
    assert "WRONG" not in figures("refusals.py")


def test_links_into_another_file_leave_it_as_it_is():
    assert "copy: replace: done" in figures("links.py", "--every", 10)
