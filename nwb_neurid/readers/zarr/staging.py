"""Changes to a Zarr folder, prepared beside it and put in place so that a killed process can be undone.

What is new is written, whole, into a hidden folder beside the Zarr folder. A journal there lists what is to be swapped.
Then each part takes its place by a rename: what is new before what makes it known, the consolidated metadata after
both, and what is to go last. Whoever writes next takes back what a killed process did.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from nwb_neurid.errors import CannotWrite
from nwb_neurid.readers.zarr.arrays import load_json
from nwb_neurid.readers.zarr.nodes import ARRAY, ATTRIBUTES, CONSOLIDATED, GROUP, LINKS

Kind: TypeAlias = Literal["added", "replaced", "removed", "file", "new file"]

STAGING = ".neurid-staging"
JOURNAL = "journal.json"
METADATA = (GROUP, ARRAY, ATTRIBUTES)


def staging_folder(root: Path) -> Path:
    """Where changes to a Zarr folder are prepared: on the same disk, and in nobody's way."""
    return root.with_name(f".{root.name}{STAGING}")


@dataclass(frozen=True, slots=True, eq=False)
class Staging:
    """`Files` of a Zarr folder with changes that are not in place yet.

    Parameters
    ----------
    root
        The Zarr folder, links followed. It is not changed before `commit`.
    """

    root: Path
    _created: list[str] = field(default_factory=list)
    _removed: set[str] = field(default_factory=set)

    @property
    def folder(self) -> Path:
        """Where the changes are."""
        return staging_folder(self.root)

    def locate(self, path: str) -> Path:
        """As in `Files`."""
        new = _new(self.root, path)
        whole = new.is_file() or (new / ARRAY).is_file() or (new / GROUP).is_file()
        return new if whole or self._is_removed(path) else self.root / path

    def folders(self, path: str) -> list[str]:
        """As in `Files`."""
        kept = [] if self._is_removed(path) else list(_folders(self.root / path))
        kept = [name for name in kept if not self._is_removed(f"{path}/{name}".lstrip("/"))]
        return sorted({*kept, *_folders(_new(self.root, path))})

    def create(self, path: str) -> None:
        """Begin a group or an array, whose files are written next."""
        self._created.append(path)

    def write(self, path: str, content: bytes | dict[str, Any]) -> None:
        """A new file, or new contents of one; what is no bytes becomes JSON, laid out as Zarr does."""
        new = _new(self.root, path)
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content if isinstance(content, bytes) else _json(content))

    def remove(self, path: str) -> None:
        """Take out a group or an array."""
        shutil.rmtree(_new(self.root, path), ignore_errors=True)
        self._created[:] = [each for each in self._created if not _is_within(each, path)]
        if (self.root / path).exists():
            self._removed.add(path)

    def commit(self) -> None:
        """Put everything in place; where that fails, the folder is as it was.

        Raises
        ------
        OSError
            If it fails.
        """
        self.folder.mkdir(exist_ok=True)
        self._consolidate()
        changes = self._changes()
        for staged in self.folder.rglob("*"):
            _fsync(staged)
        _write_whole(self.folder / JOURNAL, _json({"inode": self.root.stat().st_ino, "changes": changes}))
        try:
            for path, kind in changes:
                _swap(self.root, path, kind)
            for folder in {(self.root / path).parent for path, _ in changes}:
                _fsync(folder)
        except BaseException:
            _undo(self.root, changes)
            (self.folder / JOURNAL).unlink()
            raise
        (self.folder / JOURNAL).unlink()
        _fsync(self.folder)

    def discard(self) -> None:
        """Remove what was prepared, and what was replaced, unless that is still needed to undo a commit."""
        if not (self.folder / JOURNAL).exists():
            shutil.rmtree(self.folder, ignore_errors=True)

    def _is_removed(self, path: str) -> bool:
        return any(_is_within(path, each) for each in self._removed)

    def _top(self) -> list[str]:
        """What was created, without what is within that."""
        return [path for path in self._created if not any(_is_within(path, o) for o in self._created if o != path)]

    def _changed_attributes(self) -> list[str]:
        """Of groups and arrays that were there before."""
        new = self.folder / "new"
        staged = [path.relative_to(new).as_posix() for path in (new.rglob(ATTRIBUTES) if new.is_dir() else ())]
        return sorted(path for path in staged if not any(_is_within(path, each) for each in self._created))

    def _changes(self) -> list[tuple[str, Kind]]:
        top = self._top()
        found: list[tuple[str, Kind]] = [(path, "replaced" if path in self._removed else "added") for path in top]
        files = [*self._changed_attributes(), *([CONSOLIDATED] if _new(self.root, CONSOLIDATED).exists() else [])]
        found += [(path, "file" if (self.root / path).exists() else "new file") for path in files]
        gone = {path for path in self._removed - set(top) if not self._is_removed(path.rpartition("/")[0])}
        return found + [(path, "removed") for path in sorted(gone, key=self._is_linked_to)]

    def _is_linked_to(self, path: str) -> bool:
        """Whether others may lead there: what has links itself goes before what they lead to."""
        return LINKS not in load_json(self.root / path / ATTRIBUTES, str(self.root))

    def _consolidate(self) -> None:
        """The consolidated metadata, where there are any, with the changes; the rest stays as it is."""
        path = self.root / CONSOLIDATED
        if not path.exists():
            return
        document = load_json(path, str(self.root))
        known = document.get("metadata")
        known = known if isinstance(known, dict) else {}
        known = {key: value for key, value in known.items() if not self._is_removed(key)}
        new = self.folder / "new"
        for name in METADATA:
            for each in new.rglob(name) if new.is_dir() else ():
                known[each.relative_to(new).as_posix()] = load_json(each, str(self.root))
        self.write(CONSOLIDATED, {**document, "metadata": known})


