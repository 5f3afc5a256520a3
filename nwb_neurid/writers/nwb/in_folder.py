"""Changing NWB in a Zarr folder, or a copy of it, so that a killed process can be undone."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nwb_neurid._system.lock import alone
from nwb_neurid.errors import CannotWrite
from nwb_neurid.readers.zarr.staging import Staging, recover, staging_folder
from nwb_neurid.writers.nwb.replacement import PARTIAL, Fingerprint, check_free, fsync_folder
from nwb_neurid.writers.nwb.zarr_file import ZarrGroup

REPLACED = ".neurid-replaced"


@contextmanager
def in_folder(path: Path, fingerprint: Fingerprint, extra_bytes: int) -> Iterator[ZarrGroup]:
    """The root of a Zarr folder; what is changed there takes its place when the block ends without an error.

    Parameters
    ----------
    path
        A Zarr folder, links followed.
    fingerprint
        What it must be until the end.
    extra_bytes
        By how much it will grow.

    Raises
    ------
    CannotWrite
        If another process is writing it, or the disk has too little room.
    SourceChanged
        If the folder is not what was read.
    """
    with alone(path) as sure:
        _recover(path, sure)
        fingerprint.check(path)
        check_free(path, extra_bytes)
        staging = Staging(path)
        try:
            yield ZarrGroup(staging)
            fingerprint.check(path)
            staging.commit()
        finally:
            staging.discard()
        fsync_folder(path.parent)


@contextmanager
def folder_copy(source: Path, target: Path, fingerprint: Fingerprint, extra_bytes: int) -> Iterator[ZarrGroup]:
    """The root of a copy of a Zarr folder that takes the place of `target` when the block ends without an error.

    Parameters
    ----------
    source, target
        Zarr folders, links followed; `target` need not exist.
    fingerprint
        What `source` must be until the end.
    extra_bytes
        By how much the copy will grow.

    Raises
    ------
    CannotWrite
        If another process is writing `target`, or the disk has too little room.
    SourceChanged
        If `source` is not what was read.
    """
    with alone(target) as sure:
        _recover(target, sure)
        copy, replaced = (target.with_name(f".{target.name}{ending}") for ending in (PARTIAL, REPLACED))
        fingerprint.check(source)
        check_free(target, fingerprint.size + extra_bytes)
        try:
            shutil.copytree(source, copy)
            staging = Staging(copy)
            yield ZarrGroup(staging)
            staging.commit()
            fingerprint.check(source)
            if target.exists():
                target.rename(replaced)
            copy.rename(target)
        finally:
            if replaced.exists() and not target.exists():
                replaced.rename(target)
            _remove(copy, replaced, staging_folder(copy))
        fsync_folder(target.parent)


def recover_folder(path: Path) -> None:
    """Take back what a killed process did to a Zarr folder, if there was one.

    Raises
    ------
    CannotWrite
        If a process is still at it, or the folder is another one now.
    """
    if any(each.exists() for each in _left(path)):
        with alone(path) as sure:
            _recover(path, sure)


def _left(path: Path) -> tuple[Path, Path, Path, Path]:
    """What a killed process may have left."""
    copy, replaced = (path.with_name(f".{path.name}{ending}") for ending in (PARTIAL, REPLACED))
    return staging_folder(path), copy, replaced, staging_folder(copy)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _recover(path: Path, sure: bool) -> None:
    _, copy, replaced, of_copy = _left(path)
    if not sure and (left := [each for each in _left(path) if each.exists()]):
        raise CannotWrite(
            f"{path} is being written by another nwb-neurid, or one was killed, which this file system cannot tell: "
            f"there is {left[0]}. If none is at work, write once from where locks work, which takes it back."
        )
    if replaced.exists() and not path.exists():
        replaced.rename(path)
    _remove(copy, replaced, of_copy)
    if path.exists():
        recover(path)
