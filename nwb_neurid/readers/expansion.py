"""The largest plausible size of decompressed data. Data that claim a larger size count as damaged."""

EXPANSION = 2**16
"""More than any filter or codec expands a chunk."""

ALWAYS_READ_BYTES = 2**26
"""What is read whatever it is stored in."""


def claims_too_much(size: int, stored: int) -> bool:
    """Whether the claimed size of an array is impossible for the number of stored bytes, and would fill the memory."""
    return size > ALWAYS_READ_BYTES + EXPANSION * stored
