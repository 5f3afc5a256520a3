"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from nwb_neurid.errors import CannotWrite, NeuridError


@contextmanager
def whole(*targets: Path) -> Iterator[list[Path]]:
    """Where to make files of one folder; they take the places of `targets` when the block ends without an error.

    Raises
    ------
    CannotWrite
        If the system refuses.
    """
    try:
        with TemporaryDirectory(dir=targets[0].parent, prefix=".neurid-") as folder:
            made = [Path(folder) / target.name for target in targets]
            yield made
            for path in made:
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
            for path, target in zip(made, targets, strict=True):
                path.replace(target)
    except NeuridError:  # some are errors of the system as well
        raise
    except OSError as error:
        raise CannotWrite(f"{targets[0]} cannot be written: {error.strerror or error}.") from error


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
