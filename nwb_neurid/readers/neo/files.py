"""Files of other formats, which Neo opens. Signals are not read."""

from glob import escape
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from typing import Any

from nwb_neurid._system.files import check_regular
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers.neo import format_of
from nwb_neurid.readers.neo.trains import load_trains

ARGUMENTS = {"NixIO": {"mode": "ro"}}
"""Readers that need an explicit mode, because their default mode opens the file for writing."""

SAID = 300  # characters; some errors list all spikes


def read_file(path: Path) -> list[list[Any]]:
    """Read the trains in each segment of a file or a folder with a single block.

    Raises
    ------
    UnreadableSource
        If Neo, or a package that it needs for the format, is not installed, or if Neo cannot read the file.
    InvalidSource
        If there are several blocks, that is, several recordings.
    """
    name = str(format_of(path))
    _check_regular(path)
    try:
        io = import_module("neo.io")
    except ImportError as error:
        raise UnreadableSource(f"{path} is read through Neo. Install it: pip install neo") from error
    try:
        opened = _quiet_plexon(path) if name == "PlexonIO" else getattr(io, name)(str(path), **ARGUMENTS.get(name, {}))
        blocks = opened.read(lazy=opened.support_lazy)
        trains = load_trains(blocks[0]) if len(blocks) == 1 else []
    except Exception as error:  # damaged files cause many kinds of errors in Neo's parsers
        raise UnreadableSource(
            f"neo.io.{name} cannot read {path}: {type(error).__name__}: {shorten(str(error), SAID)}. If the file is "
            "sound, read it in Python and pass the neo.Block."
        ) from error
    if len(blocks) != 1:
        raise InvalidSource(
            f"{path} holds {len(blocks)} blocks, one recording was expected. Read it in Python by neo.io.{name} and "
            "pass one of them."
        )
    return trains


def _quiet_plexon(path: Path) -> Any:
    """Make a `PlexonIO` without its progress bars, which its own constructor cannot turn off."""
    from neo.io import PlexonIO
    from neo.io.basefromrawio import BaseFromRaw
    from neo.rawio import PlexonRawIO

    class Quiet(PlexonIO):  # type: ignore[misc] # neo has no types
        def __init__(self, filename: str) -> None:
            PlexonRawIO.__init__(self, filename, progress_bar=False)
            BaseFromRaw.__init__(self, filename)

    return Quiet(str(path))


def _check_regular(path: Path) -> None:
    """Refuse pipes and devices at the place of the file, of the files that belong to it, or in the folder.

    Raises
    ------
    UnreadableSource
        If there is a pipe or a device. Opening it would wait for ever.
    """
    try:
        files = path.rglob("*") if path.is_dir() else path.parent.glob(f"{escape(path.stem)}.*")
        for file in files:
            if not file.is_dir() and file.exists():
                check_regular(file)
    except OSError as error:
        raise UnreadableSource(f"{error.filename or path} cannot be read: {error.strerror or error}.") from error
