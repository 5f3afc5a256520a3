"""Progress bars in notebooks, which `nwb_neurid` shows unless another progress callback is passed."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from html import escape
from typing import Any, TypeVar

T = TypeVar("T")

STEP_S = 0.1
"""Minimum time between two updates of a bar."""


def automatic(items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
    """Show a bar in a notebook, and nothing elsewhere.

    Parameters
    ----------
    items
        Items of the loop.
    label
        Description of the work, shown beside the bar.
    total
        Number of items. It is needed if `items` has no `len`.

    Returns
    -------
    iterable
        The same items.

    Examples
    --------
    >>> list(automatic([1, 2, 3], label="windows"))
    [1, 2, 3]
    """
    return _draw(items, label, total) if _is_notebook() else items


def _is_notebook() -> bool:
    """Return whether this code runs in the kernel of a notebook (Jupyter, VS Code, Colab)."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None


def _draw(items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    from IPython.display import HTML, display

    count = total if total is not None else len(items) if isinstance(items, Sized) else None
    shown: Any = display(HTML(_describe(label, 0, count)), display_id=True)
    drawn_s = time.monotonic()
    try:
        for done, item in enumerate(items, 1):
            yield item
            if time.monotonic() - drawn_s >= STEP_S or done == count:
                shown.update(HTML(_describe(label, done, count)))
                drawn_s = time.monotonic()
    finally:
        shown.update(HTML(""))


def _describe(label: str, done: int, count: int | None) -> str:
    bar = "" if count is None else f'<progress value="{done}" max="{count}"></progress> '
    return f"{escape(label)} {bar}{done}{'' if count is None else f'/{count}'}"
