"""Spike trains and traces of pynapple objects. pynapple itself is not imported."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from nwb_neurid.activity import Traces
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption
from nwb_neurid.intervals import EDGE_S, intersected
from nwb_neurid.population import Population
from nwb_neurid.readers.grid import fit_grid
from nwb_neurid.readers.memory.arrays import check_kind, make_imaging, make_population, name_units, to_float32

DERIVED = frozenset({"rate"})
"""Metadata that pynapple computes itself. They are not read."""


def read_object(source: Any, options: ReadOptions) -> Population:
    """Read the units of a `TsGroup` or `Ts`, or the traces of a `TsdFrame` or `Tsd`.

    The time support is the observed time. Text metadata become labels, and `where` selects units by metadata.

    Parameters
    ----------
    source
        The object.
    options
        `activity` is the kind of the traces; dF/F by default.

    Raises
    ------
    UnreadableSource, InvalidSource, InvalidOption
        As for `nwb_neurid.readers.memory.arrays.read_arrays`.
    """
    kind = type(source).__name__
    if options.rate_hz is not None:
        raise InvalidOption(f"A pynapple {kind} has times in seconds: leave out rate_hz.")
    support_s = np.asarray(source.time_support.values, np.float64).reshape(-1, 2)
    support_s = support_s + np.array([0.0, 2 * EDGE_S])  # the ends belong to the support
    if hasattr(source, "values") and not hasattr(source, "keys"):
        return _read_frame(source, kind, support_s, options)
    keys = list(source.keys()) if hasattr(source, "keys") else [0]
    trains = [source] if not hasattr(source, "keys") else [source[key] for key in keys]
    population = make_population(
        [np.asarray(train.t, np.float64) for train in trains],
        name_units(keys),
        f"pynapple {kind} of {len(keys)} units",
        ReadOptions(start_s=float(support_s[0, 0]), stop_s=float(support_s[-1, 1]), where=options.where),
        columns=_metadata(source, len(keys)),
    )
    return population.restrict(support_s)


def _read_frame(
    source: Any, kind: str, support_s: Float64[np.ndarray, "intervals 2"], options: ReadOptions
) -> Population:
    values = np.asarray(source.values)
    values = values.reshape(len(values), -1).T
    keys = list(source.columns) if hasattr(source, "columns") else list(range(len(values)))
    name = f"pynapple {kind} of {len(values)} traces"
    grid = fit_grid(np.asarray(source.t, np.float64), f"Times of the {name}")
    placed = np.full((len(values), grid.places), np.nan, np.float32)
    placed[:, grid.place] = to_float32(values)
    traces = Traces(values=placed, rate_hz=grid.rate_hz, start_s=grid.start_s, kind=check_kind(options))
    lasting_s = support_s + np.array([0.0, 1 / grid.rate_hz])  # a sample lasts until the next
    observed_s = intersected(grid.observed_s(), lasting_s)
    return make_imaging(traces, name_units(keys), observed_s, name, options, columns=_metadata(source, len(values)))


def _metadata(source: Any, units: int) -> dict[str, Sequence[object]]:
    """Return the metadata by column, with one value per unit."""
    names = [name for name in getattr(source, "metadata_columns", ()) if name not in DERIVED]
    columns: dict[str, Sequence[object]] = {}
    for name in names:
        values: Shaped[np.ndarray, ...] = np.asarray(source.get_info(name))
        if values.shape == (units,):
            columns[str(name)] = values.tolist()
    return columns
