"""Who may import whom. A failure names the file and what it imports."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

TYPES = {
    *("errors", "intervals", "correlogram", "activity", "covariates", "vocabulary", "population", "dff", "results"),
    "_system",
}
CONTRACT = {"contracts", *TYPES}

# Folders of nwb_neurid, and the modules beside them, from the inside out. Within a folder imports are free.
MAY_IMPORT: Mapping[str, set[str]] = {
    "errors": set(),
    "_system": {"errors"},
    "intervals": {"errors"},
    "correlogram": {"intervals"},
    "activity": {"intervals", "errors"},
    "covariates": {"activity", "intervals", "errors"},
    "vocabulary": set(),
    "population": {"activity", "covariates", "intervals", "vocabulary", "errors", "_system"},
    "dff": {"intervals", "activity", "population"},
    "results": {"activity", "population", "errors", "_system"},
    "clusters": {"activity", "correlogram", "intervals", "population", "results", "errors"},
    "contracts": TYPES,
    "configs": {"contracts"},
    "trainable": {"contracts"},
    "registry": CONTRACT,
    "readers": {"registry", *CONTRACT},
    "labels": CONTRACT,
    "training": {"labels", *CONTRACT},
    "model": {"registry", "labels", *CONTRACT},
    "writers": {"readers", "clusters", *CONTRACT},
    "plots": CONTRACT,
    "report": {"plots", "clusters", *CONTRACT},
    "simulate": CONTRACT,
    "scaffold": CONTRACT,
    "testing": CONTRACT,
    "workflows": {"readers", "model", "labels", "writers", "plots", "report", "simulate", "registry", *CONTRACT},
    "evaluation": {"readers", "registry", "model", "labels", "training", "plots", "workflows", *CONTRACT},
    "datasets": {"readers", "registry", "model", "labels", "workflows", "evaluation", *CONTRACT},
    "analyzer": {"readers", "model", "labels", "writers", "workflows", "plots", "registry", *CONTRACT},
    "cli": {
        "readers",
        "model",
        "labels",
        "training",
        "writers",
        "workflows",
        "evaluation",
        "datasets",
        "clusters",
        "registry",
        "simulate",
        "scaffold",
        "testing",
        *CONTRACT,
    },
    "__main__": {"cli"},
}
# Texts that are called as a plugin is and mean something else.
HOMONYMS: Mapping[str, set[str]] = {"nwb_neurid/training/checkpoint.py": {"fingerprint"}}  # a key of stored checkpoints

# What plugins may rest on, a stranger's as well as ours.
PUBLIC = {
    "nwb_neurid",
    "nwb_neurid.contracts.config",
    "nwb_neurid.contracts",
    "nwb_neurid.correlogram",
    "nwb_neurid.errors",
    "nwb_neurid.intervals",
    "nwb_neurid.plots",
    "nwb_neurid.population",
    "nwb_neurid.results",
    "nwb_neurid.testing",
    "nwb_neurid.configs",
    "nwb_neurid.trainable",
    "nwb_neurid.training",
}


def module_of(path: str) -> str:
    """`readers` for nwb_neurid/readers/nwb.py, `population` for nwb_neurid/population.py."""
    return path.split("/")[1].removesuffix(".py")


def test_every_module_has_its_place(sources):
    """A new module needs a row in MAY_IMPORT: give it the innermost one that lets it do its work."""
    modules = {module_of(path) for path in sources if path.startswith("nwb_neurid/")} - {"__init__"}
    assert modules <= MAY_IMPORT.keys()


def test_imports_point_inward(imports):
    """Move what both sides need inward, or pass it as an argument; widen MAY_IMPORT only as a decision."""
    outward = []
    for path, name in imports:
        package, _, rest = name.partition(".")
        if not path.startswith("nwb_neurid/") or path == "nwb_neurid/__init__.py" or package != "nwb_neurid":
            continue
        own, other = module_of(path), rest.partition(".")[0]
        if other not in {own, "__version__"} and other not in MAY_IMPORT.get(own, set()):
            outward.append(f"{path} imports {name}")
    assert not outward, "\n".join(outward)


def test_the_core_knows_no_plugin(imports, plugins):
    """Reach a plugin through the registry, by the name that the user gave."""
    core = [(path, name) for path, name in imports if path.startswith("nwb_neurid/")]
    named = [f"{path} imports {name}" for path, name in core if name.split(".")[0] in plugins]
    assert not named, "\n".join(named)


def test_the_core_names_no_plugin(root, sources):
    """Take a default from the registry (`default_encoder`) or from what ships (`nwb_neurid.model.bundled`)."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    names = [*project["entry-points"]["nwb_neurid.encoders"]]
    names += [path.parent.name for path in root.glob("nwb_neurid/model/weights/*/model.json")]
    named = re.compile(rf"(?<![\w-])({'|'.join(names)})(?![\w-])")
    found = [
        f"{path}:{node.lineno} says {node.value!r}"
        for path, tree in sources.items()
        if path.startswith("nwb_neurid/")
        for node in strings(tree)
        if named.search(node.value) and node.value not in HOMONYMS.get(path, ())
    ]
    assert not found, "\n".join(found)


def strings(tree: ast.Module) -> Iterator[ast.Constant]:
    """The texts in a module, without docstrings."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node


def test_plugins_import_public_names_only(imports, plugins):
    """A plugin rests on what its author's neighbours may rest on too; what it lacks becomes public first."""
    private = []
    for path, name in imports:
        if not path.startswith("plugins/"):
            continue
        own, (base, _, last) = path.split("/")[1], name.rpartition(".")
        stranger = name.split(".")[0] in set(plugins) - {own}
        inside = name.split(".")[0] == "nwb_neurid" and name not in PUBLIC
        if stranger or (inside and (base not in PUBLIC or last.startswith("_"))):
            private.append(f"{path} imports {name}")
    assert not private, "\n".join(private)


def test_every_plugin_is_declared_once_and_nowhere_else(root: Path, plugins):
    """A package under plugins/ comes in through an entry point of pyproject.toml, as a stranger's does: three files
    (module, code, test) and that line. Find it by its folder wherever else it is needed."""
    for name in plugins:
        declared = (root / "pyproject.toml").read_text("utf-8")
        assert declared.count(name) == declared.count(f'"{name}:PLUGIN"') == 1
        assert name not in (root / "Makefile").read_text("utf-8")
