"""What is imported is declared. A failure names the file and the library."""

import re
import sys
import tomllib

# Where the modules are not called as the distribution is. hdmf is the half of pynwb that holds its tables;
# which version of it fits is pynwb's to say, as that of dask and psutil is distributed's.
MODULES_OF = {
    "scikit-learn": {"sklearn"},
    "ruamel.yaml": {"ruamel"},
    "pynwb": {"pynwb", "hdmf"},
    "boto3": {"boto3", "botocore"},
    "ipywidgets": {"ipywidgets", "IPython"},
    "jupyter-scatter": {"jscatter"},
    "distributed": {"distributed", "dask", "psutil"},
    "dask-jobqueue": {"dask_jobqueue"},
}
TYPES_ONLY = {"_typeshed"}  # of the type checker's own stubs


def test_every_library_is_a_requirement(root, imports, plugins):
    """Declare it in pyproject.toml with a lower bound and a reason: what others bring may leave with them."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    known = {"nwb_neurid", *plugins, *sys.stdlib_module_names, *TYPES_ONLY}
    extras = [requirement for extra in project["optional-dependencies"].values() for requirement in extra]
    for requirement in [*project["dependencies"], *extras]:
        name = re.match(r"[\w.-]+", requirement)[0]
        known |= MODULES_OF.get(name, {name})
    unknown = {f"{path} imports {name}" for path, name in imports if name.split(".")[0] not in known}
    assert not unknown, "\n".join(sorted(unknown))


def test_every_requirement_is_imported(root, imports):
    """Drop from pyproject.toml what nothing needs; what is there for another library's sake belongs into its reason."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    names = [re.match(r"[\w.-]+", requirement)[0] for requirement in project["dependencies"]]
    used = {name.split(".")[0] for _, name in imports}
    unused = [name for name in names if not MODULES_OF.get(name, {name}) & used]
    assert not unused, ", ".join(unused)


def test_hints_name_packages_that_can_be_installed(root):
    """`nwb-neurid[extra]` installs nothing where nwb-neurid itself is a checkout: name the packages of the extra."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    known = {frozenset(re.match(r"[\w.-]+", each)[0] for each in extra) for extra in extras}
    pages = [path for path in (root / "docs").rglob("*.md") if "_build" not in path.parts]
    sources = [*(root / "nwb_neurid").rglob("*.py"), *(root / "plugins").rglob("*.py"), *pages]
    for path in [*sources, root / "README.md"]:
        for words in re.findall(r"pip install ([a-z][\w -]*\w)(?![\w/])", path.read_text("utf-8")):
            assert words.startswith("torch") or frozenset(words.split()) in known, f"{path} has: pip install {words}"
        assert 'install "nwb-neurid[' not in path.read_text("utf-8"), path
