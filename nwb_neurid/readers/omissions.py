"""Warnings about optional information that cannot be read."""

from collections.abc import Callable
from typing import TypeVar

from nwb_neurid._system.warning import warn
from nwb_neurid.errors import NeuridError

Read = TypeVar("Read")
Otherwise = TypeVar("Otherwise")


class Omissions:
    """Optional information (positions, groups, labels, quality) that cannot be read. One warning lists all of it.

    Parameters
    ----------
    source
        Name of the recording, for the warning.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self._faults: list[str] = []

    def attempt(self, read: Callable[[], Read], otherwise: Otherwise) -> Read | Otherwise:
        """Read something, or note why it cannot be read and return the alternative."""
        try:
            return read()
        except NeuridError as error:
            self.note(str(error))
            return otherwise

    def note(self, fault: str) -> None:
        """Note that something was left out, and why."""
        self._faults.append(fault)

    def warn(self, what: str = "some data cannot be used and are left out") -> None:
        """Issue a warning that lists everything that was left out, if anything was."""
        if self._faults:
            listed = "\n  - ".join(dict.fromkeys(self._faults))
            warn(f"{self.source}: {what}:\n  - {listed}")
