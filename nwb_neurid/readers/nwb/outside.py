"""HDF5 datasets whose data lie in other files. Such files are read only if they are in the folder of the recording.

HDF5 would read any file that a dataset declares as its external storage. For missing parts of a virtual dataset, HDF5
would return fill values without a warning.
"""

import os
from pathlib import Path
from typing import NoReturn

import h5py

from nwb_neurid._system.files import check_regular
from nwb_neurid.errors import UnreadableSource

MOST_STEPS = 4  # maximum number of virtual datasets that are followed, one after another
ORIGIN = b"${ORIGIN}"
MOST_LINKS = 16  # maximum number of links that are followed, one after another
HERE = "."  # this file, as a source of a virtual dataset
ON_DISK = frozenset({"sec2", "stdio", "windows"})
ADVICE = "Copy the files that it needs into that folder, or ask for a complete file."


def open_dataset(group: h5py.Group, path: str) -> h5py.Dataset:
    """Open a dataset. Paths of other files with its data are relative to the folder of its own file."""
    name = path.encode("utf-8", "surrogateescape")
    dataset = h5py.Dataset(h5py.h5d.open(group.id, name))
    if not list_files(dataset):
        return dataset
    dataset.id.close()
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_efile_prefix(ORIGIN)
    access.set_virtual_prefix(ORIGIN)
    try:
        return h5py.Dataset(h5py.h5d.open(group.id, name, access))
    except (OSError, ValueError, RuntimeError, KeyError):  # it is open already, and HDF5 finds its files elsewhere
        return h5py.Dataset(h5py.h5d.open(group.id, name))


def check_links(group: h5py.Group, path: str, where: str, *, most_links: int = MOST_LINKS) -> None:
    """Refuse a path that leads into something other than a regular file. On a pipe, HDF5 would wait for ever.

    Parameters
    ----------
    group
        The group from which a relative path starts.
    path
        Path of a group or a dataset, which need not exist.
    where
        The file and the path in it, for messages.
    most_links
        Largest number of soft links that are followed, one after another.

    Raises
    ------
    UnreadableSource
        If the path leads through a pipe or a device.
    """
    here: object = group.file["/"] if path.startswith("/") else group
    for name in filter(None, path.split("/")):
        if not isinstance(here, h5py.Group) or not here.id.links.exists(name.encode("utf-8", "surrogateescape")):
            return
        link = here.get(name, getlink=True)
        if isinstance(link, h5py.SoftLink):
            if most_links:
                check_links(here, link.path, where, most_links=most_links - 1)
        elif isinstance(link, h5py.ExternalLink):
            _check_target(here.file, os.fsdecode(link.filename), where)
        here = here.get(name)


def _check_target(file: h5py.File, name: str, where: str) -> None:
    """Refuse a linked file that is not a regular file.

    HDF5 looks for it in the file's folder and in the working directory.
    """
    folder = Path(os.fsdecode(file.filename)).parent
    for path in (folder / name, folder.resolve() / name, folder / Path(name).name, Path(name)):
        if path.exists() and not path.is_file():
            raise UnreadableSource(f"{where} is reached by a link to {path}, which is not a file. Put the file there.")


def list_files(dataset: h5py.Dataset) -> list[str]:
    """List the other files that contain data of a dataset, by the names in the dataset."""
    made = dataset.id.get_create_plist()
    external = [made.get_external(number)[0] for number in range(made.get_external_count())]
    is_virtual = made.get_layout() == h5py.h5d.VIRTUAL
    virtual = [made.get_virtual_filename(number) for number in range(made.get_virtual_count())] if is_virtual else []
    return list(dict.fromkeys(name for name in map(os.fsdecode, [*external, *virtual]) if name != HERE))


def check_outside(dataset: h5py.Dataset, where: str, *, most_steps: int = MOST_STEPS) -> None:
    """Refuse a dataset whose data lie outside the folder of its file, or are missing.

    Parameters
    ----------
    dataset
        The dataset, opened by `open_dataset`.
    where
        The file and the path in it, for messages.
    most_steps
        Largest number of virtual datasets that are followed, one after another.

    Raises
    ------
    UnreadableSource
        If data lie elsewhere, are not in a regular file, or are missing.
    """
    names = list_files(dataset)
    for name in names:
        _locate(dataset, name, where)
    if names and not dataset.id.get_access_plist().get_efile_prefix():
        _refuse(where, f"its data lie in {names[0]!r}, and it is open already; close the file, and pass its path")
    if dataset.is_virtual:
        if most_steps == 0:
            _refuse(where, f"its data are behind more than {MOST_STEPS} virtual datasets")
        _check_virtual(dataset, where, most_steps)


def _locate(dataset: h5py.Dataset, name: str, where: str) -> Path:
    """Return the path of another file with data of a dataset. The file must exist in the folder of the recording."""
    if dataset.file.driver not in ON_DISK:
        _refuse(where, f"its data lie in another file, {name!r}, and this one is not in a folder")
    folder = Path(os.fsdecode(dataset.file.filename)).parent
    if "%" in name:
        _refuse(where, f"the files with its data are given by a pattern, {name!r}")
    try:
        found = (folder / name).resolve()
        inside = found.is_relative_to(folder.resolve())
        if inside:
            check_regular(found)
    except (OSError, ValueError, RuntimeError) as error:
        _refuse(where, f"its data lie in {name!r}, which cannot be read ({getattr(error, 'strerror', None) or error})")
    if not inside:
        _refuse(where, f"its data lie in {name!r}, outside the folder of the recording")
    return found


def _check_virtual(dataset: h5py.Dataset, where: str, most_steps: int) -> None:
    made, covered = dataset.id.get_create_plist(), 0
    for number in range(made.get_virtual_count()):
        name, source = os.fsdecode(made.get_virtual_filename(number)), made.get_virtual_dsetname(number)
        if name == HERE:
            _check_source(dataset.file, source, made.get_virtual_srcspace(number), where, most_steps)
        else:
            with h5py.File(_locate(dataset, name, where), "r") as file:
                _check_source(file, source, made.get_virtual_srcspace(number), where, most_steps)
        covered += _count(made.get_virtual_vspace(number), dataset.size)
    if covered < dataset.size:
        _refuse(where, f"its source files hold only {covered} of its {dataset.size} elements")


def _check_source(file: h5py.File, path: str, space: h5py.h5s.SpaceID, where: str, most_steps: int) -> None:
    if file.get(path, getclass=True) is not h5py.Dataset:
        _refuse(where, f"its data lie in {path!r} of {file.filename!r}, which is not there")
    source = open_dataset(file, path)
    check_outside(source, where, most_steps=most_steps - 1)
    last, shape = _find_last(space), source.shape
    if last and (len(last) != len(shape) or any(end >= length for end, length in zip(last, shape, strict=True))):
        _refuse(where, f"its data lie in {path!r} of {file.filename!r}, which ends before them")


def _count(space: h5py.h5s.SpaceID, size: int) -> int:
    """Return the number of selected elements. If the selection is unlimited, this is the size of the dataset."""
    try:
        return int(space.get_select_npoints())
    except (RuntimeError, ValueError, OverflowError):
        return size


def _find_last(space: h5py.h5s.SpaceID) -> tuple[int, ...]:
    """Return the highest selected index along each axis, or () if the selection is unlimited or empty."""
    try:
        return tuple(space.get_select_bounds()[1])
    except (RuntimeError, ValueError, OverflowError):
        return ()


def _refuse(where: str, why: str) -> NoReturn:
    raise UnreadableSource(f"{where} is not read: {why}. {ADVICE}")
