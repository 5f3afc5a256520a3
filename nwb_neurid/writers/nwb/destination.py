"""Where results go: into the recording, into a copy of it, or into a small file beside it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

from nwb_neurid.errors import CannotWrite, InvalidOption, SourceNotFound
from nwb_neurid.readers.zarr.nodes import GROUP as ZARR_GROUP
from nwb_neurid.readers.zarr.nodes import Folder, Node
from nwb_neurid.writers.nwb.opening import is_zarr
from nwb_neurid.writers.nwb.sidecar import linked_place
from nwb_neurid.writers.options import WriteOptions

Way: TypeAlias = Literal["copy", "sidecar", "in folder", "folder copy"]

SIDECAR = ".neurid.nwb"
MOST_COPIED_BYTES = 10_000_000_000
ZARR = ".zarr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A file that may be written, and how.

    Parameters
    ----------
    named
        The file as the user knows it.
    file
        The file itself, links followed.
    way
        By a copy that takes its place, or as a file of its own; a Zarr folder in place, or by a copy.
    why
        Why it is a sidecar although none was asked for; "" otherwise.
    """

    named: Path
    file: Path
    way: Way
    why: str = ""


def sidecar_of(path: Path) -> Path:
    """The file beside a recording that holds results on it."""
    return path.with_name(Path(path.name.removesuffix(ZARR)).stem + SIDECAR)


def destination(path: Path, options: WriteOptions, *, tables: Sequence[str] = ()) -> Destination:
    """Where results on the recording at `path` go.

    Parameters
    ----------
    path
        The recording.
    options
        What the user asks.
    tables
        Paths within the recording of the tables that the results are about, where they are known.

    Raises
    ------
    SourceNotFound
        If there is no recording.
    InvalidOption
        If the options contradict one another.
    CannotWrite
        If nothing may be written there.
    """
    if not path.is_file() and not is_zarr(path):
        raise SourceNotFound(f"{path} does not exist." if not path.exists() else f"{path} is a folder, not a file.")
    _check_whole(path)
    output, overwrite = options.output, options.overwrite
    if options.sidecar:
        return _sidecar(path, output)
    other = None if output is None or (output.exists() and output.samefile(path)) else output
    if linked := linked_place(path, tables):
        if other is not None:
            _elsewhere(other, overwrite)  # a sidecar was not asked for, so what is there may not get more
        why = f"{path} takes {linked} by a link, and files that are linked to are never changed."
        return _sidecar(path, other, why)
    if other is not None:
        return _copy_of_folder(path, other, overwrite) if path.is_dir() else _elsewhere(other, overwrite)
    named = output or path
    if why := _refusal(path, named, asked=output is not None):
        return _sidecar(path, None, why)
    return _inside(path, named)


def check_columns(to: Destination, units_columns: bool) -> None:
    """Refuse columns of units in a sidecar.

    Raises
    ------
    InvalidOption
        If they are asked for and it is one.
    """
    if to.way == "sidecar" and units_columns:
        said = f"{to.why} {to.named} would be written." if to.why else "A sidecar leaves the recording as it is."
        raise InvalidOption(f"--units-columns writes into the recording, not into a sidecar. {said}")


def check_tables(to: Destination, path: Path, places: Sequence[str]) -> None:
    """Refuse results on several tables where there is room for one.

    Raises
    ------
    CannotWrite
        If there are several, and a sidecar would be written.
    """
    if len(places) > 1 and to.way == "sidecar":
        way = f"{to.why} A sidecar" if to.why else "A sidecar"
        raise CannotWrite(
            f"The units of {path} stand in {len(places)} tables ({', '.join(places)}). {way} can be about one: choose "
            "one (--from), or write a copy with all (--output)."
        )


def _check_whole(path: Path) -> None:
    """Refuse a file that nwb-neurid 0.1 was changing in place when it was killed."""
    journal = path.resolve().with_name(f".{path.resolve().name}.neurid-journal")
    if journal.exists():
        raise CannotWrite(
            f"{path} is not whole: nwb-neurid 0.1 was killed while it changed the file in place, and left {journal}. "
            "Install nwb-neurid<0.2 and run its embed on the file once, which takes the change back."
        )


