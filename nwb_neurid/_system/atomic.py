"""The one way in which files are written: made aside, where nobody else can reach them, and put in place whole.

What is made lies in a hidden folder beside its target, made exclusively and open to its owner alone. Under the lock of
the target it is decided what is there and whether it may be replaced; the last step never replaces what appeared or
changed since. A killed process leaves the hidden folder, which the next one to write the same target removes.
"""

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nwb_neurid._system.lock import lock, name_hidden
from nwb_neurid._system.permissions import set_permissions
from nwb_neurid.errors import CannotWrite, NeuridError

AGAIN = "{} while the results were being prepared, so it was not replaced. Run the command again."
TOKEN = re.compile(r"[0-9a-f]{16}")
NO_HARD_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EINVAL, errno.EACCES)


class Identity(NamedTuple):
    """What tells that a file is still the one that it was."""

    device: int
    inode: int
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """A file that is being made.

    Parameters
    ----------
    path
        Where to make it: nothing is there yet.
    old
        The file that it will replace; None if there is none.
    """

    path: Path
    old: Path | None


@contextmanager
def replace_file(target: Path, *, overwrite: bool, like: Sequence[Path] = ()) -> Iterator[Replacement]:
    """Where to make a file; it takes the place of `target` when the block ends without an error.

    Links are followed. Mode and owner of what is replaced are kept.

    Parameters
    ----------
    target
        The file.
    overwrite
        Whether one that is there may be replaced.
    like
        The recordings that it is made from: nobody may read it who may not read them.

    Raises
    ------
    CannotWrite
        If there is a file that may not be replaced, another process writes it, it changed or appeared meanwhile, or the
        system refuses.
    """
    place = target.resolve()
    with convert_errors(target), lock(place):
        remove_leftovers(place)
        before = _identify(place)
        if before is not None and not overwrite:
            raise CannotWrite(_explain_existing(target, "write elsewhere (--output)"))
        with make_hidden_folder(place) as folder:
            made = Replacement(folder / place.name, None if before is None else place)
            yield made
            set_permissions(made.path, made.old, like)
            sync(made.path)
            _put(made.path, place, before)
        sync(place.parent)


def check_target(*targets: Path, overwrite: bool, instead: str = "write elsewhere (--output)") -> None:
    """Raise now what writing would raise later, as far as it can be known, and refuse to replace what is there.

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
        with convert_errors(target):
            if target.is_dir():
                raise CannotWrite(f"{target} is a folder, a file was expected. Choose a file (--output).")
            if _identify(target.resolve()) is not None and not overwrite:
                raise CannotWrite(_explain_existing(target, instead))
            check_folder(target)


def check_folder(target: Path) -> None:
    """Refuse a file whose folder is missing or read-only, by its mode too: to root everything seems writable.

    Raises
    ------
    CannotWrite
        If it is.
    """
    folder = target.resolve().parent
    if not folder.is_dir():
        raise CannotWrite(f"{target} cannot be written: the folder {folder} does not exist.")
    if not os.access(folder, os.W_OK) or not folder.stat().st_mode & 0o222:
        raise CannotWrite(f"{target} cannot be written: the folder {folder} is read-only.")


@contextmanager
def convert_errors(target: Path) -> Iterator[None]:
    """Whatever the system refuses in the block is one line that names the target.

    Raises
    ------
    CannotWrite
        In place of an error of the system.
    """
    try:
        yield
    except NeuridError:  # some are errors of the system as well
        raise
    except OSError as error:
        raise CannotWrite(f"{target} cannot be written: {error.strerror or error}.") from error


def make_folders(folder: Path) -> None:
    """Make a folder, and those that it lies in, unless they exist.

    Raises
    ------
    CannotWrite
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"The folder {folder} cannot be made: {error.strerror or error}.") from error


@contextmanager
def make_hidden_folder(target: Path) -> Iterator[Path]:
    """Make a folder beside `target` that nobody else can enter. It is removed when the block ends."""
    folder = name_hidden(target, secrets.token_hex(8))
    folder.mkdir(0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(target: Path) -> None:
    """Remove what killed processes left of `target`: under its lock none is alive."""
    start = name_hidden(target, "").name
    with os.scandir(target.parent) as entries:
        left = [
            each
            for each in entries
            if each.name.startswith(start)
            and TOKEN.fullmatch(each.name.removeprefix(start))
            and each.is_dir(follow_symlinks=False)
        ]
    for each in left:
        shutil.rmtree(each.path, ignore_errors=True)


def clear_leftovers(target: Path) -> None:
    """Remove what killed processes left of `target`, if none is at work on it now."""
    place = target.resolve()
    start = name_hidden(place, "").name
    try:
        with os.scandir(place.parent) as entries:
            if not any(each.name.startswith(start) for each in entries):
                return
        with lock(place, wait_s=0.0):
            remove_leftovers(place)
    except (OSError, CannotWrite):  # whatever stands in the way is reported when the target is written
        pass


def sync(path: Path) -> None:
    """Make a file, or the entries of a folder, last; not every system can do that with a folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        if path.is_file():
            raise
        return
    try:
        os.fsync(descriptor)
    except OSError:
        if path.is_file():
            raise
    finally:
        os.close(descriptor)


def _explain_existing(target: Path, instead: str) -> str:
    return f"{target} exists. Replace it (--overwrite), or {instead}."


def _identify(place: Path) -> Identity | None:
    """The file that is there; None if there is none."""
    try:
        status = place.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a broken link, a device or a pipe"
        raise CannotWrite(f"{place} is {what}, a file was expected. Choose a file (--output).")
    return Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _put(made: Path, place: Path, before: Identity | None) -> None:
    """Let a file that was made take its place, if that is as it was."""
    if before is None:
        try:
            _move(made, place)
        except FileExistsError:
            raise CannotWrite(f"{place} {AGAIN.format('appeared')}") from None
        return
    if _identify(place) != before:
        raise CannotWrite(f"{place} {AGAIN.format('changed')}")
    made.replace(place)


def _move(made: Path, place: Path) -> None:
    """Move a file to where none is; FileExistsError if there is one by now."""
    try:
        os.link(made, place, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            made.replace(place)
        except BaseException:
            with suppress(OSError):
                place.unlink()
            raise
    else:
        made.unlink()
