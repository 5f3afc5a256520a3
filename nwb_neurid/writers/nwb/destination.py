"""Destinations of results: the recording, a copy of it, or a small file beside it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import h5py

from nwb_neurid._system.atomic import check_target
from nwb_neurid.errors import CannotWrite, InvalidOption, SourceNotFound
from nwb_neurid.readers.nwb import HDF5_SIGNATURE, zarr
from nwb_neurid.writers.nwb import layout
from nwb_neurid.writers.nwb.faults import convert_faults
from nwb_neurid.writers.nwb.links import locate, name_linked_files
from nwb_neurid.writers.options import NWB, WriteOptions
from nwb_neurid.writers.targets import check_format, check_outside

Way: TypeAlias = Literal["copy", "sidecar"]

SIDECAR = ".neurid.nwb"
MOST_COPIED_BYTES = 10_000_000_000
ZARR = ".zarr"
ROOTS_OF_ZARR = (".zgroup", "zarr.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A file to write, and the way to write it.

    Parameters
    ----------
    named
        The path that the user gave.
    file
        The path with links resolved.
    way
        Either a copy of the recording that replaces it, or a separate file.
    overwrite
        Whether an existing file may be replaced. The recording itself may be replaced by a copy with results, and a
        sidecar may be replaced as well.
    why
        The reason for writing a sidecar although the user did not request one; "" otherwise.
    """

    named: Path
    file: Path
    way: Way
    overwrite: bool = True
    why: str = ""


def is_zarr(path: Path) -> bool:
    """Return whether this is a Zarr folder."""
    return any((path / name).is_file() for name in ROOTS_OF_ZARR)


def is_nwb(path: Path) -> bool:
    """Return whether results can refer to this file: a file whose name ends in `.nwb`, an HDF5 file, or NWB in Zarr."""
    if is_zarr(path):
        return zarr.root(path).attribute("nwb_version") is not None
    if not path.is_file() or path.suffix == ".nwb":
        return path.is_file()
    with path.open("rb") as file:
        return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE


def name_sidecar(path: Path) -> Path:
    """Return the path of the sidecar of a recording."""
    return path.with_name(Path(path.name.removesuffix(ZARR)).stem + SIDECAR)


def choose_destination(path: Path, options: WriteOptions, *, tables: Sequence[str] = ()) -> Destination:
    """Choose the destination of results on the recording at `path`.

    Parameters
    ----------
    path
        The recording.
    options
        Options for writing.
    tables
        Paths within the recording of the tables to which the results belong, if known.

    Raises
    ------
    SourceNotFound
        If there is no recording.
    InvalidOption
        If the options contradict one another.
    CannotWrite
        If the destination cannot be written.
    """
    if not path.is_file() and not is_zarr(path):
        raise SourceNotFound(f"{path} does not exist." if not path.exists() else f"{path} is a folder, not a file.")
    _check_whole(path)
    output, overwrite = options.output, options.overwrite
    if options.sidecar or path.is_dir():
        return _place_beside(path, output)
    other = None if output is None or (output.exists() and output.samefile(path)) else output
    if linked := find_linked_place(path, tables):
        if other is not None:
            _place_elsewhere(path, other, overwrite)  # do not extend a sidecar that was not requested
        why = f"{path} links to {linked} in another file, and linked files are never changed."
        return _place_beside(path, other, why)
    if other is not None:
        return _place_elsewhere(path, other, overwrite)
    named = output or path
    if why := _find_refusal(path, named, asked=output is not None):
        return _place_beside(path, None, why)
    return _place_inside(path, named)


def check_columns(to: Destination, units_columns: bool) -> None:
    """Refuse columns of the table of units if the destination is a sidecar.

    Raises
    ------
    InvalidOption
        If such columns are requested and the destination is a sidecar.
    """
    if to.way == "sidecar" and units_columns:
        said = f"{to.why} {to.named} would be written." if to.why else "A sidecar leaves the recording unchanged."
        raise InvalidOption(f"--units-columns writes into the recording, not into a sidecar. {said}")


def check_tables(to: Destination, path: Path, places: Sequence[str]) -> None:
    """Refuse results on several tables if the destination can only hold results on one table.

    Raises
    ------
    CannotWrite
        If there are several tables, and a sidecar would be written.
    """
    if len(places) > 1 and to.way == "sidecar":
        way = f"{to.why} A sidecar" if to.why else "A sidecar"
        copy = "" if path.is_dir() else ", or write a copy with all (--output)"
        raise CannotWrite(
            f"The units of {path} are in {len(places)} tables ({', '.join(places)}). {way} can hold results on only "
            "one of them: choose "
            f"one (--from){copy}."
        )


