"""Files of other formats, opened by Neo. Signals stay unread."""

from pathlib import Path
from textwrap import shorten
from typing import Any

from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers.neo import format_of
from nwb_neurid.readers.neo.trains import loaded

ARGUMENTS = {"NixIO": {"mode": "ro"}}
"""Its default is to open for writing."""

SAID = 300  # characters; some errors list every spike


def trains_in(path: Path) -> list[list[Any]]:
    """The trains in each segment of the one block in a file or a folder.

    Raises
    ------
    UnreadableSource
        If Neo, or what it needs for the format, is not installed, or it cannot read the file.
    InvalidSource
        If there are several blocks, that is several recordings.
    """
    name = str(format_of(path))
    try:
        import neo.io
    except ImportError as error:
        raise UnreadableSource(f'{path} is read through Neo. Install it: pip install "nwb-neurid[neo]"') from error
    try:
        opened = getattr(neo.io, name)(str(path), **ARGUMENTS.get(name, {}))
        blocks = opened.read(lazy=opened.support_lazy)
        trains = loaded(blocks[0]) if len(blocks) == 1 else []
    except Exception as error:  # a damaged file makes Neo raise whatever its parser stumbled over
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
