"""Links from a recording to other files. These files are never changed, and a copy in another folder may lose them."""

import os
from pathlib import Path
from typing import NamedTuple

import h5py

from nwb_neurid._system.warning import warn
from nwb_neurid.readers.nwb.outside import list_files

MOST_LINKS = 16  # maximum number of links that are followed, one after another


class Place(NamedTuple):
    """The target of a path in a recording.

    Parameters
    ----------
    item
        The group or dataset in the file itself; None if there is no target, or if it is in another file.
    file
        The other file, with its name in the link; "" if the target is in this file.
    """

    item: h5py.Group | h5py.Dataset | None = None
    file: str = ""


def locate(group: h5py.Group, path: str, *, most_links: int = MOST_LINKS) -> Place:
    """Find the target of a path, without opening another file.

    HDF5 opens the target of an external link in the same mode as the file itself. If a file is open for writing, all
    paths in it are therefore resolved by this function.

    Parameters
    ----------
    group
        The group from which a relative path starts.
    path
        Path of a group or a dataset.
    most_links
        Largest number of soft links that are followed, one after another.
    """
    here: h5py.Group | h5py.Dataset = group.file["/"] if path.startswith("/") else group
    for name in filter(None, path.split("/")):
        if not isinstance(here, h5py.Group):
            return Place()
        place = _step(here, name, most_links)
        if place.item is None:
            return place
        here = place.item
    return Place(here)


def find_own(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
    """Return the group or dataset at a path if it is in the file itself."""
    return locate(group, path).item


def find_own_group(group: h5py.Group, path: str) -> h5py.Group | None:
    """Return the group at a path if it is in the file itself."""
    item = find_own(group, path)
    return item if isinstance(item, h5py.Group) else None


def _step(group: h5py.Group, name: str, most_links: int) -> Place:
    try:
        link = group.get(name, getlink=True)
    except TypeError:  # h5py does not know this kind of link
        return Place()
    if isinstance(link, h5py.ExternalLink):
        return Place(file=os.fsdecode(link.filename))
    if isinstance(link, h5py.SoftLink):
        return locate(group, link.path, most_links=most_links - 1) if most_links else Place()
    return Place() if link is None else Place(group[name])


def warn_of_lost_links(source: Path, copy: Path) -> None:
    """Warn if links of a recording are broken in its copy.

    Parameters
    ----------
    source, copy
        The files, with links resolved.
    """
    if source.parent == copy.parent:
        return
    lost = [
        name
        for name in sorted(name_linked_files(source))
        if (source.parent / name).exists() and not (copy.parent / name).exists()
    ]
    if lost:
        warn(
            f"{copy} would need {', '.join(lost)}, which cannot be found from its folder. Put those files there too, "
            f"or write into the folder of {source}."
        )


def name_linked_files(source: Path) -> set[str]:
    """Return the other files to which a recording links or that contain its data, by their names in the recording."""
    with h5py.File(source, "r") as file:
        return _name_external(file) | name_data_files(file)


def name_data_files(file: h5py.File) -> set[str]:
    """Return the other files that contain data of an open file, by their names in this file."""
    names: set[str] = set()
    file.visititems(lambda _, item: names.update(list_files(item)) if isinstance(item, h5py.Dataset) else None)
    return names


def _name_external(file: h5py.File) -> set[str]:
    names: set[str] = set()
    file.visititems_links(
        lambda _, link: names.add(os.fsdecode(link.filename)) if isinstance(link, h5py.ExternalLink) else None
    )
    return names