def find_linked_place(path: Path, tables: Sequence[str]) -> str:
    """Find a link to another file that prevents writing results into a recording.

    Parameters
    ----------
    path
        The recording.
    tables
        Paths within it of the tables to which the results belong.

    Returns
    -------
    str
        A description such as "/units from raw.nwb". It is "" if the tables, and the module if it exists, are in the
        recording itself.

    Raises
    ------
    CannotWrite
        If the file cannot be read.
    """
    with convert_faults(path), h5py.File(path, "r") as file:
        for table in tables:
            found = file.get(table)
            kind = layout.read_text(found, "neurodata_type") if isinstance(found, h5py.Group) else ""
            module = layout.find_module(str(found.name), kind) if isinstance(found, h5py.Group) else table
            for place in (table, module):
                if other := locate(file, place).file:
                    return f"/{place.strip('/')} from {other}"
    return ""


def _check_whole(path: Path) -> None:
    """Refuse a file that version 0.1 of this package was changing in place when it was killed."""
    journal = path.resolve().with_name(f".{path.resolve().name}.neurid-journal")
    if journal.exists():
        raise CannotWrite(
            f"{path} is incomplete: nwb-neurid 0.1 was killed while it changed the file in place, and left "
            f"{journal}. Install nwb-neurid<0.2 and run its embed on the file once, which undoes the change."
        )


def _find_refusal(path: Path, named: Path, asked: bool) -> str:
    """Return the reason why the file should not be changed, although it could be. It is "" if there is none."""
    if _is_annexed(path):
        if asked:
            raise CannotWrite(
                f"{named} is managed by git-annex, whose files must not be changed. Unlock it first (git annex "
                "unlock), or write elsewhere (--sidecar, --output)."
            )
        return f"{path} is managed by git-annex, so it was not changed. To write into it, unlock it (git annex unlock)."
    size_bytes = path.stat().st_size
    if size_bytes > MOST_COPIED_BYTES and not asked:
        return (
            f"{path} has {size_bytes / 1e9:.1f} GB, which would have to be copied, so it was not changed. To write "
            f"into the file nevertheless: --output {path}."
        )
    return ""


def _is_annexed(path: Path) -> bool:
    parts = path.resolve().parts
    return path.is_symlink() and (".git", "annex") in pairwise(parts)


def _place_inside(path: Path, named: Path) -> Destination:
    file, advice = path.resolve(), "Write the results elsewhere (--output), or beside it (--sidecar)."
    if _is_read_only(file):
        raise CannotWrite(f"{named} is read-only. {advice}")
    _check_folder(named, "Write the results elsewhere (--output).")
    names = file.stat().st_nlink
    if names > 1:
        raise CannotWrite(
            f"{named} has {names} hard links, which replacing the file would separate. Write "
            "elsewhere (--output), or beside it (--sidecar)."
        )
    return Destination(named=named, file=file, way="copy")


def _place_elsewhere(path: Path, output: Path, overwrite: bool) -> Destination:
    file, advice = output.resolve(), "Choose another --output."
    _check_file(output, file, advice)
    if file.exists() and not overwrite:
        raise CannotWrite(f"{output} exists. Replace it (--overwrite), or choose another --output.")
    check_format(file, NWB)
    if file.exists():
        with convert_faults(path):
            linked = [path.resolve().parent / name for name in name_linked_files(path)]
        if any(other.exists() and other.samefile(file) for other in linked):
            raise CannotWrite(f"{path} links to {output}, which would be lost. {advice}")
    return Destination(named=output, file=file, way="copy", overwrite=overwrite)


def _place_beside(path: Path, output: Path | None, why: str = "") -> Destination:
    """Return a sidecar as the destination. Results are added if the sidecar exists."""
    named = output or name_sidecar(path)
    check_outside(path, named)
    file, advice = named.resolve(), "Choose a place for it (--sidecar --output)."
    if file.is_file() and file.samefile(path):
        raise InvalidOption(f"{path} cannot be its own sidecar: leave out --sidecar, or choose another --output.")
    _check_file(named, file, advice)
    return Destination(named=named, file=file, way="sidecar", why=why)


def _check_file(named: Path, file: Path, advice: str) -> None:
    """Refuse to write a file that is a folder or read-only, or whose folder does not allow it.

    Links lead from `named` to `file`.
    """
    if file.is_dir():
        raise CannotWrite(f"{named} is a folder. {advice}")
    _check_folder(named, advice)
    if file.exists() and _is_read_only(file):
        raise CannotWrite(f"{named} is read-only. {advice}")


def _check_folder(named: Path, advice: str) -> None:
    try:
        check_target(named, overwrite=True)
    except CannotWrite as error:
        raise CannotWrite(f"{error} {advice}") from None


def _is_read_only(path: Path) -> bool:
    """Return whether a path is read-only. Its mode is checked too, because root may always write."""
    return not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK)
