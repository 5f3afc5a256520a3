"""The traces of the ROIs of one or several imaging planes as a `Population`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, UnreadableSource
from nwb_neurid.population import Population, Traces
from nwb_neurid.readers.flat import find_flat
from nwb_neurid.readers.grid import Grid
from nwb_neurid.readers.nwb.contents import Group, invalid
from nwb_neurid.readers.nwb.metadata import session_id, subject_id
from nwb_neurid.readers.nwb.responses import Responses
from nwb_neurid.readers.nwb.rois import plane_name, positions_um, read_labels, reject_rois
from nwb_neurid.readers.nwb.series import read_grid
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.nwb.usable_time import find_usable
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.selection import leave_out

MOST_ROWS = 64
"""If a table of ROIs has more rows per trace than this, it is damaged, and its rows would fill the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Planes:
    """Series of traces, and the rows of the population to which the traces belong.

    Parameters
    ----------
    series
        One series for each plane.
    tables
        The PlaneSegmentations of the series, without repetitions. The population has the rows of all tables, one table
        after the other.
    rows
        For each series, the row of the population to which each trace belongs.
    """

    series: Sequence[Responses]
    tables: Sequence[Table]
    rows: Sequence[Int64[np.ndarray, " _"]]

    def __len__(self) -> int:
        return sum(len(table) for table in self.tables)


def read_imaging(file: Group, series: Sequence[Responses], options: ReadOptions) -> Population:
    """Read all rows of the PlaneSegmentations of some series, including rows without a trace.

    Labels are `brain_region` (as stated by the imaging plane), `cell_type`, and every text column under its own name.
    Samples of irregular series are placed on a grid with their median step. Gaps do not count as observed time.

    Parameters
    ----------
    file
        The root of the file.
    series
        The series to read, all of one kind.
    options
        `all_rois` includes ROIs that are not cells. `where`, `intervals` and `keep_opto` work as for units.

    Raises
    ------
    UnreadableSource
        If the series cannot be read, or no ROI or no time is left.
    InvalidSource
        If the content of the series contradicts the NWB schema.
    InvalidOption
        If the series belong to several recordings, or if `where` or `intervals` matches nothing in the source.

    Warns
    -----
    NeuridWarning
        If data are transposed, series differ in length, ids repeat, or optogenetic time is left out.
    """
    planes = _planes(series)
    grid = _common_grid(planes, file)
    omissions, group = Omissions(file.file), _group(planes)
    observed_s, unit_observed = find_usable(grid.observed_s(), None, file, group, options, omissions)
    population = Population(
        unit_ids=np.concatenate([table.ids() for table in planes.tables]),
        activity=Traces(
            values=_values(planes, grid),
            rate_hz=grid.rate_hz,
            start_s=grid.start_s,
            kind=series[0].kind or "fluorescence",
        ),
        observed_s=observed_s,
        unit_observed=unit_observed,
        group=group,
        positions_um=omissions.attempt(lambda: _positions_um(planes), None),
        labels=_labels(planes, omissions),
        subject_id=subject_id(file),
        session_id=session_id(file),
        source=file.file,
        tables=tuple(table.group.path for table in planes.tables),
    )
    excluded = _excluded(planes, population, options, omissions)
    omissions.warn()
    return replace(population, excluded=excluded)


def _planes(series: Sequence[Responses]) -> _Planes:
    """Find the tables of the series, and the rows of the population to which the traces belong.

    Raises
    ------
    InvalidSource
        If a table is damaged.
    """
    tables: dict[str, Table] = {}
    first: dict[str, int] = {}
    rows = []
    for one in series:
        table = one.table()
        path = table.group.path
        if path not in tables:
            first[path] = sum(map(len, tables.values()))
            tables[path] = table
            ids = table.ids()
            if repeated := len(ids) - len(np.unique(ids)):
                warn(f"{table.where}/id repeats {repeated} ids, so ROIs are identified by row index.")
        rows.append(first[path] + one.rows(table))
    planes = _Planes(series, list(tables.values()), rows)
    traces = sum(map(len, rows))
    if len(planes) > MOST_ROWS * max(1, traces):
        raise invalid(planes.tables[0].where, f"has {len(planes)} rows for {traces} traces")
    return planes


def _common_grid(planes: _Planes, file: Group) -> Grid:
    """Find the time grid that all series share, up to the end of the shortest series.

    Raises
    ------
    InvalidOption
        If the series do not share a grid, or contain the same ROIs.
    UnreadableSource
        If a series has no samples.
    """
    grids = []
    for one in planes.series:
        one.data.check_readable()
        if one.samples() == 0 or len(one) == 0:
            raise UnreadableSource(f"{one.data.where} has no samples of any ROI. Choose another series with --from.")
        if one.is_transposed():
            warn(f"{one.data.where} is stored as (ROIs, samples), against the NWB schema, and is read that way.")
        grids.append(read_grid(one.series, one.samples()))
    if not all(grids[0].agrees(other) for other in grids):
        raise _several("are not sampled together, so they are several recordings", planes, grids, file)
    rows = np.concatenate(planes.rows)
    if len(np.unique(rows)) < len(rows):
        raise _several("hold the same ROIs", planes, grids, file)
    shortest = min(len(grid.place) for grid in grids)
    for one, grid in zip(planes.series, grids, strict=True):
        if (more := len(grid.place) - shortest) > 0:
            warn(f"{one.data.where} has {more} samples more than the other planes; the extra samples are left out.")
    return grids[0].first(shortest)


