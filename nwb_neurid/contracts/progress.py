"""How long loops report how far they have come."""

from collections.abc import Iterable
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


@runtime_checkable
class Progress(Protocol):
    """Reports how far a loop has come. Called by encoders, readers and the simulation around their long loops."""

    def __call__(self, items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
        """Yield `items` unchanged.

        Parameters
        ----------
        items
            What the loop runs over.
        label
            What is done, for the reader of the progress.
        total
            How many items there are; needed where they have no `len`.

        Returns
        -------
        iterable
            The same items.
        """
        ...


def silent(items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:  # noqa: ARG001
    """Report nothing: the progress that is taken by default.

    Parameters
    ----------
    items
        What the loop runs over.
    label, total
        Not used.

    Returns
    -------
    iterable
        The same items.

    Examples
    --------
    >>> list(silent([1, 2, 3], label="windows"))
    [1, 2, 3]
    """
    return items
