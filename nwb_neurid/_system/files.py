"""Safe reading of paths that may be a pipe, a device, or JSON with too many nested levels."""

import csv
import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from nwb_neurid.errors import InvalidModel, InvalidOption, SourceNotFound, UnreadableSource

LARGEST_JSON_BYTES = 2**26
"""Size limit of a JSON file. The description of a model with 5,000 subjects and 5,000 sessions is smaller."""


def check_exists(path: Path) -> None:
    """Check that something exists at a path.

    Raises
    ------
    SourceNotFound
        If nothing exists at the path, or it is a broken link.
    UnreadableSource
        If access to the folder of the path is denied.
    """
    try:
        if path.exists():
            return
    except PermissionError as error:
        raise UnreadableSource(
            f"{path} cannot be reached: permission denied. Ask the owner of its folder for access, or copy it to a "
            "folder of your own."
        ) from error
    if path.is_symlink():
        raise SourceNotFound(
            f"{path} is a broken link. If git-annex or DataLad manages it, download its content "
            "(git annex get, datalad get)."
        )
    raise SourceNotFound(f"{path} does not exist.")


def check_regular(path: Path) -> None:
    """Check that a path is a regular file. Links are followed.

    Raises
    ------
    OSError
        If nothing exists at the path, access is denied, or the path is a folder, a pipe, a socket or a device.
    """
    _check_mode(path.stat().st_mode, path)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading bytes.

    Pipes and devices are refused, because reading from them might never return.

    Raises
    ------
    OSError
        As for `check_regular`, and if the file may not be read.
    """
    check_regular(path)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check_mode(os.fstat(descriptor).st_mode, path)  # the file may have been replaced since the check
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path) -> bytes:
    """Read the content of a regular file.

    Raises
    ------
    OSError
        If the file cannot be read, or is not a regular file.
    """
    with open_regular(path) as file:
        return file.read()


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    OSError
        As for `read_bytes`.
    ValueError
        If the file is not JSON, has too many nested levels, or is too large.
    """
    content = read_bytes(path)
    if len(content) > LARGEST_JSON_BYTES:
        raise ValueError(f"it has {len(content)} bytes, the limit is {LARGEST_JSON_BYTES}")
    try:
        found = json.loads(content)
        return _replace_surrogates(found) if b"\\ud" in content.lower() else found
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_versioned(path: Path, version: int) -> dict[str, Any]:
    """Read a JSON file of a model. It must contain an object, with this version of the format.

    Raises
    ------
    InvalidModel
        If the file cannot be read, or has another format.
    """
    try:
        found = read_json(path)
    except OSError as error:
        raise InvalidModel(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise InvalidModel(f"{path} is not JSON: {error}.") from error
    if not isinstance(found, dict) or found.get("format") != version:
        got = repr(found.get("format")) if isinstance(found, dict) else type(found).__name__
        raise InvalidModel(f"{path} must have format {version}, got {got:.60}. A newer nwb-neurid may read it.")
    return found


def read_rows(path: Path, what: str) -> list[list[str]]:
    """Read the rows of a csv file, or of a tsv file if its name ends in `.tsv`. Empty rows are skipped.

    Raises
    ------
    InvalidOption
        If the file cannot be read. The message describes the file as `what`.
    """
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [[cell.strip() for cell in row] for row in csv.reader(file, delimiter=separator) if any(row)]
    except OSError as error:
        raise InvalidOption(f"{what} {path} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidOption(f"{path} is not a csv table: {error}.") from error


def _replace_surrogates(found: Any) -> Any:
    """Replace surrogates (halves of characters) by U+FFFD.

    JSON can contain surrogates, but UTF-8 cannot encode them.
    """
    text = json.dumps(found, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _check_mode(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
