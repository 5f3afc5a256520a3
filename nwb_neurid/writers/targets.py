"""Checks of the files to be written. Data of the recording and files of other software are never overwritten."""

from pathlib import Path

from nwb_neurid.errors import CannotWrite
from nwb_neurid.readers.nwb import HDF5_SIGNATURE

BEGINNINGS = {"nwb": HDF5_SIGNATURE, "csv": b"unit_id", "parquet": b"PAR1"}
"""First bytes of the files in each format that this package writes."""


def check_outside(source: Path, target: Path) -> None:
    """Refuse to write into a folder that is the recording, because any file in it may be its data.

    Raises
    ------
    CannotWrite
        If the target is in this folder.
    """
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise CannotWrite(
            f"{target} is inside the recording {source}, which would be changed. Choose another --output."
        )


def check_format(target: Path, kind: str) -> None:
    """Refuse to replace a file that has neither this format nor its file name extension.

    Parameters
    ----------
    target
        The file; it need not exist.
    kind
        The format.

    Raises
    ------
    CannotWrite
        If the target has neither this format nor its extension.
    """
    if target.suffix == f".{kind}" or not target.is_file():
        return
    with target.open("rb") as file:
        beginning = file.read(len(BEGINNINGS[kind]))
    if beginning and beginning != BEGINNINGS[kind]:
        raise CannotWrite(f"{target} exists and is not a {kind} file, so it is not replaced. Choose another --output.")
