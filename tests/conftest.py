"""What every test may use: where recorded data lies, and how Hypothesis searches."""

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

settings.register_profile("suite", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("suite")


def recorded(folder: str) -> Path:
    """A folder of recorded data, which lies beside the repository and not in it."""
    path = ROOT.parent / "shared" / folder
    if not path.is_dir():
        pytest.skip(f"recorded data not present: {path}")
    return path


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings."""
    return recorded("data")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Numbers of the official implementations."""
    return recorded("golden")
