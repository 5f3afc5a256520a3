"""How much may come out of stored bytes, before what claims more counts as damaged."""

EXPANSION = 2**16
"""More than any filter or codec expands a chunk."""

ALWAYS_READ_BYTES = 2**26
"""What is read whatever it is stored in."""


def claims_too_much(size: int, stored: int) -> bool:
    """Whether an array of so many bytes cannot come of what is stored, and would fill the memory."""
    return size > ALWAYS_READ_BYTES + EXPANSION * stored
