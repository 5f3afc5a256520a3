"""Every public name says what it takes, what it returns and what it raises. A failure names what is missing where."""

import doctest
import inspect
import re
import runpy
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

API = runpy.run_path(str(Path(__file__).with_name("public_api.py")))
MORE = ("nwb_neurid.analyzer", "nwb_neurid.simulate")
"""Public modules that plugins have no use for."""

BUILT = {
    "ContrastiveLoss",
    "Dropout",
    "EncoderConformance",
    "EncoderPlugin",
    "EncoderSpec",
    "Population",
    "ReadOptions",
    "ReaderConformance",
    "ReaderPlugin",
    "ReaderSpec",
    "Recipe",
    "Series",
    "Spikes",
    "TorchEncoder",
    "Traces",
    "TrainingOptions",
    "VICRegLoss",
    "WindowOptions",
}
"""Classes that people make instances of, or subclass: they have an example."""


def public_names(root: Path = Path(__file__).parents[2]) -> set[str]:
    """Full names of everything public that is not a field or method of something else."""
    listed = {re.search(r"nwb_neurid[\w.]*", line)[0] for line in API["public_api"](root)}
    names = {name for name in listed if name.rpartition(".")[0] not in listed}
    for module in MORE:
        passed_on = [name for name, _ in API["_imports"](API["_tree"](root, module))]
        names |= {f"{module}.{name}" for name in passed_on or import_module(module).__all__}
    return names


def public_objects() -> Iterator[tuple[str, Any]]:
    """Each public function and class once, by its own name, in the module where that is shortest."""
    pytest.importorskip("spikeinterface", reason="the analyzer needs spikeinterface")
    found: dict[int, tuple[str, Any]] = {}
    pairs = []
    for name in public_names():
        module, _, own = name.rpartition(".")
        value = getattr(import_module(module), own)
        ours = str(getattr(value, "__module__", "")).startswith("nwb_neurid")
        if ours and (inspect.isclass(value) or inspect.isfunction(value)):
            pairs.append((own != value.__name__, name.count("."), name, value))
    for *_, name, value in sorted(pairs, key=lambda pair: pair[:3]):
        found.setdefault(id(value), (name, value))
    yield from sorted(found.values(), key=lambda pair: pair[0])


PUBLIC = dict(public_objects())


def sections(documentation: str) -> dict[str, str]:
    """Text of each numpydoc section."""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", documentation, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def described(section: str) -> set[str]:
    """Names that a section describes: lines that are not indented."""
    names = set()
    for line in section.splitlines():
        if line and not line[0].isspace():
            names |= {name.strip().lstrip("*") for name in line.partition(" : ")[0].split(",")}
    return names


def faults_of_callable(function: Any, *, examples: bool) -> Iterator[str]:
    """What is missing in the docstring of a function or method."""
    documentation = inspect.getdoc(function) or ""
    parts = sections(documentation)
    signature = inspect.signature(function)
    arguments = {name for name in signature.parameters if name not in {"self", "cls"} and not name.startswith("_")}
    if not documentation:
        yield "a docstring"
    if missing := arguments - described(parts.get("Parameters", "")):
        yield f"Parameters: {', '.join(sorted(missing))}"
    if extra := described(parts.get("Parameters", "")) - arguments:
        yield f"no such parameter: {', '.join(sorted(extra))}"
    returns = signature.return_annotation
    if returns not in {None, "None", signature.empty} and not {"Returns", "Yields"} & parts.keys():
        yield "Returns"
    raises = re.search(r"^\s+raise [A-Z]\w+\(", inspect.getsource(function), re.MULTILINE)
    if raises and "Raises" not in parts:
        yield "Raises"
    if examples and ">>>" not in parts.get("Examples", ""):
        yield "Examples"


def faults_of_class(name: str, kind: type) -> Iterator[str]:
    """What is missing in the docstrings of a class and of what it defines itself."""
    documentation = inspect.getdoc(kind) or ""
    parts = sections(documentation)
    if not documentation or documentation.startswith(f"{kind.__name__}("):
        yield "a docstring"
    fields = list(getattr(kind, "__dataclass_fields__", {}).values())
    arguments = {field.name for field in fields if field.init}
    if "__init__" in vars(kind) and not fields:
        arguments = set(inspect.signature(kind).parameters)
    protocol = getattr(kind, "_is_protocol", False)
    if missing := ({*()} if protocol else arguments) - described(parts.get("Parameters", "")):
        yield f"Parameters: {', '.join(sorted(missing))}"
    if name.rpartition(".")[2] in BUILT and ">>>" not in parts.get("Examples", ""):
        yield "Examples"
    for own, value in vars(kind).items():
        if own.startswith("_") or own.startswith("test_"):
            continue
        if isinstance(value, property) and not inspect.getdoc(value):
            yield f"{own}: a docstring"
        plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(plain):
            yield from (f"{own}: {fault}" for fault in faults_of_callable(plain, examples=False))


@pytest.mark.parametrize("name", PUBLIC)
def test_nothing_is_missing(name):
    """Write numpydoc sections: Parameters, Returns, Raises, and an example that runs."""
    value = PUBLIC[name]
    faults = faults_of_class(name, value) if inspect.isclass(value) else faults_of_callable(value, examples=True)
    assert list(faults) == []


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.filterwarnings("ignore")  # of ours and of SpikeInterface
def test_examples_run(name, tmp_path, monkeypatch):
    """What an example prints is what its docstring shows."""
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    names = vars(import_module(PUBLIC[name].__module__))
    for case in doctest.DocTestFinder(exclude_empty=True).find(PUBLIC[name], name, globs=dict(names)):
        lines: list[str] = []
        runner.run(case, out=lines.append)
        assert runner.failures == 0, "".join(lines)


def test_the_reference_names_everything_public(root):
    """Add the name to docs/reference/api.md, in the section where one would look for it."""
    page = (root / "docs" / "reference" / "api.md").read_text("utf-8")
    missing = [name for name in sorted(public_names()) if not re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", page)]
    assert missing == []
