"""Objects of other libraries. They are recognised without importing these libraries."""

from collections.abc import Collection


def is_of(source: object, library: str, names: Collection[str] | None = None) -> bool:
    """Return whether an object is from this library. If `names` are given, its class must have one of them."""
    classes = [cls.__name__ for cls in type(source).__mro__ if cls.__module__.partition(".")[0] == library]
    return any(names is None or name in names for name in classes)
