"""How the program was called, for commands that are printed so that they can be copied."""

import shlex
import shutil
import sys
from pathlib import Path


def spell(*words: object) -> str:
    """A command as it can be typed here: the program as it was called, words quoted where a shell needs it."""
    return " ".join([_program(), *(shlex.quote(str(word)) for word in words)])


def _program() -> str:
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{_as_typed(Path(sys.executable))} -m nwb_neurid"
    return _as_typed(called) if called.stem == "nwb-neurid" else "nwb-neurid"


def _as_typed(path: Path) -> str:
    """Its name where that suffices, as it is on the path; otherwise all of it."""
    found = shutil.which(path.stem)
    return path.stem if found is not None and Path(found).resolve() == path.resolve() else shlex.quote(str(path))
