"""Formatting of numbers, names and values in messages."""

from collections.abc import Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make spreadsheets evaluate a cell of a csv file as a formula."""


def counted(number: int, thing: str) -> str:
    """Write a number with its noun: `1 unit`, `2 units`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def join_some(names: Sequence[str], most: int = 3) -> str:
    """Join the first names with commas: `a, b, c, ...`."""
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])


def show_value(value: object) -> str:
    """Describe a value that is not a valid number in a few characters: as a number, a short text, or a type."""
    if isinstance(value, str):
        return repr(str(value)[:40])
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "nothing" if value is None else f"a {type(value).__name__}"
    try:
        return f"{value:g}"
    except OverflowError:
        return "a number of more than 300 digits"


def escape_cell(value: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would evaluate as a formula. Return other values unchanged."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
