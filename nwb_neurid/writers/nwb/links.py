"""Links from a recording to other files: those files are never changed, and a copy in another folder may lose them."""

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import h5py

from nwb_neurid.errors import NeuridWarning
from nwb_neurid.readers.zarr.arrays import load_json
from nwb_neurid.readers.zarr.nodes import ATTRIBUTES, HERE, LINKS, MOST_LINKS
from nwb_neurid.writers.nwb.opening import Dataset, Group, is_zarr
from nwb_neurid.writers.nwb.zarr_file import ZarrGroup


class Place(NamedTuple):
    """Where a path in a recording leads.

    Parameters
    ----------
    item
        The group or dataset in the file itself; None if the path leads nowhere, or into another file.
    file
        The other file that it leads into, as the link names it; "" if it does not leave this one.
    """

    item: Group | Dataset | None = None
    file: str = ""


def locate(group: Group, path: str, *, most_links: int = MOST_LINKS) -> Place:
    """Find out where a path leads, without opening the other file if it is one.

    HDF5 opens the target of an external link as the file with the link is open: for writing, if that is. So whatever
    is looked up in a file that is open for writing is looked up by this function.

    Parameters
    ----------
    group
        Where the path begins; at the root, if it begins with a slash.
    path
        Of a group or a dataset.
    most_links
        How many soft links may lead there, one after another.
    """
    if isinstance(group, ZarrGroup):
        return Place(*group.locate(path))
    here: Group | Dataset = group.file["/"] if path.startswith("/") else group
    for name in filter(None, path.split("/")):
        if not isinstance(here, h5py.Group):
            return Place()
        place = _step(here, name, most_links)
        if place.item is None:
            return place
        here = place.item
    return Place(here)


def own_item(group: Group, path: str) -> Group | Dataset | None:
    """The group or dataset at a path, if it is in the file itself."""
    return locate(group, path).item


def own_group(group: Group, path: str) -> Group | None:
    """The group at a path, if it is in the file itself."""
    item = own_item(group, path)
    return item if isinstance(item, Group) else None


def _step(group: h5py.Group, name: str, most_links: int) -> Place:
    try:
        link = group.get(name, getlink=True)
    except TypeError:  # a kind of link that h5py does not know
        return Place()
    if isinstance(link, h5py.ExternalLink):
        return Place(file=os.fsdecode(link.filename))
    if isinstance(link, h5py.SoftLink):
        return locate(group, link.path, most_links=most_links - 1) if most_links else Place()
    return Place() if link is None else Place(group[name])


def tell_of_lost(source: Path, copy: Path) -> None:
    """Warn where links of a recording lead nowhere from its copy.

    Parameters
    ----------
    source, copy
        Files or Zarr folders, links followed.
    """
    if source.parent == copy.parent:
        return
    folders = (source, copy) if is_zarr(source) else (source.parent, copy.parent)  # where their links begin
    lost = [
        name for name in sorted(_names(source)) if [(folder / name).exists() for folder in folders] == [True, False]
    ]
    if lost:
        warnings.warn(
            f"{copy} has links to {', '.join(lost)}, which lead nowhere from its folder. Put those files there too, or "
            f"write into the folder of {source}.",
            NeuridWarning,
            stacklevel=2,
        )


def _names(source: Path) -> set[str]:
    """The other files that a recording links to, as it names them."""
    if is_zarr(source):
        found = [link for each in source.rglob(ATTRIBUTES) for link in load_json(each, str(source)).get(LINKS, ())]
        return {str(link.get("source")) for link in found} - {HERE}
    with h5py.File(source, "r") as file:
        return _external(file)


def _external(file: h5py.File) -> set[str]:
    names, groups, seen = set(), [file], {file.id}
    while groups:
        group = groups.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                names.add(os.fsdecode(link.filename))
            elif isinstance(link, h5py.HardLink) and group.get(name, getclass=True) is h5py.Group:
                inner = group[name]
                if inner.id not in seen:
                    seen.add(inner.id)
                    groups.append(inner)
    return names
