"""The electrode of each unit, and its region, position and group.

Files state the electrode of a unit in three ways. They are tried in an order that was tested with files of the Allen
Institute, the IBL, Steinmetz et al. 2019 and the Buzsaki lab. A column that states one electrode is used only if it
agrees with other columns: the electrode must be among the `electrodes` of its unit, and in its group.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.groups import COLUMN, match_groups
from nwb_neurid.readers.nwb.peaks import NO_ELECTRODE, find_peaks, find_region
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.omissions import Omissions

TABLE = "general/extracellular_ephys/electrodes"

POSITION = "position_um"
"""The column of the units table with x, y and z in the files that this package writes."""

SPACING_UM = (0.9, 2e3)
"""Plausible range of the distance between neighbouring electrodes. Other distances show that the unit of length is not
micrometres.
"""

WIDEST_UM = 1e5
"""10 cm. Electrodes in one brain do not extend further."""

LENGTHS_UM: Mapping[str, float] = {"millimetres": 1e3, "metres": 1e6, "nanometres": 1e-3}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Places:
    """Positions, regions and groups of units, as far as a file states them.

    Parameters
    ----------
    regions
        Location of the electrode of each unit, "" where unknown.
    positions_um
        Positions, shape (units, 3), NaN where unknown; None if unknown for all units.
    group
        Electrode group (probe, shank) of each unit; None if it is not stated.
    """

    regions: list[str]
    positions_um: Float32[np.ndarray, "units 3"] | None
    group: Shaped[np.ndarray, " units"] | None


def read_places(file: Group, units: Table, omissions: Omissions) -> Places:
    """Read positions, regions and groups of the units in a table.

    Parameters
    ----------
    file
        The root of the file.
    units
        The units table.
    omissions
        Collects the columns that cannot be used.

    Warns
    -----
    NeuridWarning
        If a column contradicts other columns, or positions are not in micrometres.
    """
    electrodes = omissions.attempt(lambda: _electrodes_table(file, units), None)
    groups = None if electrodes is None else omissions.attempt(lambda: _text(electrodes, "group_name"), None)
    own_group = omissions.attempt(lambda: _own_group(units, groups), None)
    own_positions_um = omissions.attempt(lambda: _own_positions_um(units), None)
    if electrodes is None:
        return Places(regions=[""] * len(units), positions_um=own_positions_um, group=own_group)
    peak = find_peaks(units, electrodes, groups, own_group, omissions)
    locations = omissions.attempt(lambda: _text(electrodes, "location", labels=True), None)
    positions = omissions.attempt(lambda: _electrode_positions_um(electrodes, groups, omissions), None)
    positions = own_positions_um if positions is None else _at_electrode(positions, peak)
    group = own_group if units_refer_to_groups(units) else None
    if group is None and groups is not None and np.any(peak != NO_ELECTRODE):
        group = _at_electrode(groups, peak)
    return Places(
        regions=[""] * len(units) if locations is None else _at_electrode(locations, peak).tolist(),
        positions_um=None if positions is None or np.isnan(positions).all() else positions,
        group=own_group if group is None else group,
    )


def _electrodes_table(file: Group, units: Table) -> Table | None:
    """Return the electrodes table to which the units refer, or otherwise the one at the standard place."""
    name = find_region(units)
    referred = None if name is None else units.dataset(name).referred_by("table")
    if referred is not None and referred.dataset("id") is not None:
        return Table(referred)
    group = file.group(TABLE)
    return None if group is None else Table(group)


def units_refer_to_groups(units: Table) -> bool:
    """Return whether units state their electrode group by a reference."""
    return "electrode_group" in units and units.dataset("electrode_group").is_reference


def _own_group(units: Table, groups: Shaped[np.ndarray, " electrodes"] | None) -> Shaped[np.ndarray, " units"] | None:
    """Return the group that a unit states itself, as its electrode group or as its probe, by name or number."""
    if units_refer_to_groups(units):
        return units.referred("electrode_group")
    known = [] if groups is None else list(dict.fromkeys(groups.tolist()))
    for name in filter(COLUMN.fullmatch, units.names()):
        if units.is_text(name):
            values = units.texts(name).tolist()
        elif units.is_number(name) and not ("shank" in name.casefold() and "probe" in "".join(known).casefold()):
            values = units.numbers(name).astype(np.float64).tolist()
        else:
            continue
        named = match_groups(list(dict.fromkeys(values)), known)
        if named:
            return np.array([named[value] for value in values], np.str_)
    return units.texts("probe_name") if units.is_text("probe_name") else None


def _own_positions_um(units: Table) -> Float32[np.ndarray, "units 3"] | None:
    """Return the positions in the units table. This package writes them when it converts other sources to NWB."""
    if POSITION not in units:
        return None
    positions = units.dataset(POSITION).numbers()
    if positions.shape != (len(units), 3):
        return None
    with np.errstate(over="ignore"):
        return positions.astype(np.float32)


def _text(electrodes: Table, name: str, *, labels: bool = False) -> Shaped[np.ndarray, " electrodes"] | None:
    if not electrodes.is_text(name):
        return None
    return electrodes.labels(name) if labels else electrodes.texts(name)


def _at_electrode(values: Shaped[np.ndarray, "electrodes ..."], row: Int64[np.ndarray, " units"]) -> np.ndarray:
    """Return the text or numbers at the electrode of each unit. They are "" or NaN for a unit without an electrode."""
    missing = np.full((1, *values.shape[1:]), "" if values.dtype.kind == "U" else np.nan, values.dtype)
    return np.concatenate([values, missing])[row]  # the index NO_ELECTRODE, -1, selects the last row


def _electrode_positions_um(
    electrodes: Table, groups: Shaped[np.ndarray, " electrodes"] | None, omissions: Omissions
) -> Float32[np.ndarray, "electrodes 3"] | None:
    """Return electrode positions in micrometres, from `x`, `y`, `z` or otherwise from `rel_x`, `rel_y`, `rel_z`.

    Return None if the table has no positions or only placeholders, that is, equal positions of all electrodes or zeros.
    """
    for names in (("x", "y", "z"), ("rel_x", "rel_y", "rel_z")):
        told = {}
        for axis, name in enumerate(names):
            values = omissions.attempt(lambda name=name: _numbers_if_any(electrodes, name), None)  # type: ignore[misc]
            if values is not None:
                told[axis] = values
        if len(told) < 2:
            continue
        places = np.zeros((len(electrodes), 3))
        for axis, values in told.items():
            places[:, axis] = values
        with np.errstate(over="ignore"):
            places[~np.isfinite(places.astype(np.float32)).all(axis=1)] = np.nan
        known = places[~np.isnan(places[:, 0])]
        if known.any() and (len(places) == 1 or np.any(known != known[0])):
            return _in_um(places, groups, f"{electrodes.where}/{', '.join(names)}").astype(np.float32)
    return None


def _numbers_if_any(electrodes: Table, name: str) -> Shaped[np.ndarray, " electrodes"] | None:
    return electrodes.numbers(name) if name in electrodes else None


def _in_um(
    places: Float64[np.ndarray, "electrodes 3"], groups: Shaped[np.ndarray, " electrodes"] | None, where: str
) -> Float64[np.ndarray, "electrodes 3"]:
    """Convert positions to micrometres, and warn if their spacing or extent shows that they are in another unit."""
    spacing = _spacing(places, groups)
    width = np.nanmax(np.ptp(places[~np.isnan(places[:, 0])], axis=0), initial=0.0)
    if spacing == 0 or (spacing >= SPACING_UM[0] and width <= WIDEST_UM):
        return places
    for name, micrometres in LENGTHS_UM.items():
        if SPACING_UM[0] <= spacing * micrometres <= SPACING_UM[1] and width * micrometres <= WIDEST_UM:
            warn(
                f"{where}: neighbouring sites are {spacing:g} apart, which cannot be micrometres, so positions are "
                f"read as {name}."
            )
            return places * micrometres
    return places


def _spacing(places: Float64[np.ndarray, "electrodes 3"], groups: Shaped[np.ndarray, " electrodes"] | None) -> float:
    """Return the median distance from an electrode to the nearest other one in its group.

    It is 0 if no group has two positions.
    """
    from scipy.spatial import KDTree

    known = ~np.isnan(places[:, 0])
    names = np.zeros(len(places), np.str_) if groups is None else groups
    nearest = [np.empty(0)]
    for name in np.unique(names[known]):
        own = np.unique(places[known & (names == name)], axis=0)
        if len(own) > 1:
            nearest.append(KDTree(own).query(own, k=2)[0][:, 1])
    found = np.concatenate(nearest)
    return float(np.median(found)) if len(found) else 0.0
