"""Print every public name with its signature, as the source says it: `python tests/architecture/public_api.py`."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULES = (
    "configs",
    "contracts",
    "contracts.config",
    "correlogram",
    "errors",
    "intervals",
    "plots",
    "population",
    "results",
    "testing",
    "trainable",
    "training",
)
"""Modules of nwb_neurid that plugins and scripts may rest on, beside its own names."""


def public_api(root: Path) -> list[str]:
    """One line for each name: functions with their arguments, classes with their fields and methods."""
    names = [f"nwb_neurid.{name}" for name in _own_names(root)]
    found = [*_described(root, "nwb_neurid", names)]
    for module in MODULES:
        found += _described(root, f"nwb_neurid.{module}", None)
    return sorted(set(found))


def _own_names(root: Path) -> list[str]:
    return sorted(name for name, _ in _imports(_tree(root, "nwb_neurid")))


def _described(root: Path, module: str, only: list[str] | None) -> Iterator[str]:
    tree = _tree(root, module)
    for name, (home, there) in _imports(tree):
        if only is None or f"{module}.{name}" in only:
            definition = _definition(root, home, there)
            yield from [f"{module}.{name}"] if definition is None else _lines(f"{module}.{name}", definition)
    for node in tree.body if only is None else []:
        name = _name(node)
        if name is not None and not name.startswith("_"):
            yield from _lines(f"{module}.{name}", node)


def _imports(tree: ast.Module) -> Iterator[tuple[str, tuple[str, str]]]:
    """Names that are imported to be passed on, as in `from nwb_neurid.a import b as b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                if alias.asname == alias.name:
                    yield alias.name, (node.module, alias.name)


def _definition(root: Path, module: str, name: str) -> ast.stmt | None:
    tree = _tree(root, module)
    for node in tree.body:
        if _name(node) == name:
            return node
    passed_on = dict(_imports(tree))
    return _definition(root, *passed_on[name]) if name in passed_on else None


def _name(node: ast.stmt) -> str | None:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    target = (
        node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
    )
    return target.id if isinstance(target, ast.Name) else None


def _lines(name: str, node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef):
        kinds = [ast.unparse(mark) for mark in node.decorator_list]
        returns = "" if node.returns is None else f" -> {ast.unparse(node.returns)}"
        shown = "" if "property" in kinds else f"({ast.unparse(node.args)})"
        yield f"{name}{shown}{returns}"
    elif isinstance(node, ast.ClassDef):
        yield f"class {name}({', '.join(map(ast.unparse, node.bases))})"
        for inner in node.body:
            own = _name(inner)
            if own is not None and (not own.startswith("_") or own == "__init__"):
                yield from _lines(f"{name}.{own}", inner)
    elif isinstance(node, ast.AnnAssign):
        default = "" if node.value is None else f" = {ast.unparse(node.value)}"
        yield f"{name}: {ast.unparse(node.annotation)}{default}"
    else:
        yield name


def _tree(root: Path, module: str) -> ast.Module:
    path = root / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text("utf-8"))


if __name__ == "__main__":
    sys.stdout.write("\n".join(public_api(ROOT)) + "\n")