def _several(why: str, planes: _Planes, grids: Sequence[Grid], file: Group) -> InvalidOption:
    listed = [
        f"--from {one.path}: {one.kind}, ROIs: {len(one)}, {grid.rate_hz:g} Hz from {grid.start_s:g} s"
        for one, grid in zip(planes.series, grids, strict=True)
    ]
    return InvalidOption("\n  ".join([f"{file.file}: these series {why}. Choose one:", *listed]))


def _values(planes: _Planes, grid: Grid) -> Float32[np.ndarray, "rows places"]:
    """Return the samples of each row on the grid, with NaN in gaps and in rows without a trace."""
    values = np.full((len(planes), grid.places), np.nan, np.float32)
    for one, rows in zip(planes.series, planes.rows, strict=True):
        for rois, samples, block in one.blocks():
            place = grid.place[samples]
            if len(place) == 0:
                continue
            whole = place[-1] - place[0] == len(place) - 1
            at = slice(place[0], place[-1] + 1) if whole else place
            for row, trace in zip(rows[rois], block, strict=True):
                values[row, at] = trace[: len(place)]
    return values


def _group(planes: _Planes) -> Shaped[np.ndarray, " rows"]:
    """Return the name of the plane of each row.

    If planes share a name, the name of the table or of the series is used instead.
    """
    group = np.concatenate([np.full(len(table), plane_name(table), object) for table in planes.tables])
    table_of = [one.table() for one in planes.series]
    for names in (
        [plane_name(table) for table in table_of],
        [table.group.path.rpartition("/")[2] for table in table_of],
        [one.path.rpartition("/")[2] for one in planes.series],
        [one.path for one in planes.series],
    ):
        if len(set(names)) == len(names):
            break
    for name, rows in zip(names, planes.rows, strict=True):
        group[rows] = name
    return group.astype(np.str_)


def _positions_um(planes: _Planes) -> Float32[np.ndarray, "rows 3"] | None:
    """Return the positions of all rows, with NaN in planes that do not state them.

    Return None if no plane states them.
    """
    told = [positions_um(table) for table in planes.tables]
    if all(own is None for own in told):
        return None
    unknown = [np.full((len(table), 3), np.nan, np.float32) for table in planes.tables]
    return np.concatenate([none if own is None else own for own, none in zip(told, unknown, strict=True)])


def _labels(planes: _Planes, omissions: Omissions) -> dict[str, Shaped[np.ndarray, " rows"]]:
    """Return the labels of all rows. A label is "" in tables that do not have it."""
    told = [read_labels(table, omissions) for table in planes.tables]
    return {
        name: np.concatenate(
            [own.get(name, np.full(len(table), "")) for own, table in zip(told, planes.tables, strict=True)]
        )
        for name in dict.fromkeys(name for own in told for name in own)
    }


def _excluded(planes: _Planes, population: Population, options: ReadOptions, omissions: Omissions) -> dict[int, str]:
    """Find the rows that are not embedded, and the reasons.

    Raises
    ------
    UnreadableSource
        If no row can be embedded.
    """
    first = np.cumsum([0, *map(len, planes.tables)]).tolist()
    excluded = find_flat(population)
    traced = np.concatenate(planes.rows)
    if not options.all_rois and not options.where:
        verdicts: dict[int, str] = {}
        for start, table in zip(first, planes.tables, strict=False):
            own = traced[(traced >= start) & (traced < start + len(table))] - start
            verdicts |= {start + row: why for row, why in reject_rois(table, own, omissions).items()}
        if verdicts.keys() >= set(traced.tolist()):
            why = " and ".join(sorted({why.partition(" marks it")[0] for why in verdicts.values()}))
            warn(f"{population.source}: {why} rejects every ROI, so it is ignored and all ROIs are kept.")
        else:
            excluded |= verdicts
    excluded |= leave_out(planes.tables, options)
    missing = np.setdiff1d(np.arange(len(planes)), traced)
    excluded |= dict.fromkeys(missing.tolist(), "no trace")
    if len(excluded) == len(planes):
        reasons = ", ".join(f"{count} ({why})" for why, count in Counter(excluded.values()).most_common())
        raise UnreadableSource(f"{population.source} has no ROI to embed; it leaves out {reasons}.")
    return dict(sorted(excluded.items()))
