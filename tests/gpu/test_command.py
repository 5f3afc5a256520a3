"""The command line on a GPU: it works in a child of its process, under limits on memory while it reads."""

import csv
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gpu

RECORDING = "NWB_NEURID_RECORDING"


def run(*words, code=0, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "nwb_neurid", *map(str, words)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two files: reading the second one comes after the GPU was first used."""
    folder = tmp_path_factory.mktemp("recordings")
    if given := os.environ.get(RECORDING):
        shutil.copyfile(Path(given), folder / "a.nwb")
    elif importlib.util.find_spec("pynwb"):
        run("simulate", folder / "a.nwb", "--units", 12, "--duration", 40)
    else:
        pytest.skip(f"there is no pynwb to write a recording, and {RECORDING} names none")
    shutil.copyfile(folder / "a.nwb", folder / "b.nwb")
    return [folder / "a.nwb", folder / "b.nwb"]


def test_it_trains_and_embeds(device, recordings, tmp_path):
    trained = run(
        "train", *recordings, "-o", tmp_path / "model", "--preset", "small", "--steps", 3, "--device", device.name
    )
    assert "3 steps" in trained
    (tmp_path / "vectors").mkdir()
    printed = run(
        *("embed", *recordings, "--model", tmp_path / "model", "--device", device.name),
        *("--format", "csv", "--output", tmp_path / "vectors"),
    )
    assert "12 of 12 units embedded" in printed
    tables = sorted((tmp_path / "vectors").iterdir())
    assert len(tables) == 2
    for table in tables:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 12
        assert all(abs(float(row["e0"])) < 100 for row in rows)


def test_more_processes_than_gpus_are_refused_in_one_line(device, recordings, tmp_path):
    if not device.is_gpu:
        pytest.skip("there is no GPU to have too few of")
    processes = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "99"}
    words = ("train", recordings[0], "-o", tmp_path / "model", "--preset", "small", "--steps", 1)
    assert "torchrun started more processes than this node has GPUs" in run(*words, code=2, **processes)
