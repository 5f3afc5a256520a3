"""Sets of files in one folder that are replaced together: a model, an evaluation, or columns for phy.

New files are made in a hidden folder inside the folder. This hidden folder is then renamed, which makes all new files
valid at the same moment. The new files are then moved to their places one by one. If the process is killed meanwhile,
the next process that writes moves the remaining files. Other files in the folder are not touched.
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
    """Yield a folder for new files. They replace the files at the same relative paths of `folder` when the block ends.

    The caller must hold a lock.

    Parameters
    ----------
    folder
        The folder. It must exist.
    key
        Name of one file of the set. It identifies the set.
    own
        Patterns of files that belong only to this set. Old files that match but are not written anew are removed.
    like
        As for `nwb_neurid._system.atomic.replace_file`.

    Raises
    ------
    CannotWrite
        If a folder is at the place of a file, or a link leads out of the folder.
    OSError
        If the operating system refuses.
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
    """Like `replace_files`, but make the folder if it does not exist. The caller must hold the lock of the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    with replace_files(folder, key, own=own, like=like) if folder.exists() else make_folder(folder, like=like) as made:
        yield made


@contextmanager
def make_folder(folder: Path, *, like: Sequence[Path] = ()) -> Iterator[Path]:
    """Yield a path for a new folder, which is moved to its place when the block ends. The caller must hold a lock.

    Parameters
    ----------
    folder
        The folder. It must not exist yet.
    like
        As for `nwb_neurid._system.atomic.replace_file`.

    Raises
    ------
    OSError
        If the operating system refuses.
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
    """Return the path of a file of a set, even if a killed process did not move the file to its place."""
    new = name_hidden(folder / key, NEW) / name
    return new if (_read_names(folder, key) is not None and new.is_file()) else folder / name


def find_files(folder: Path, key: str, pattern: str) -> list[Path]:
    """Return the paths of the files of a set that match a pattern, sorted by name."""
    names = _read_names(folder, key)
    if names is None:
        names = [path.relative_to(folder).as_posix() for path in folder.glob(pattern)]
    return [find_file(folder, key, name) for name in sorted(names) if PurePosixPath(name).match(pattern)]


def finish(folder: Path, key: str, *, own: Sequence[str] = ()) -> None:
    """Move new files of a killed process to their places. The caller must hold a lock.

    Raises
    ------
    OSError
        If the operating system refuses.
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
            with suppress(OSError):  # the folder contains other files
                path.parent.rmdir()
    sync(folder)
    shutil.rmtree(new)
    sync(folder)


def has_set(folder: Path, key: str) -> bool:
    """Return whether a folder contains the file `key` of the set, even if the file was not yet moved to its place."""
    return find_file(folder, key, key).is_file()


def _read_names(folder: Path, key: str) -> list[str] | None:
    """Return the names of the files that a killed process did not finish moving, or None if there is no such list."""
    try:
        names = json.loads((name_hidden(folder / key, NEW) / LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return [name for name in names if isinstance(name, str) and _is_inside(name)] if isinstance(names, list) else None


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name


def _check_place(folder: Path, name: str) -> None:
    """Refuse to write a file where a folder is, or through a link that leads out of the folder."""
    place = folder / name
    if place.is_dir() and not place.is_symlink():
        raise CannotWrite(f"{place} is a folder, but a file has to be written there. Move the folder away.")
    if place.parent.exists() and place.parent.resolve() != folder.resolve() / PurePosixPath(name).parent:
        raise CannotWrite(
            f"{place.parent} is a link, not a folder of its own. Remove the link, or choose another folder."
        )