def _refusal(path: Path, named: Path, asked: bool) -> str:
    """Why the file should stay as it is, although it could be written; "" if it need not."""
    if _is_annexed(path / ZARR_GROUP if path.is_dir() else path):
        if asked:
            raise CannotWrite(
                f"{named} is kept by git-annex, and what is kept there must not change. Unlock it first (git annex "
                "unlock), or write elsewhere (--sidecar, --output)."
            )
        return f"{path} is kept by git-annex. To write inside, unlock it first (git annex unlock)."
    size_bytes = 0 if path.is_dir() else path.stat().st_size  # a folder is not copied
    if size_bytes > MOST_COPIED_BYTES and not asked:
        return (
            f"{path} has {size_bytes / 1e9:.1f} GB, which were to be copied. To write inside: --output {path}, for "
            "a copy that takes its place."
        )
    return ""


def _is_annexed(path: Path) -> bool:
    parts = path.resolve().parts
    return path.is_symlink() and (".git", "annex") in pairwise(parts)


def _inside(path: Path, named: Path) -> Destination:
    file, advice = path.resolve(), "Write the results elsewhere (--output), or beside it (--sidecar)."
    if _is_read_only(file):
        raise CannotWrite(f"{named} is read-only. {advice}")
    _check_folder(file, named, "Write the results elsewhere (--output).")
    if path.is_dir():
        return Destination(named=named, file=file, way="in folder")
    names = file.stat().st_nlink
    if names > 1:
        raise CannotWrite(
            f"{named} is one file with {names} names (hard links), which a new file would separate. Write "
            "elsewhere (--output), or beside it (--sidecar)."
        )
    return Destination(named=named, file=file, way="copy")


def _elsewhere(output: Path, overwrite: bool) -> Destination:
    file, advice = output.resolve(), "Choose another --output."
    if file.is_dir():
        raise CannotWrite(f"{output} is a folder. {advice}")
    _check_folder(file, output, advice)
    if file.exists() and not overwrite:
        raise CannotWrite(f"{output} exists. Replace it (--overwrite), or choose another --output.")
    if file.exists() and _is_read_only(file):
        raise CannotWrite(f"{output} is read-only. {advice}")
    return Destination(named=output, file=file, way="copy")


def _copy_of_folder(path: Path, output: Path, overwrite: bool) -> Destination:
    file, advice, source = output.resolve(), "Choose another --output.", path.resolve()
    if file.is_relative_to(source) or source.is_relative_to(file):
        raise CannotWrite(f"{output} and {path} are folders, one within the other. {advice}")
    if file.suffix != ZARR:
        raise CannotWrite(f"{output} would be a folder, since the recording is one: its name must end in {ZARR}.")
    _check_folder(file, output, advice)
    if file.exists() and not (is_zarr(file) and "nwb_version" in Node(Folder(file)).attributes):
        raise CannotWrite(f"{output} exists and is not NWB in Zarr format 2, so it is not replaced. {advice}")
    if file.exists() and not overwrite:
        raise CannotWrite(f"{output} exists. Replace it (--overwrite), or choose another --output.")
    if file.exists() and _is_read_only(file):
        raise CannotWrite(f"{output} is read-only. {advice}")
    return Destination(named=output, file=file, way="folder copy")


def _sidecar(path: Path, output: Path | None, why: str = "") -> Destination:
    """One that exists gets further results."""
    named = output or sidecar_of(path)
    file, advice = named.resolve(), "Choose a place for it (--sidecar --output)."
    if file.is_dir():
        raise CannotWrite(f"{named} is a folder. {advice}")
    if file.exists() and file.samefile(path):
        raise InvalidOption(f"{path} cannot be its own sidecar: leave out --sidecar, or choose another --output.")
    _check_folder(file, named, advice)
    if file.exists() and _is_read_only(file):
        raise CannotWrite(f"{named} is read-only. {advice}")
    return Destination(named=named, file=file, way="sidecar", why=why)


def _check_folder(file: Path, named: Path, advice: str) -> None:
    if not file.parent.is_dir():
        raise CannotWrite(f"{named} cannot be written: the folder {file.parent} does not exist. {advice}")
    if _is_read_only(file.parent):
        raise CannotWrite(f"{named} cannot be written: the folder {file.parent} is read-only. {advice}")


def _is_read_only(path: Path) -> bool:
    """By its mode too: to root everything seems writable."""
    return not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK)
