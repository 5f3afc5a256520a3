"""The name by which the program was called, so that printed commands can be copied."""

import shlex
import shutil
import sys
from pathlib import Path


def spell(*words: object) -> str:
    """Format a command so that it can be copied into the shell, with the name of the program and quoted arguments."""
    return " ".join([_program(), *(shlex.quote(str(word)) for word in words)])


def _program() -> str:
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{_as_typed(Path(sys.executable))} -m nwb_neurid"
    return _as_typed(called) if called.stem == "nwb-neurid" else "nwb-neurid"


def _as_typed(path: Path) -> str:
    """Return the name of the program if the program is on the PATH, or otherwise its full path."""
    found = shutil.which(path.stem)
    return path.stem if found is not None and Path(found).resolve() == path.resolve() else shlex.quote(str(path))
