"""The largest plausible size of decompressed data. Data that claim a larger size count as damaged."""

from nwb_neurid.errors import UnreadableSource

EXPANSION = 2**16
"""Largest plausible ratio of decompressed to stored bytes. No filter or codec reaches it."""

ALWAYS_READ_BYTES = 2**26
"""Data up to this size are always accepted, no matter how few bytes are stored."""


def check_size(size: int, stored: int, where: str) -> None:
    """Refuse an array whose claimed size is impossible for the number of stored bytes, and would fill the memory.

    Raises
    ------
    UnreadableSource
        If the claimed size is impossible.
    """
    if size > ALWAYS_READ_BYTES + EXPANSION * stored:
        raise damaged(where, f"it has {stored} bytes, but its shape needs {size}")


def damaged(where: str, fault: str) -> UnreadableSource:
    """Make the error about a damaged part of a file."""
    return UnreadableSource(f"{where} is damaged: {fault}. Validate the file, or fetch it again.")