def recover(root: Path) -> None:
    """Take back what a killed process did to a Zarr folder, if there was one. Nobody else may be writing it.

    Raises
    ------
    CannotWrite
        If it cannot be told what was done.
    """
    folder = staging_folder(root)
    journal = folder / JOURNAL
    if journal.exists():
        known = load_json(journal, str(journal))
        if known.get("inode") != root.stat().st_ino:
            raise CannotWrite(
                f"{root} was being changed when nwb-neurid was killed, and is another folder now. Put the first one in "
                f"its place, or remove {folder}, which holds what was taken out of it."
            )
        _undo(
            root, [(path, kind) for path, kind in known["changes"] if ".." not in path.split("/") and path[:1] != "/"]
        )
        journal.unlink()
    if folder.exists():
        shutil.rmtree(folder)


def _new(root: Path, path: str) -> Path:
    return staging_folder(root) / "new" / path


def _old(root: Path, path: str) -> Path:
    return staging_folder(root) / "old" / path


def _swap(root: Path, path: str, kind: Kind) -> None:
    place, old, new = root / path, _old(root, path), _new(root, path)
    old.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        _write_whole(old, place.read_bytes())
    if kind in {"replaced", "removed"}:
        place.rename(old)
    if kind in {"file", "new file"}:
        new.replace(place)
    elif kind != "removed":
        new.rename(place)


def _undo(root: Path, changes: list[tuple[str, Kind]]) -> None:
    """Each step by what is found, so that it may be taken twice."""
    for path, kind in reversed(changes):
        place, old, new = root / path, _old(root, path), _new(root, path)
        if kind == "file":
            if old.exists():
                _write_whole(new, old.read_bytes())
                new.replace(place)
        elif kind == "new file":
            place.unlink(missing_ok=True)
        else:
            if kind != "removed" and not new.exists() and place.exists():
                place.rename(new)
            if old.exists():
                old.rename(place)
        _fsync(place.parent)


def _write_whole(path: Path, content: bytes) -> None:
    """A file that is there whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    _fsync(partial)
    partial.replace(path)
    _fsync(path.parent)


def _fsync(path: Path) -> None:
    """Make a file or a folder last; not every system can for folders."""
    if path.is_file():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        return
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _folders(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        yield from (each.name for each in folder.iterdir() if each.is_dir())


def _is_within(path: str, other: str) -> bool:
    return f"{path}/".startswith(f"{other}/")


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=4, sort_keys=True, separators=(",", ": ")).encode()
