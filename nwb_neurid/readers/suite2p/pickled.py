"""`.npy` files of Python objects (settings, ops, stat). They are pickles, see `nwb_neurid.readers.pickles`."""

from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np

from nwb_neurid._system.files import open_regular
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers.npy import HEADER_ERRORS, in_one_line, read_header
from nwb_neurid.readers.pickles import UNPICKLING_ERRORS, NotAdmitted, load_objects


def objects(path: Path) -> list[Any]:
    """Load the elements of an object array: numbers, text, paths, and lists, tuples and dicts of them.

    Arrays inside are returned as opaque values.

    Raises
    ------
    UnreadableSource
        If the file is damaged, uses a name that is not in `ADMITTED`, or takes more than `MOST_STEPS` steps.
    InvalidSource
        If it contains no objects.
    """
    try:
        # With a map, no more bytes are read than exist. With a file, the pickle could allocate any amount of memory.
        with open_regular(path) as file, mmap(file.fileno(), 0, access=ACCESS_READ) as mapped:
            if read_header(mapped)[2] != np.dtype(object):
                raise InvalidSource(f"{path} must hold Python objects, it holds numbers. Copy it again.")
            return load_objects(mapped)
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror}.") from error
    except NotAdmitted as error:
        raise UnreadableSource(
            f"{path} refers to {str(error)[:100]!r}, which could run code; nothing was run. Only NumPy arrays, "
            "numbers, paths and dates are allowed in it. Check where the file comes from, or move it away and pass "
            "--rate-hz."
        ) from None
    except (*HEADER_ERRORS, *UNPICKLING_ERRORS) as error:
        why = "it refers to a value that was not stored" if isinstance(error, LookupError) else in_one_line(error)
        raise UnreadableSource(
            f"{path} is damaged: {why}. Copy it again, or move it away and pass --rate-hz."
        ) from error
