"""Plugins of made-up distributions, and what a user meets who runs without shape checks."""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import jaxtyping
import pytest

GROUPS = ("nwb_neurid.encoders", "nwb_neurid.readers")


class Made(Distribution):
    """A distribution that is not installed anywhere: its metadata alone."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def read_text(self, filename: str) -> str | None:
        return self._files.get(filename)

    def locate_file(self, path: str) -> Path:
        return Path(path)


@pytest.fixture
def without_shape_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in users' runs, where nothing stands before our own messages."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def entry_points_of() -> Callable[..., list[EntryPoint]]:
    """Makes the entry points of a distribution: `entry_points_of("lab-a", isi="lab_a:PLUGIN")`."""

    def make(distribution: str, version: str = "1.0", group: str = GROUPS[0], **points: str) -> list[EntryPoint]:
        lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
        about = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        return list(Made({"METADATA": about, "entry_points.txt": "\n".join(lines)}).entry_points)

    return make


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterable[EntryPoint]], None]:
    """Makes these entry points, and no others, those that are installed."""

    def install(points: Iterable[EntryPoint]) -> None:
        found = list(points)
        monkeypatch.setattr(
            "nwb_neurid.registry.entry_points",
            lambda *, group: [point for point in found if point.group == group],
        )

    return install
