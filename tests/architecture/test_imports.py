"""Who may import whom. A failure names the file and what it imports."""

from collections.abc import Mapping
from pathlib import Path

POPULATION = {"population", "activity", "covariates", "intervals", "errors", "words"}
CONTRACT = {"contracts", "results", *POPULATION}

# Modules and subpackages of nwb_neurid, from the inside out. Within a subpackage imports are free.
MAY_IMPORT: Mapping[str, set[str]] = {
    "words": set(),
    "errors": set(),
    "blame": {"errors"},
    "limits": {"errors"},
    "zarr2": {"errors"},
    "intervals": {"errors"},
    "activity": {"intervals", "errors"},
    "covariates": {"activity", "intervals", "errors"},
    "population": {"activity", "covariates", "intervals", "errors"},
    "results": POPULATION,
    "contracts": {"results", *POPULATION},
    "registry": {"blame", *CONTRACT},
    "checks": CONTRACT,
    "configs": CONTRACT,
    "shipped": {"errors"},
    "model_folder": CONTRACT,
    "grouping": {"blame", *CONTRACT},
    "model": {"shipped", "blame", "grouping", "labels", "model_folder", "registry", "checks", *CONTRACT},
    "readers": {"zarr2", *CONTRACT},
    "whole": {"errors"},
    "ndx": {"zarr2", "whole", *CONTRACT},
    "export": {"whole", *CONTRACT},
    "outputs": {"limits", "ndx", "export", "whole", *CONTRACT},
    "trainable": CONTRACT,
    "training": {"trainable", *CONTRACT},
    "labels": {"model_folder", "training", *CONTRACT},
    "report": CONTRACT,
    "simulate": CONTRACT,
    "scaffold": CONTRACT,
    "testing": {"checks", "trainable", *CONTRACT},
    "learning": {"blame", "grouping", "model", "checks", "trainable", *CONTRACT},
    "training_run": {"learning", "reading", "model", "model_folder", "report", "trainable", *CONTRACT},
    "reading": {"blame", "limits", "registry", *CONTRACT},
    "suitable": {"checks", "model", "registry", "shipped", *CONTRACT},
    "pipeline": {
        "shipped",
        "suitable",
        "labels",
        "learning",
        "reading",
        "trainable",
        "registry",
        "model",
        "outputs",
        *CONTRACT,
    },
    "analyzer": {
        "shipped",
        "suitable",
        "reading",
        "model",
        "model_folder",
        "labels",
        "report",
        "ndx",
        "whole",
        *CONTRACT,
    },
    "labelling": {"labels", "model", "reading", "registry", *CONTRACT},
    "evaluation": {
        "checks",
        "labelling",
        "labels",
        "learning",
        "model",
        "reading",
        "report",
        "trainable",
        "training",
        "whole",
        *CONTRACT,
    },
    "demo": {"pipeline", "reading", "model", "labels", "report", "simulate", *CONTRACT},
    "cli": {
        "shipped",
        "blame",
        "demo",
        "evaluation",
        "learning",
        "labelling",
        "labels",
        "limits",
        "model",
        "ndx",
        "outputs",
        "pipeline",
        "reading",
        "registry",
        "scaffold",
        "simulate",
        "suitable",
        "testing",
        "trainable",
        "training",
        "training_run",
        *CONTRACT,
    },
    "__main__": {"cli"},
}
# What plugins may rest on, a stranger's as well as ours.
PUBLIC = {
    "nwb_neurid",
    "nwb_neurid.configs",
    "nwb_neurid.contracts",
    "nwb_neurid.errors",
    "nwb_neurid.intervals",
    "nwb_neurid.population",
    "nwb_neurid.results",
    "nwb_neurid.testing",
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


def test_every_plugin_is_declared(root: Path, plugins):
    """A package under plugins/ comes in through an entry point of pyproject.toml, as a stranger's does."""
    declared = (root / "pyproject.toml").read_text("utf-8")
    assert [name for name in plugins if f'"{name}:' not in declared] == []
