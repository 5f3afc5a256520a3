"""Links from a recording to other files, which a copy in another folder may lose."""

import os
import warnings
from pathlib import Path

import h5py

from nwb_neurid.errors import NeuridWarning
from nwb_neurid.ndx.opening import is_zarr
from nwb_neurid.zarr2.arrays import load_json
from nwb_neurid.zarr2.nodes import ATTRIBUTES, HERE, LINKS


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
