"""Whole commands, run as a user runs them."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nwb_neurid.simulate import simulate, write_nwb

Run = Callable[..., subprocess.CompletedProcess[str]]


def command(folder: Path, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """`nwb-neurid` with these words, in a fresh process; a traceback is never allowed."""
    done = subprocess.run(
        [sys.executable, "-m", "nwb_neurid", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `nwb-neurid` in a folder of the test's own."""
    return partial(command, tmp_path)


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs `nwb-neurid` in a folder that the tests of a module share."""
    return partial(command, tmp_path_factory.mktemp("shared"))


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
