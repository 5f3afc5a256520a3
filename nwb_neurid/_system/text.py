"""Numbers and names of things in sentences."""

from collections.abc import Sequence


def counted(number: int, thing: str) -> str:
    """`1 unit`, `2 units`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def join_some(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c, ...`."""
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])])
