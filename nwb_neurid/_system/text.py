"""Numbers of things in sentences."""


def counted(number: int, thing: str) -> str:
    """`1 unit`, `2 units`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
