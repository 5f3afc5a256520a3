"""Numbers and names of things in sentences."""

from collections.abc import Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How cells of a csv file begin that a spreadsheet computes."""


def counted(number: int, thing: str) -> str:
    """`1 unit`, `2 units`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def join_some(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c, ...`."""
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])


def show_value(value: object) -> str:
    """Show what stands where a number was expected, in a few characters: a number, a short text, or a type."""
    if isinstance(value, str):
        return repr(str(value)[:40])
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "nothing" if value is None else f"a {type(value).__name__}"
    try:
        return f"{value:g}"
    except OverflowError:
        return "a number of more than 300 digits"


def escape_cell(value: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would take for a formula; anything else stays as it is."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
