"""The page of the report: one file with the markup, style and scripts in `page/`, and the content from `facts`."""

import base64
import hashlib
import html
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from nwb_neurid.report.encoding import encode_json

LIBRARY = "echarts.common.min.js"
SCRIPTS = ("core.js", "charts.js", "map.js", "unit.js", "table.js", "labels.js", "about.js", "main.js")


def make_page(facts: Mapping[str, Any]) -> str:
    """Put facts into the page.

    The Content-Security-Policy of the page allows only the scripts and the style of the page, which are identified by
    their hashes. Other scripts, network access and forms are not allowed.

    Parameters
    ----------
    facts
        Facts from `nwb_neurid.report.facts.collect_facts`.

    Returns
    -------
    str
        The HTML document.
    """
    library, style = read_asset(LIBRARY), read_asset("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(read_asset(name) for name in SCRIPTS) + "\n})();\n"
    policy = (
        f"default-src 'none'; script-src {_hash(library)} {_hash(script)}; style-src {_hash(style)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "TITLE": html.escape(str(facts["title"])),
        "POLICY": policy,
        "STYLE": style,
        "LIBRARY": library,
        "FACTS": encode_json(facts),
        "SCRIPT": script,
    }
    page = read_asset("page.html")
    pieces = page.split("%%")
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def read_asset(name: str) -> str:
    """Read a file of the page, with Unix line endings."""
    return (files("nwb_neurid.report") / "page" / name).read_text("utf-8").replace("\r\n", "\n")


def _hash(text: str) -> str:
    """Return the hash that allows this text in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
