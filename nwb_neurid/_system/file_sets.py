"""Files of one folder that take their places together: a model, an evaluation, columns of phy.

They are made in a hidden folder inside the folder. Renaming that is the step from the old files to the new: from then
on the new ones count, wherever they lie, and are moved one by one. Whoever writes next ends what a killed process
began. Nothing else in the folder is touched.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from nwb_neurid._system.atomic import make_hidden_folder, remove_leftovers, sync
from nwb_neurid._system.lock import name_hidden
from nwb_neurid._system.permissions import limit_readers, set_permissions
from nwb_neurid.errors import CannotWrite

NEW = "new"
LIST = "files.json"


@contextmanager
def replace_files(folder: Path, key: str, *, own: Sequence[str] = (), like: Sequence[Path] = ()) -> Iterator[Path]:
    """Where to make files of `folder`, by their paths in it; they take their places when the block ends.

    The caller holds a lock.

    Parameters
    ----------
    folder
        The folder, which exists.
    key
        One of the files, after which the set is called.
    own
        Patterns of files that are of the set alone: those that are not made anew are removed.
    like
        As for `nwb_neurid._system.atomic.replace_file`.

    Raises
    ------
    CannotWrite
        If a folder has the name of a file, or a link leads out of the folder.
    OSError
        Whatever the system refuses.
    """
    finish(folder, key, own=own)
    remove_leftovers(folder / key)
    with make_hidden_folder(folder / key) as made:
        yield made
        names = [path.relative_to(made).as_posix() for path in sorted(made.rglob("*")) if path.is_file()]
        for name in names:
            _check_place(folder, name)
            old = folder / name
            set_permissions(made / name, old.resolve() if old.is_file() else None, like)
            sync(made / name)
        (made / LIST).write_text(json.dumps(names), encoding="utf-8")
        sync(made / LIST)
        made.rename(name_hidden(folder / key, NEW))
    sync(folder)
    finish(folder, key, own=own)


@contextmanager
def write_files(folder: Path, key: str, *, own: Sequence[str] = (), like: Sequence[Path] = ()) -> Iterator[Path]:
    """As `replace_files`; where there is no folder, it is made. The caller holds the lock of the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    with replace_files(folder, key, own=own, like=like) if folder.exists() else make_folder(folder, like=like) as made:
        yield made


@contextmanager
def make_folder(folder: Path, *, like: Sequence[Path] = ()) -> Iterator[Path]:
    """Where to make a new folder; it takes its place when the block ends. The caller holds a lock.

    Parameters
    ----------
    folder
        The folder, which does not exist.
    like
        As for `nwb_neurid._system.atomic.replace_file`.

    Raises
    ------
    OSError
        Whatever the system refuses.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    with make_hidden_folder(folder) as made:
        inner = made / folder.name
        inner.mkdir()
        yield inner
        for path in sorted(inner.rglob("*")):
            if path.is_file():
                set_permissions(path, None, like)
                sync(path)
        limit_readers(inner, like)
        inner.rename(folder)
    sync(folder.parent)


def find_file(folder: Path, key: str, name: str) -> Path:
    """Where a file of a set is, also when a killed process has not moved it to its place."""
    new = name_hidden(folder / key, NEW) / name
    return new if (_read_names(folder, key) is not None and new.is_file()) else folder / name


def find_files(folder: Path, key: str, pattern: str) -> list[Path]:
    """Where the files of a set are whose paths fit a pattern, in the order of their names."""
    names = _read_names(folder, key)
    if names is None:
        names = [path.relative_to(folder).as_posix() for path in folder.glob(pattern)]
    return [find_file(folder, key, name) for name in sorted(names) if PurePosixPath(name).match(pattern)]


def finish(folder: Path, key: str, *, own: Sequence[str] = ()) -> None:
    """Move the files that a killed process had made to their places. The caller holds a lock.

    Raises
    ------
    OSError
        Whatever the system refuses.
    """
    names, new = _read_names(folder, key), name_hidden(folder / key, NEW)
    if names is None:
        shutil.rmtree(new, ignore_errors=True)
        return
    for name in names:
        if (new / name).is_file():
            _check_place(folder, name)
            (folder / name).parent.mkdir(exist_ok=True)
            (new / name).replace(folder / name)
    for path in [path for pattern in own for path in folder.glob(pattern)]:
        if path.relative_to(folder).as_posix() not in names:
            path.unlink()
            with suppress(OSError):  # it holds something else
                path.parent.rmdir()
    sync(folder)
    shutil.rmtree(new)
    sync(folder)


def has_set(folder: Path, key: str) -> bool:
    """Whether a folder holds the file that a set is called after, or is about to."""
    return find_file(folder, key, key).is_file()


def _read_names(folder: Path, key: str) -> list[str] | None:
    """The files of a set that a killed process was about to move; None if there is none."""
    try:
        names = json.loads((name_hidden(folder / key, NEW) / LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return [name for name in names if isinstance(name, str) and _is_inside(name)] if isinstance(names, list) else None


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name


def _check_place(folder: Path, name: str) -> None:
    """Refuse to put a file where a folder is, or through a link that leads out of the folder."""
    place = folder / name
    if place.is_dir() and not place.is_symlink():
        raise CannotWrite(f"{place} is a folder, but a file has to be written there. Move the folder away.")
    if place.parent.exists() and place.parent.resolve() != folder.resolve() / PurePosixPath(name).parent:
        raise CannotWrite(
            f"{place.parent} is a link, not a folder of its own. Remove the link, or choose another folder."
        )
