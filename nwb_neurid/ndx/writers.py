"""Putting results where they go: into a copy that takes the place of the file, into a sidecar, or in place."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import h5py

from nwb_neurid.errors import CannotWrite, NeuridError
from nwb_neurid.ndx.destination import Destination, Way
from nwb_neurid.ndx.entry import Entry
from nwb_neurid.ndx.faults import cannot_write
from nwb_neurid.ndx.in_place import in_place, saved_beside
from nwb_neurid.ndx.overlay import Overlay
from nwb_neurid.ndx.replacement import Fingerprint, replacement, reserve
from nwb_neurid.ndx.sidecar import empty_sidecar, table_path

Writer: TypeAlias = Callable[[Path, Destination, Fingerprint, Entry, bool], None]


def _write_copy(path: Path, to: Destination, fingerprint: Fingerprint, entry: Entry, _: bool) -> None:
    with cannot_write(to.file), replacement(path.resolve(), to.file, fingerprint, entry.size_bytes) as copy:
        _fill(copy, to, entry)


def _write_sidecar(path: Path, to: Destination, fingerprint: Fingerprint, entry: Entry, overwrite: bool) -> None:
    with cannot_write(to.file):
        with h5py.File(path, "r") as file:
            inner = replace(entry, table=table_path(file, entry.table))
        fingerprint.check(path)
        if to.file.exists():
            with h5py.File(to.file, "r") as file:
                inner.check_rows(file, to.named)
                inner.check_place(file, to.named, overwrite=overwrite)
            return _write_copy(to.file, to, Fingerprint.of(to.file), inner, overwrite)
        made = empty_sidecar(path, entry.table)
        room_bytes = len(made) + inner.size_bytes
        with replacement(path.resolve(), to.file, fingerprint, room_bytes, copied=False) as copy:
            copy.write_bytes(made)
            reserve(copy, inner.size_bytes)
            _fill(copy, to, inner)


def _write_in_place(path: Path, to: Destination, fingerprint: Fingerprint, entry: Entry, overwrite: bool) -> None:
    """The results are saved beside the file until they are in it."""
    saved = saved_beside(to.file)
    saved.unlink(missing_ok=True)
    beside = Destination(named=saved, file=saved, way="sidecar")
    _write_sidecar(path, beside, fingerprint, replace(entry, columns_of=()), overwrite)
    try:
        with cannot_write(to.file), in_place(to.file, fingerprint) as overlay:
            _fill(overlay, to, entry)
    except NeuridError as error:
        raise type(error)(f"{error} The results are in {saved}.") from error
    saved.unlink()


def _fill(copy: Path | Overlay, to: Destination, entry: Entry) -> None:
    with h5py.File(copy, "r+") as file:
        entry.put(file)
    _verify(copy, to.file, entry)


def _verify(written: Path | Overlay, target: Path, entry: Entry) -> None:
    """What was written reads back as it was, and refers to the table."""
    with h5py.File(written, "r") as file:
        wrong = entry.faults(file)
    if wrong:
        raise CannotWrite(
            f"{target} was not changed: what was to be written to it reads back otherwise ({', '.join(wrong)})."
        )


WRITERS: Mapping[Way, Writer] = {"copy": _write_copy, "sidecar": _write_sidecar, "in place": _write_in_place}
