"""Putting results where they go: into a copy that takes the place of the file, or into a sidecar."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import h5py

from nwb_neurid.errors import CannotWrite
from nwb_neurid.writers.nwb.destination import Destination, Way
from nwb_neurid.writers.nwb.entry import Entry
from nwb_neurid.writers.nwb.faults import cannot_write
from nwb_neurid.writers.nwb.in_folder import folder_copy, in_folder
from nwb_neurid.writers.nwb.links import tell_of_lost
from nwb_neurid.writers.nwb.opening import Group, opened
from nwb_neurid.writers.nwb.replacement import Fingerprint, replacement, reserve
from nwb_neurid.writers.nwb.sidecar import empty_sidecar, table_path

Writer: TypeAlias = Callable[[Path, Destination, Fingerprint, Sequence[Entry], bool], None]


def _write_copy(path: Path, to: Destination, fingerprint: Fingerprint, entries: Sequence[Entry], _: bool) -> None:
    with cannot_write(to.file), replacement(path.resolve(), to.file, fingerprint, _size_bytes(entries)) as copy:
        _fill(copy, to, entries)
    tell_of_lost(path.resolve(), to.file)


def _write_sidecar(
    path: Path, to: Destination, fingerprint: Fingerprint, entries: Sequence[Entry], overwrite: bool
) -> None:
    (entry,) = entries
    with cannot_write(to.file):
        with opened(path) as file:
            inner = replace(entry, table=table_path(file, entry.table))
        fingerprint.check(path)
        if to.file.exists():
            with h5py.File(to.file, "r") as file:
                inner.check_rows(file, to.named)
                inner.check_place(file, to.named, overwrite=overwrite)
            return _write_copy(to.file, to, Fingerprint.of(to.file), [inner], overwrite)
        made = empty_sidecar(path, entry.table)
        room_bytes = len(made) + inner.size_bytes
        with replacement(path.resolve(), to.file, fingerprint, room_bytes, copied=False) as copy:
            copy.write_bytes(made)
            reserve(copy, inner.size_bytes)
            _fill(copy, to, [inner])


def _write_in_folder(path: Path, to: Destination, fingerprint: Fingerprint, entries: Sequence[Entry], _: bool) -> None:
    with cannot_write(to.file), in_folder(path.resolve(), fingerprint, _size_bytes(entries)) as folder:
        _put(folder, entries)
        _check(folder, to.file, entries)


def _write_folder_copy(
    path: Path, to: Destination, fingerprint: Fingerprint, entries: Sequence[Entry], _: bool
) -> None:
    with cannot_write(to.file), folder_copy(path.resolve(), to.file, fingerprint, _size_bytes(entries)) as folder:
        _put(folder, entries)
        _check(folder, to.file, entries)
    tell_of_lost(path.resolve(), to.file)


def _size_bytes(entries: Sequence[Entry]) -> int:
    return sum(entry.size_bytes for entry in entries)


def _put(file: Group, entries: Sequence[Entry]) -> None:
    for entry in entries:
        entry.put(file)


def _fill(copy: Path, to: Destination, entries: Sequence[Entry]) -> None:
    with h5py.File(copy, "r+") as file:
        _put(file, entries)
    _verify(copy, to.file, entries)


def _verify(written: Path, target: Path, entries: Sequence[Entry]) -> None:
    with h5py.File(written, "r") as file:
        _check(file, target, entries)


def _check(file: Group, target: Path, entries: Sequence[Entry]) -> None:
    """What was written reads back as it was, and refers to the table."""
    if wrong := [each for entry in entries for each in entry.faults(file)]:
        raise CannotWrite(
            f"{target} was not changed: what was to be written to it reads back otherwise ({', '.join(wrong)})."
        )


WRITERS: Mapping[Way, Writer] = {
    "copy": _write_copy,
    "sidecar": _write_sidecar,
    "in folder": _write_in_folder,
    "folder copy": _write_folder_copy,
}
