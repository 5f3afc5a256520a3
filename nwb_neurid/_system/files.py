"""Reading small files that may be anything: a pipe, a device, or JSON that is nested too deep."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

LARGEST_JSON_BYTES = 2**26
"""More than any description of a model has, of 5,000 subjects with 5,000 sessions too."""


def read_bytes(path: Path) -> bytes:
    """Read a regular file. From a pipe or a device, reading might never come back.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return file.read()


def read_json(path: Path) -> Any:
    """Read a file of JSON.

    Raises
    ------
    OSError
        As `read_bytes`.
    ValueError
        If it is not JSON, nested too deep, or too large.
    """
    content = read_bytes(path)
    if len(content) > LARGEST_JSON_BYTES:
        raise ValueError(f"it has {len(content)} bytes, at most {LARGEST_JSON_BYTES} are read")
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
