"""Write results into a copy that replaces the file, or into a sidecar."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import h5py

from nwb_neurid._system.atomic import replace_file
from nwb_neurid.errors import CannotWrite
from nwb_neurid.readers.nwb.file import open_file
from nwb_neurid.readers.nwb.hdf5 import Hdf5Group
from nwb_neurid.writers.nwb.copying import check_room, copy_file, reserve_room
from nwb_neurid.writers.nwb.destination import Destination
from nwb_neurid.writers.nwb.entry import Entry, find_table
from nwb_neurid.writers.nwb.faults import convert_faults
from nwb_neurid.writers.nwb.fingerprint import Fingerprint
from nwb_neurid.writers.nwb.links import warn_of_lost_links
from nwb_neurid.writers.nwb.sidecar import check_sidecar, find_neurons, make_sidecar


def write_copy(path: Path, to: Destination, fingerprint: Fingerprint, entries: Sequence[Entry]) -> None:
    """Write results into a copy of the recording, which replaces it or is written to another path.

    Parameters
    ----------
    path
        The recording.
    to
        The path of the copy.
    fingerprint
        Fingerprint of the recording, which must not change until the end.
    entries
        The results.

    Raises
    ------
    CannotWrite
        If the file cannot be written, or the results differ when they are read back.
    SourceChanged
        If the recording has changed since it was read.
    """
    source, size_bytes = path.resolve(), sum(entry.size_bytes for entry in entries)
    with convert_faults(to.file), replace_file(to.file, overwrite=to.overwrite, like=[source]) as made:
        fingerprint.check(source)
        check_room(to.file, size_bytes, copied=source)
        copy_file(source, made.path, size_bytes)
        fingerprint.check(source)
        fill(made.path, to.file, entries)
        fingerprint.check(source)
    warn_of_lost_links(source, to.file)


def write_sidecar(path: Path, to: Destination, fingerprint: Fingerprint, entries: Sequence[Entry]) -> None:
    """Add results to a sidecar of the recording, or make a sidecar.

    Parameters
    ----------
    path, to, fingerprint
        As for `write_copy`.
    entries
        The results, all for the same table.

    Raises
    ------
    CannotWrite, SourceChanged
        As for `write_copy`, and if an existing file is not a sidecar of this recording.
    ResultsExist
        If results with that name exist, and must not be replaced.
    """
    with convert_faults(to.file), replace_file(to.file, overwrite=True, like=[path.resolve()]) as made:
        with open_file(path) as recording:
            table = find_table(recording, entries[0].table)
            inner = [replace(entry, table=find_neurons(table)) for entry in entries]
            empty = b"" if made.old else make_sidecar(recording, table)
        fingerprint.check(path)
        size_bytes = sum(entry.size_bytes for entry in inner)
        if made.old:
            check_beside(made.old, to.named, inner)
            check_room(to.file, size_bytes, copied=made.old)
            copy_file(made.old, made.path, size_bytes)
        else:
            check_room(to.file, len(empty) + size_bytes)
            made.path.write_bytes(empty)
            reserve_room(made.path, size_bytes)
        fill(made.path, to.file, inner)
        fingerprint.check(path)


def check_beside(sidecar: Path, named: Path, entries: Sequence[Entry]) -> None:
    """Refuse a file that is not a sidecar, that belongs to another recording, or that has results of these names.

    Raises
    ------
    ResultsExist
        If the file has results with these names, and they must not be replaced.
    CannotWrite
        If the file is not a sidecar of this recording.
    """
    with h5py.File(sidecar, "r") as file:
        check_sidecar(file, named)
        for entry in entries:
            entry.check_rows(Hdf5Group(file, str(named)))
            entry.check_place(file, named)


def fill(made: Path, target: Path, entries: Sequence[Entry]) -> None:
    """Write results into a file, and read them back.

    Parameters
    ----------
    made
        The file.
    target
        The path that it will have, for messages.
    entries
        The results.

    Raises
    ------
    CannotWrite
        If the results differ when they are read back.
    """
    with h5py.File(made, "r+") as file:
        for entry in entries:
            entry.put(file)
    with h5py.File(made, "r") as file:
        wrong = [each for entry in entries for each in entry.list_faults(file)]
    if wrong:
        raise CannotWrite(
            f"{target} was not changed: the new content could not be read back as it was written ({', '.join(wrong)})."
        )
