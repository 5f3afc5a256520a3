"""Whole commands, run as a user runs them."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nwb_neurid.simulate import simulate, write_nwb

if TYPE_CHECKING:
    from commands import Commands

Run = Callable[..., subprocess.CompletedProcess[str]]


def command(commands: "Commands", folder: Path, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """`nwb-neurid` with these words, in a process of its own; a traceback is never allowed."""
    done = commands.run(words, folder)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def run(commands: "Commands", tmp_path: Path) -> Run:
    """Runs `nwb-neurid` in a folder of the test's own."""
    return partial(command, commands, tmp_path)


@pytest.fixture(scope="module")
def run_once(commands: "Commands", tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs `nwb-neurid` in a folder that the tests of a module share."""
    return partial(command, commands, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve simulated units over 30 s, as an NWB file."""
    return write_nwb(simulate(12, 30.0, 3), tmp_path_factory.mktemp("simulated") / "simulated.nwb")


@pytest.fixture
def recording(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the simulated recording that a test may write to."""
    return Path(shutil.copy(simulated, tmp_path / "recording.nwb"))


@pytest.fixture(scope="session")
def sha256() -> Callable[[Path], str]:
    """The hash of a file."""
    return lambda path: hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def kilosort(tmp_path: Path) -> Path:
    """Three clusters over 20 s at 1 kHz, as Kilosort writes them."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "sorted"
    folder.mkdir()
    samples = np.sort(rng.choice(20_000, 600, replace=False))
    np.save(folder / "spike_times.npy", samples)
    np.save(folder / "spike_clusters.npy", rng.integers(0, 3, 600))
    return folder


@pytest.fixture
def suite2p(tmp_path: Path) -> Path:
    """Five ROIs of one plane over 60 s at 10 Hz, the last of them no cell."""
    rng = np.random.default_rng(0)
    plane = tmp_path / "imaged" / "plane0"
    plane.mkdir(parents=True)
    raw = (100 + 20 * rng.random((5, 600))).astype(np.float32)
    np.save(plane / "F.npy", raw)
    np.save(plane / "Fneu.npy", 0.3 * raw)
    np.save(plane / "spks.npy", rng.random((5, 600)).astype(np.float32))
    np.save(plane / "iscell.npy", np.array([[1.0, 0.9]] * 4 + [[0.0, 0.1]]))
    return plane.parent
