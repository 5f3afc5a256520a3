"""Commands in a folder that somebody else filled: nothing in it is run, and no settings are taken from it."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from nwb_neurid.simulate import simulate, write_nwb

SCRIPT = Path(sysconfig.get_path("scripts")) / ("nwb-neurid.exe" if os.name == "nt" else "nwb-neurid")
LIBRARIES = ("numpy", "torch", "matplotlib", "h5py", "pynwb", "hdmf", "sklearn", "scipy", "pandas", "typer", "rich")
OURS = ("nwb_neurid", "neurid_isi", "neurid_nuclr", "neurid_neurpir")
TRAP = "import pathlib; pathlib.Path({marker!r}).touch(); raise SystemExit('a module of the folder was run')"

COMMANDS = [
    "inspect recording.nwb",
    "embed recording.nwb --encoder isi",
    "embed recording.nwb",
    "show recording.nwb",
    "remove recording.nwb --name neurid_isi",
    "train recording.nwb --preset small --steps 1 --windows 2 --device cpu --output model",
    "fit-labels isi recording.nwb --label cell_type --output labels",
    "evaluate recording.nwb --encoder isi --label cell_type --protocol transductive --folds 2 --output scores",
    "compare scores scores",
    "import nuclr recording.nwb --output imported",
    "simulate animals --animals 2 --jobs 2 --units 4 --duration 2",
    "demo --units 40 --duration 10",
    "plugins",
    "plugins check isi",
    "plugins new encoder made-here",
    "--help",
]
REFUSED = ("import",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A recording beside modules of every name that Python and our libraries have, and settings of matplotlib."""
    folder = tmp_path_factory.mktemp("downloaded")
    marker = str(folder.with_name("was-run"))
    for name in {*sys.stdlib_module_names, *LIBRARIES, *OURS}:
        (folder / f"{name}.py").write_text(TRAP.format(marker=marker))
    (folder / "matplotlibrc").write_bytes(b"\xff\xfe backend: module://json\ntext.usetex: True\n")
    write_nwb(simulate(50, 20.0, 3), folder / "recording.nwb")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_in_the_folder_is_run(folder, command):
    if not SCRIPT.exists():
        pytest.skip("nwb-neurid is not installed as a script here")
    words = command.split()
    done = subprocess.run([SCRIPT, *words], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == (2 if words[0] in REFUSED else 0), done.stdout + done.stderr
    assert not folder.with_name("was-run").exists()


def test_nor_is_it_where_python_runs_the_package(folder):
    """Python itself looks for `runpy` and what that imports in the folder first, before any code of ours runs."""
    kept = {name: (folder / f"{name}.py") for name in sys.stdlib_module_names}
    early = {name: path.read_text() for name, path in kept.items() if name in EARLY}
    try:
        for name in early:
            kept[name].unlink()
        (folder / "nwb_neurid.py").unlink()
        words = [sys.executable, "-m", "nwb_neurid", "plugins", "check", "isi"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    finally:
        for name, text in early.items():
            kept[name].write_text(text)
        (folder / "nwb_neurid.py").write_text(next(iter(early.values())))
    assert done.returncode == 0, done.stderr
    assert not folder.with_name("was-run").exists()


EARLY = {
    *("runpy", "importlib", "pkgutil", "os", "sys", "io", "types", "typing", "functools", "collections", "operator"),
    *("reprlib", "keyword", "weakref", "warnings", "re", "enum", "copyreg", "contextlib", "abc", "stat", "codecs"),
    *("zipimport", "posixpath", "ntpath", "genericpath", "_collections_abc", "_weakrefset", "linecache", "tokenize"),
    *("token", "textwrap", "zipfile", "struct", "threading", "shutil", "fnmatch", "errno", "zlib", "bz2", "lzma"),
}
