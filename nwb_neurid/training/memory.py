"""Memory that training freed, given back to the system."""

import ctypes
import sys

EVERY_STEPS = 10
"""How often it is given back; between two times it grows by some tens of MB."""


def give_back() -> None:
    """Let glibc part with what was freed.

    Its heap keeps blocks of all the sizes that windows of many lengths and recordings of many units take: without this
    a training that needs 400 MB was seen to hold 9 GB. Elsewhere than on Linux with glibc nothing is done.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)
