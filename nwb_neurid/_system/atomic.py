"""Files that are there whole or not at all."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nwb_neurid.errors import CannotWrite, NeuridError

HIDDEN = ".neurid-"


@contextmanager
def whole(*targets: Path) -> Iterator[list[Path]]:
    """Where to make files of one folder; they take the places of `targets` when the block ends without an error.

    Links are followed, and permissions of what is replaced are kept. What a killed process left beside them is removed.

    Raises
    ------
    CannotWrite
        If the system refuses.
    """
    beside, places = targets[0].resolve().parent, [target.resolve() for target in targets]
    try:
        _remove_leftovers(beside)
        with TemporaryDirectory(dir=beside, prefix=f"{HIDDEN}{socket.gethostname()}-{os.getpid()}-") as folder:
            made = [Path(folder) / target.name for target in targets]
            yield made
            for path, place in zip(made, places, strict=True):
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
                if place.exists():
                    shutil.copymode(place, path)
            for path, place in zip(made, places, strict=True):
                path.replace(place)
    except NeuridError:  # some are errors of the system as well
        raise
    except OSError as error:
        raise CannotWrite(f"{targets[0]} cannot be written: {error.strerror or error}.") from error


def is_alive(process: int) -> bool:
    """Whether a process of this machine goes on; on Windows, where asking would end it, each counts as alive."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove_leftovers(folder: Path) -> None:
    own = f"{HIDDEN}{socket.gethostname()}-"
    for other in folder.glob(f"{own}*"):
        process = other.name.removeprefix(own).partition("-")[0]
        if process.isdecimal() and not is_alive(int(process)):
            shutil.rmtree(other, ignore_errors=True)


def check_free(*targets: Path, overwrite: bool, instead: str = "write elsewhere (--output)") -> None:
    """Raise now what `whole` would raise later, as far as it can be known, and refuse to replace what is there.

    Parameters
    ----------
    targets
        The files.
    overwrite
        Whether they may be replaced.
    instead
        What can be done otherwise, for the message.

    Raises
    ------
    CannotWrite
        If a file exists and is not to be replaced, is a folder, or has no folder.
    """
    for target in targets:
        if target.is_dir():
            raise CannotWrite(f"{target} is a folder. Name a file (--output).")
        if target.exists() and not overwrite:
            raise CannotWrite(f"{target} exists. Replace it (--overwrite), or {instead}.")
        if not target.parent.is_dir():
            raise CannotWrite(f"{target} cannot be written: the folder {target.parent} does not exist.")
        if not os.access(target.parent, os.W_OK) or not target.parent.stat().st_mode & 0o222:
            raise CannotWrite(f"{target} cannot be written: the folder {target.parent} is read-only.")
