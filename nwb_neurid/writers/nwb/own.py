"""Find and remove results in an open file. Results in other files, to which the file links, are left alone."""

from collections.abc import Collection, Sequence
from pathlib import Path

import h5py

from nwb_neurid.errors import CannotWrite, ResultsExist
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.hdf5 import H5PY_ERRORS, Hdf5Group
from nwb_neurid.writers.nwb import existing, layout, unit_columns
from nwb_neurid.writers.nwb.links import find_own, find_own_group
from nwb_neurid.writers.nwb.objects import PREDICTIONS, name_object


def find_own_results(file: h5py.File) -> dict[str, list[h5py.Group]]:
    """Find the paths of the objects of all results that are in the file itself, by the name of the results."""
    found: dict[str, list[h5py.Group]] = {}
    for module in _list_own_groups(find_own_group(file, "processing")):
        for group in _list_own_groups(module):
            if name := existing.name_results(wrap_group(group)):
                found.setdefault(name, []).append(group)
    return found


def check_names(file: h5py.File, path: Path, name: str, names: Sequence[str], overwrite: bool) -> None:
    """Check that there are no results of that name, or that they may be replaced, and that object names are free.

    Raises
    ------
    ResultsExist, CannotWrite
        If results of that name must not be replaced, or a name is already used.
    """
    ours = [str(group.name) for group in find_own_results(file).get(name, [])]
    if ours and not overwrite:
        raise ResultsExist(
            f"{path} holds results called {name!r} already. Replace them (--overwrite), or choose another name "
            "(--name)."
        )
    modules = {place: find_own_group(file, place) for place in (f"/processing/{module}" for module in layout.MODULES)}
    there = [f"{place}/{each}" for place, module in modules.items() for each in names if each in (module or ())]
    if taken := [place for place in there if place not in ours]:
        raise CannotWrite(
            f"{path} has other objects at {', '.join(taken)}, which are not replaced. Choose another name (--name)."
        )


def remove_results(file: h5py.File, name: str) -> None:
    """Remove results from a file, together with objects that were written only for them.

    Parameters
    ----------
    file
        The file, open for writing.
    name
        Name of the results.
    """
    traces = layout.list_traces(file, {str(group.name) for group in find_own_results(file).get(name, [])})
    remove_objects(file, name)
    for place in traces:
        del file[place]


def list_columns(file: h5py.File, name: str, *, but: Collection[str] = ()) -> dict[str, list[str]]:
    """List the columns with predictions of these results, except some labels, by the paths of their tables."""
    groups = find_own_results(file).get(name, [])
    tables = {str(table.name): table for group in groups if (table := find_own_table(group)) is not None}
    return {place: unit_columns.list_own(table, name, but=but) for place, table in tables.items()}


def remove_objects(file: h5py.File, name: str, *, but: Collection[str] = ()) -> None:
    """Remove the objects of results and their columns of the units, except predictions of some labels."""
    for place, columns in list_columns(file, name, but=but).items():
        layout.drop_columns(file[place], columns)
    kept = {name_object(name, PREDICTIONS, label) for label in but}
    for place in [str(group.name) for group in find_own_results(file).get(name, [])]:
        if place.rpartition("/")[2] not in kept:
            del file[place]


def find_own_table(group: h5py.Group) -> h5py.Group | None:
    """Return the table in this file to which the rows of a results table refer.

    Return None for a model, or if the reference is damaged.
    """
    neuron = find_own(group, "neuron")
    try:
        reference = None if neuron is None else neuron.attrs.get("table")
        found = group.file[reference] if isinstance(reference, h5py.Reference) and reference else None
    except H5PY_ERRORS:
        return None
    return found if isinstance(found, h5py.Group) else None


def _list_own_groups(parent: h5py.Group | None) -> list[h5py.Group]:
    children = [] if parent is None else [find_own_group(parent, name) for name in parent]
    return [child for child in children if child is not None]


def wrap_group(group: h5py.Group) -> Group:
    """Convert a group of h5py to a group of the NWB reader."""
    path = str(group.name)
    return Hdf5Group(group, str(group.file.filename), "" if path == "/" else path)
