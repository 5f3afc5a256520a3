"""The recordings in an NWB file, and the choice of one of them."""

from collections.abc import Sequence
from dataclasses import replace

from nwb_neurid.activity import TRACE_KINDS
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption
from nwb_neurid.population import Population
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.covariates import covariates
from nwb_neurid.readers.nwb.file import open_file
from nwb_neurid.readers.nwb.imaging import read_imaging
from nwb_neurid.readers.nwb.responses import Responses, roi_responses
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.nwb.units import read_units

SPIKES = "spikes"

ELSEWHERE = ("acquisition", "analysis", "scratch")
"""Places in which some files keep units, although the schema advises against it."""


def read_file(source: object, options: ReadOptions) -> Population:
    """Read the only recording in an NWB file, or the recording that the options select.

    Each units table is a separate recording. All series of ROIs together are one recording, with several planes. If the
    same ROIs have several kinds of activity, dF/F is preferred, then fluorescence, then deconvolved activity.

    Parameters
    ----------
    source
        An NWB file: its path, a URL, or an `NWBFile` of PyNWB.
    options
        `part` is the path of a units table, a series of ROIs, or a container of such series. `activity` is the kind to
        read if there are several. With `covariates`, behaviour and stimulus are read too. The other options are those
        of `read_units` and `read_imaging`.

    Raises
    ------
    SourceNotFound, UnreadableSource, InvalidSource
        As for `read_units` and `read_imaging`.
    InvalidOption
        If the file has several recordings and none is selected, or if the file does not have the selected recording.
    """
    with open_file(source) as file:
        units, series = _units_tables(file, everywhere=bool(options.part)), roi_responses(file)
        meant_units, meant_series = _meant(units, series, options)
        if len(meant_units) + bool(meant_series) > 1:
            raise InvalidOption(_listed(f"{file.file} holds several recordings. Choose one:", units, series))
        if not meant_units and not meant_series and (units or series):
            raise InvalidOption(_listed(f"{file.file} has no {_asked(options)}. It has:", units, series))
        if meant_series:
            if options.rate_hz is not None:
                raise InvalidOption(
                    f"{file.file}: {meant_series[0].path} has its own timestamps, and rate_hz is only for waveforms "
                    "of units. Leave rate_hz out."
                )
            population = read_imaging(file, meant_series, options)
        else:
            population = read_units(file, meant_units[0] if meant_units else file.group("units"), options)
        return replace(population, covariates=covariates(file)) if options.covariates else population


def _units_tables(file: Group, *, everywhere: bool) -> list[Group]:
    """Find units tables with spikes at the place of the schema and in modules, or in `ELSEWHERE` if there are none."""
    units = file.group("units")
    found = [] if units is None else [units]
    for module in file.groups("processing"):
        found += _of_units(module)
    tables = list(filter(_has_spikes, found))
    if tables and not everywhere:
        return tables
    elsewhere = [place for name in ELSEWHERE if (place := file.group(name)) is not None]
    return [*tables, *(group for place in elsewhere for group in _of_units(place) if _has_spikes(group))]


def _of_units(place: Group) -> list[Group]:
    return [item for item in place.groups() if item.attribute("neurodata_type") == "Units"]


def _has_spikes(group: Group) -> bool:
    return group.dataset("spike_times") is not None and group.dataset("id") is not None and len(Table(group)) > 0


def _meant(
    units: Sequence[Group], series: Sequence[Responses], options: ReadOptions
) -> tuple[Sequence[Group], Sequence[Responses]]:
    """Return the units tables and the series of one kind that the options select."""
    if part := options.part.strip("/"):
        units = [group for group in units if f"{group.path}/".startswith(f"/{part}/")]
        series = [one for one in series if f"{one.path}/".startswith(f"{part}/")]
    else:
        series = [one for one in series if one.kind is not None]
    if options.activity == SPIKES:
        series = []
    elif options.activity:
        units, series = [], [one for one in series if one.kind == options.activity]
    kinds = [kind for kind in (*TRACE_KINDS, None) if any(one.kind == kind for one in series)]
    return units, [one for one in series if one.kind == kinds[0]]


def _asked(options: ReadOptions) -> str:
    """Describe in words what the options select."""
    what = options.activity or "recording of neurons"
    return f"{what} at --from {options.part}" if options.part else what


def _listed(head: str, units: Sequence[Group], series: Sequence[Responses]) -> str:
    """List all possible choices, one per line."""
    lines = [f"--from {group.path.strip('/')}: spikes, units: {len(Table(group))}" for group in units]
    lines += [f"--from {one.path}: {one.kind or 'no neurons by its name'}, ROIs: {len(one)}" for one in series]
    return "\n  ".join([head, *lines])
