"""Sphinx: the pages are Markdown, the theme is furo."""

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "nwb_neurid" / "__init__.py"

project = "nwb-neurid"
author = "The nwb-neurid developers"
release = re.search(r'^__version__ = "(.+)"', PACKAGE.read_text("utf-8"), re.MULTILINE)[1]

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"{project} {release}"
