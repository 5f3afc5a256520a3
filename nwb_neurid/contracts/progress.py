"""Progress reports of long loops."""

from collections.abc import Iterable
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


@runtime_checkable
class Progress(Protocol):
    """Report the progress of a loop. Encoders, readers and the simulation wrap their long loops in this function."""

    def __call__(self, items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
        """Yield `items` unchanged.

        Parameters
        ----------
        items
            The items of the loop.
        label
            What the loop does, in words for the user.
        total
            Number of items. It is needed if `items` has no `len`.

        Returns
        -------
        iterable
            The same items.
        """
        ...


def silent(items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:  # noqa: ARG001
    """Report no progress. This is the default progress callback.

    Parameters
    ----------
    items
        The items of the loop.
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
