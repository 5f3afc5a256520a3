"""How long loops report how far they have come."""

from collections.abc import Iterable
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


@runtime_checkable
class Progress(Protocol):
    """Reports how far a loop has come. Called by encoders, readers and the simulation around their long loops."""

    def __call__(self, items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
        """Yield `items` unchanged. `total` is needed where they have no `len`."""
        ...


def silent(items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:  # noqa: ARG001
    """The progress that reports nothing."""
    return items
