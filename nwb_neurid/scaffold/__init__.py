"""Make the package of a new plugin, from templates."""

import importlib.util
import keyword
import re
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from nwb_neurid import __version__
from nwb_neurid._system.atomic import convert_errors
from nwb_neurid._system.file_sets import make_folder
from nwb_neurid._system.lock import lock
from nwb_neurid.contracts import CONTRACT
from nwb_neurid.errors import CannotWrite, InvalidOption

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
TEMPLATES = ("encoder", "torch", "reader")


def write_package(template: str, name: str, parent: Path) -> Path:
    """Write a working plugin into a new folder.

    Parameters
    ----------
    template
        One of `TEMPLATES`: an encoder with NumPy, an encoder that is trained with torch, or a reader.
    name
        Name of the plugin, its folder and its distribution. In the name of its module, underscores replace hyphens.
    parent
        The parent folder of the new folder.

    Raises
    ------
    InvalidOption
        If the name cannot be used.
    CannotWrite
        If the folder exists, or cannot be written.
    """
    module = _choose_module(name)
    words = {"name": name, "module": module, "contract": str(CONTRACT), "version": __version__}
    folder = parent / name
    place = folder.resolve()
    with convert_errors(folder):
        place.parent.mkdir(parents=True, exist_ok=True)
        with lock(place):
            if place.exists():
                raise CannotWrite(f"{folder} exists. Choose another name, or another --output.")
            with make_folder(place) as made:
                for path, text in _read_templates(files(__package__) / "templates" / template):
                    target = made / Template(path).substitute(words)
                    target.parent.mkdir(exist_ok=True)
                    target.write_text(Template(text).substitute(words), encoding="utf-8")
    return folder


def _choose_module(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise InvalidOption(
            f"A plugin's name must be small letters and digits, with single hyphens between, got {name!r}."
        )
    module = name.replace("-", "_")
    taken = keyword.iskeyword(module) or module in sys.stdlib_module_names
    if taken or importlib.util.find_spec(module) is not None:
        raise InvalidOption(f"A module {module} exists already in Python or in what is installed. Choose another name.")
    return module


def _read_templates(folder: Traversable, above: str = "") -> list[tuple[str, str]]:
    """Path below the folder, without the ending that keeps tools from taking it for code, and text of each template."""
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _read_templates(entry, f"{above}{entry.name}/")
        else:
            found.append((above + entry.name.removesuffix(".txt"), entry.read_text("utf-8")))
    return found
