"""The source, parsed once: the tests of this folder read it and never run it."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def plugins() -> list[str]:
    """The packages under plugins/."""
    return sorted(path.parent.name for path in ROOT.glob("plugins/*/__init__.py"))


@pytest.fixture(scope="session")
def sources() -> Mapping[str, ast.Module]:
    """Every module of nwb_neurid and of the plugins, parsed, by its path from the root."""
    files = sorted([*ROOT.glob("nwb_neurid/**/*.py"), *ROOT.glob("plugins/**/*.py")])
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text("utf-8")) for file in files}


@pytest.fixture(scope="session")
def imports(sources: Mapping[str, ast.Module]) -> list[tuple[str, str]]:
    """(path, full name of what it imports), wherever in the file it imports it."""
    return [(path, name) for path, tree in sources.items() for name in imported(path, tree)]


def imported(path: str, tree: ast.Module) -> Iterator[str]:
    """Full names: `nwb_neurid.population.Population` for `from .population import Population`."""
    package = path.removeprefix("plugins/").split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            outer = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*outer, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
