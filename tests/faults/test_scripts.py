"""The scripts beside this file, on small recordings and few rounds."""

import os
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and disks are those of POSIX")


@pytest.fixture
def figures(commands, tmp_path):
    """Runs a script, and returns what it prints."""

    def figures(script, *words):
        done = commands.run_python([HERE / script, *words], tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return figures


def test_a_killed_writer_leaves_the_old_output_or_the_new_one(figures):
    kinds = [word for kind in ("copy", "sidecar", "csv", "phy", "model with others") for word in ("--kind", kind)]
    said = figures("kills.py", *kinds, "--every", 5, "--timed", 2, "--megabytes", 0.5)
    assert "killed, old output in place" in said
    assert re.search(r"[1-9]\d* kills of 5 kinds of output, wrong: 0", said)


def test_writers_at_once_lose_nothing(figures):
    assert "1 rounds of 3 writers at once, wrong: 0" in figures("concurrent_writers.py", "--writers", 3, "--rounds", 1)


def test_a_full_disk_changes_nothing(figures):
    commands = [word for command in ("embed", "embed --sidecar", "remove") for word in ("--command", command)]
    said = figures("full_disk.py", "--megabytes", 0.5, "--steps", 3, *commands)
    if said.startswith("skipped"):
        pytest.skip(said)
    assert said.count("refused in one line, nothing changed") == 3
    assert "wrong: 0" in said


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_mutations_of_our_own_files_are_read_or_refused(figures):
    said = figures("own_files.py", "--mutations", 4, "--models", 2)
    assert "4 files with results and 2 models" in said


def test_other_faults_change_nothing(figures):
    assert "WRONG" not in figures("refusals.py")


def test_links_into_another_file_leave_it_as_it_is(figures):
    assert "copy: replace: done" in figures("links.py", "--every", 10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
def test_pipes_and_devices_in_place_of_files_are_not_waited_for(figures):
    assert "wrong: 0" in figures("pipes.py", "--every", 40)


def test_hostile_servers_are_given_up(figures):
    pytest.importorskip("remfile", reason="remote files need nwb-neurid[remote]")
    assert "wrong: 0" in figures("hostile_servers.py", "--every", 8, "--first", 7)


@pytest.mark.slow
def test_an_archive_loses_and_doubles_nothing(figures):
    for needed in ("distributed", "pyarrow"):
        pytest.importorskip(needed, reason="archives need nwb-neurid[cluster,parquet]")
    said = figures("archive.py", "--recordings", 5, "--rounds", 1, "--fault", "worker killed")
    assert "1 faults, 5 recordings, wrong: 0" in said
