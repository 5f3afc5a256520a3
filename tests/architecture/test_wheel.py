"""The suite runs on the built wheel. A failure names what the wheel forgot, or brought along."""

import importlib
import os
from importlib.metadata import files
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif("NWB_NEURID_WHEEL" not in os.environ, reason="the suite runs on a checkout")


def test_what_is_imported_is_installed(root, plugins):
    """Run the suite as `make test` does; drop PYTHONPATH and editable installs."""
    locations = [Path(importlib.import_module(name).__file__) for name in ["nwb_neurid", *plugins]]
    checkout = [root / "nwb_neurid", root / "plugins"]
    assert [path for path in locations for folder in checkout if path.is_relative_to(folder)] == []


def test_the_wheel_holds_every_file_of_the_packages(root, plugins):
    """See `[tool.hatch.build.targets.wheel]` in pyproject.toml, and .gitignore, which hatch obeys."""
    packages = {"nwb_neurid": root / "nwb_neurid", **{name: root / "plugins" / name for name in plugins}}
    written = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in packages.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    shipped = {file.as_posix() for file in files("nwb-neurid") if "__pycache__" not in file.parts}
    modules = {name for name in shipped if not name.startswith(("..", "nwb_neurid-"))}
    assert modules == written
