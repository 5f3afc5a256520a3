"""Sphinx: the pages are Markdown, those with code cells are executed, the theme is that of PyData."""

import os
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes

PACKAGE = Path(__file__).parents[1] / "nwb_neurid" / "__init__.py"

project = "nwb-neurid"
author = "The nwb-neurid developers"
release = re.search(r'^__version__ = "(.+)"', PACKAGE.read_text("utf-8"), re.MULTILINE)[1]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
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

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_execution_in_temp = True
nb_merge_streams = True
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where nwb-neurid is

copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"

html_theme = "pydata_sphinx_theme"
html_title = f"{project} {release}"
html_search_scorer = str(Path(__file__).with_name("scorer.js"))
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_sidebars = {"index": [], "faq": []}
html_theme_options = {
    "logo": {"text": project},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_nav_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_copyright = author
SHELL = "%%bash\n"


def show_as_console(_, document: nodes.document) -> None:
    """Show cells that bash runs as console blocks with a prompt, like all other commands in the pages."""
    for block in document.findall(nodes.literal_block):
        if block.astext().startswith(SHELL) and "cell_input" in block.parent.get("classes", ()):
            commands = re.sub(r"(?<!\\\n)^(?=.)", "$ ", block.astext().removeprefix(SHELL), flags=re.MULTILINE)
            shown = nodes.literal_block(commands, commands, language="console", classes=block["classes"])
            block.replace_self(shown)


def prepare_tutorials(app) -> None:
    """Set up IPython in the same way on every machine, and make a folder for the reports that pages show."""
    reports = Path(app.outdir) / "reports"
    profile = Path(app.doctreedir) / "ipython" / "profile_default"
    for folder in (reports, profile / "startup"):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(app.confdir) / "kernel.py", profile / "startup")
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 50\n", "utf-8")
    os.environ["NEURID_REPORTS"] = str(reports)
    os.environ["IPYTHONDIR"] = str(profile.parent)
    os.environ["TTY_COMPATIBLE"] = "0"  # the kernel asks for colours; bars would be drawn too


def setup(app) -> None:
    """Register the functions of this file with Sphinx."""
    app.connect("builder-inited", prepare_tutorials)
    app.connect("doctree-read", show_as_console)
