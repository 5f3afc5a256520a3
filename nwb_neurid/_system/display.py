"""Display of models and results, as text on the terminal and as HTML in notebooks."""

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100
ROWS, COLUMNS = 10, 10
_DIFFERS = re.compile(r" at a coverage|:")
"""Position at which a reason is cut, because the text after it differs from unit to unit."""


def shorten(text: str, width: int = WIDTH) -> str:
    """Put a text on one line, and cut it if it is longer than `width`."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def list_some(items: list[str], most: int = 8) -> str:
    """List the first items, and the total number if there are more."""
    more = f", … ({len(items)} in all)" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def count_reasons(reasons: Iterable[object]) -> dict[str, int]:
    """Count the units for each reason, most common first.

    The part of a reason that differs from unit to unit is ignored.
    """
    return dict(Counter(_DIFFERS.split(str(reason))[0] for reason in reasons).most_common())


def format_lines(title: str, facts: Mapping[str, str]) -> str:
    """Format a title, and one line for each fact that is not empty.

    >>> print(format_lines("Thing", {"size": "3", "colour": ""}))
    Thing
      size: 3
    """
    return "\n".join([title, *(f"  {name}: {shorten(value)}" for name, value in facts.items() if value)])


def format_html(title: str, facts: Mapping[str, str], table: "pd.DataFrame | None" = None) -> str:
    """Format a title and facts for a notebook, followed by the first and last rows and columns of a table."""
    rows = [
        f"<tr><th style='text-align: left'>{html.escape(name)}</th>"
        f"<td style='text-align: left'>{html.escape(shorten(value, 300))}</td></tr>"
        for name, value in facts.items()
        if value
    ]
    shown = (
        ""
        if table is None
        else table.to_html(max_rows=ROWS, max_cols=COLUMNS, index=False, float_format="{:.3g}".format)
    )
    return f"<div><strong>{html.escape(title)}</strong><table>{''.join(rows)}</table>{shown}</div>"
