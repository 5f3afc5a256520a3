"""Changing a file without a copy of it: in memory first, and then so that a killed process can be undone.

The changes of an HDF5 file are large where it grows and small inside it. A journal beside the file holds what stands
inside, until the file is whole again. Whoever writes to the file next undoes what a killed process left.
"""

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TypeAlias

from nwb_neurid._system.lock import alone, hold
from nwb_neurid.errors import CannotWrite
from nwb_neurid.writers.nwb.in_folder import recover_folder
from nwb_neurid.writers.nwb.overlay import Overlay
from nwb_neurid.writers.nwb.replacement import (
    Fingerprint,
    check_free,
    fsync_folder,
    leftovers,
    remove_leftovers,
    reserve,
)

Change: TypeAlias = tuple[int, bytes, bytes]  # where, what stands there, what is to stand there

SECTOR = 512  # what a disk writes whole or not at all
HEAD = struct.Struct("<QQ")  # inode and size of the file
PLACE = struct.Struct("<QQ")  # offset and length of a change


@contextmanager
def in_place(path: Path, fingerprint: Fingerprint) -> Iterator[Overlay]:
    """The file as h5py can open it; what is changed there reaches the disk when the block ends without an error.

    Parameters
    ----------
    path
        A file, links followed.
    fingerprint
        What it must be until the end.

    Raises
    ------
    CannotWrite
        If another program has the file open, or the disk has too little room.
    SourceChanged
        If the file is not what was read.
    """
    with alone(path), path.open("rb+", buffering=0) as file:
        try:
            hold(file.fileno())
        except BlockingIOError:
            raise CannotWrite(
                f"Nothing was written to {path}: it is open in another program; close it there."
            ) from None
        fingerprint.check(path)
        with Overlay(path) as overlay:
            yield overlay
            fingerprint.check(path)
            _apply(path, file.fileno(), overlay)


def saved_beside(path: Path) -> Iterator[Path]:
    """Where results are kept until they are in the file: the files that are there, and the next one."""
    for number in count(1):
        saved = path.with_name(f"{path.stem}.neurid-saved{f'-{number}' if number > 1 else ''}.nwb")
        there = saved.exists()
        yield saved
        if not there:
            return


def recover(path: Path) -> None:
    """Take back what a killed process did to the file, if there was one; results that it saved stay.

    Raises
    ------
    CannotWrite
        If a process is still at it, or others changed the file since.
    """
    if path.is_dir() or not path.exists():
        recover_folder(path)
        return
    for saved in saved_beside(path):
        if leftovers(saved):
            with alone(saved):
                remove_leftovers(saved)
    journal = _journal(path)
    if not journal.exists():
        return
    with alone(path):
        known = _parsed(journal.read_bytes()) if journal.exists() else None
        if known is not None and known[0] == path.stat().st_ino:
            _undo(path, journal, *known[1:])
        journal.unlink(missing_ok=True)


def _journal(path: Path) -> Path:
    return path.with_name(f".{path.name}.neurid-journal")


def _apply(path: Path, descriptor: int, overlay: Overlay) -> None:
    """First the journal, then what lies beyond the old end, last what lies inside."""
    check_free(path, overlay.size - overlay.old_size)
    changes = overlay.changes()
    inside = [(at, overlay.before(at, len(after)), after) for at, after in changes if at < overlay.old_size]
    journal = _journal(path)
    try:
        _write(journal, _packed(path.stat().st_ino, overlay.old_size, inside))
        reserve(path, overlay.size - overlay.old_size)
        _put(descriptor, [(at, after) for at, after in changes if at >= overlay.old_size])
        _put(descriptor, [(at, after) for at, _, after in inside])
    except BaseException:
        _put(descriptor, [(at, before) for at, before, _ in inside])
        os.truncate(descriptor, overlay.old_size)
        journal.unlink(missing_ok=True)
        raise
    journal.unlink()
    fsync_folder(path.parent)


def _put(descriptor: int, parts: Sequence[tuple[int, bytes]]) -> None:
    for offset, content in parts:
        os.lseek(descriptor, offset, os.SEEK_SET)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
    os.fsync(descriptor)


def _write(journal: Path, content: bytes) -> None:
    with journal.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fsync_folder(journal.parent)


def _packed(inode: int, size: int, inside: Sequence[Change]) -> bytes:
    places = b"".join(PLACE.pack(at, len(before)) + before + after for at, before, after in inside)
    content = HEAD.pack(inode, size) + places
    return hashlib.sha256(content).digest() + content


def _parsed(journal: bytes) -> tuple[int, int, list[Change]] | None:
    """Inode and size of the file, and the changes; None for a journal that broke off, before which nothing changed."""
    digest, content = journal[:32], journal[32:]
    if hashlib.sha256(content).digest() != digest:
        return None
    inode, size = HEAD.unpack_from(content)
    changes, start = [], HEAD.size
    while start < len(content):
        offset, count = PLACE.unpack_from(content, start)
        start += PLACE.size
        changes.append((offset, content[start : start + count], content[start + count : start + 2 * count]))
        start += 2 * count
    return inode, size, changes


def _undo(path: Path, journal: Path, size: int, changes: Sequence[Change]) -> None:
    with path.open("rb+", buffering=0) as file:
        for offset, before, after in changes:
            file.seek(offset)
            if not _between(file.read(len(before)), before, after):
                raise CannotWrite(
                    f"{path} was being changed when nwb-neurid was killed, and another program has changed it since. "
                    f"Put a copy of the file in its place, then remove {journal}."
                )
        _put(file.fileno(), [(offset, before) for offset, before, _ in changes])
        os.truncate(file.fileno(), size)
        os.fsync(file.fileno())


def _between(now: bytes, before: bytes, after: bytes) -> bool:
    """Whether each sector is one or the other."""
    sectors = (slice(at, at + SECTOR) for at in range(0, len(before), SECTOR))
    return len(now) == len(before) and all(now[part] in (before[part], after[part]) for part in sectors)
