"""Sphinx: the pages are Markdown, the theme is furo."""

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "nwb_neurid" / "__init__.py"

project = "nwb-neurid"
author = "The nwb-neurid developers"
release = re.search(r'^__version__ = "(.+)"', PACKAGE.read_text("utf-8"), re.MULTILINE)[1]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "templates"]
templates_path = ["templates"]  # a class with what it defines itself, not with what it inherits
autosummary_generate = True
autodoc_default_options = {"members": True, "undoc-members": False}
autodoc_typehints = "none"  # shapes are in the text
autoclass_content = "class"
default_role = "code"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False
nitpick_ignore_regex = [("py:.*", r"(?!nwb_neurid).*")]  # types of others, and words such as "array"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"{project} {release}"
