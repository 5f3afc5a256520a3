"""Spike trains of Neo as a `Population`, with one unit per train.

A unit can have one train in each of several segments. These trains are matched by a property that every train has,
and that differs between the trains of each segment. The first such property in this order is used: the annotation
`unit_id` or `cluster_id` (unless it only numbers the trains of a segment), the name, the annotation `id`, and the
position in the segment, if all segments have the same number of trains. The values of this property are also the unit
ids.

A train is observed from its `t_start` to its `t_stop`. If segments share one clock, their times are not changed. If the
clock restarts, so that segments overlap, they are placed one after another (`nwb_neurid.readers.segments`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float64

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.intervals import EDGE_S
from nwb_neurid.population import Population
from nwb_neurid.readers.columns import UnitColumns
from nwb_neurid.readers.instances import is_of
from nwb_neurid.readers.labels import find_labels
from nwb_neurid.readers.neo import TRAINS
from nwb_neurid.readers.neo.verdicts import drop_twins, find_verdict
from nwb_neurid.readers.segments import Segment, population_of
from nwb_neurid.readers.selection import leave_out_noise

NUMBERS = ("unit_id", "cluster_id")
"""Annotations that identify units. They are tried before the names of trains."""

BOOKKEEPING = frozenset({*NUMBERS, "id", "nix_name"})
NAME = "name"
DEFAULT_RATE_HZ = 1.0
"""The sampling rate that Neo gives a train if none was stated."""


Name = str | int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Train:
    """A spike train, converted to seconds.

    Parameters
    ----------
    times_s
        Spike times, shape (spikes,).
    start_s, stop_s
        Start and end of the observation.
    names
        Values that may identify its unit: the annotations in `NUMBERS`, its name, and the annotation `id`; None where
        missing.
    annotations
        The annotations that are text or numbers.
    verdict
        The reason why it is not a neuron; "" if it may be one.
    resolution_s
        Resolution of the spike times; 0 if it is not stated.
    """

    times_s: Float64[np.ndarray, " spikes"]
    start_s: float
    stop_s: float
    names: tuple[Name | None, ...]
    annotations: dict[str, str | float]
    verdict: str
    resolution_s: float


def read_object(source: Any, options: ReadOptions) -> Population:
    """Read the units of a `Block`, a `Segment`, a `SpikeTrain`, or a list of trains (which counts as one segment).

    Raises
    ------
    UnreadableSource, InvalidSource, InvalidOption
        As for `read_trains`.
    """
    name = str(getattr(source, "name", None) or "")
    kind = f"neo.{type(source).__name__}" if type(source).__module__.startswith("neo.") else "list of neo.SpikeTrain"
    session = name if hasattr(source, "segments") else ""
    return read_trains(load_trains(source), f"{kind} {name}".strip(), options, session_id=session)


def load_trains(source: Any) -> list[list[Any]]:
    """Load the trains of a block, a segment or a list, or a single train, if they were not loaded before."""
    if hasattr(source, "segments"):
        segments = [segment.spiketrains for segment in source.segments]
    elif hasattr(source, "spiketrains"):
        segments = [source.spiketrains]
    else:
        segments = [[source] if is_of(source, "neo", TRAINS) else source]
    return [[train.load() if hasattr(train, "load") else train for train in trains] for trains in segments]


def read_trains(
    segments: Sequence[Sequence[Any]], source: str, options: ReadOptions, session_id: str = ""
) -> Population:
    """Read the units of the trains in each segment. Text annotations become labels.

    Parameters
    ----------
    segments
        `neo.SpikeTrain` objects of each segment.
    source
        Name for messages: the path.
    options
        `where` selects units by their annotations and names. By default, noise and unsorted spikes are left out.
    session_id
        The name of the block.

    Raises
    ------
    UnreadableSource
        If there is no train, or no spike in observed time.
    InvalidSource
        If units cannot be distinguished, or times are not finite.
    InvalidOption
        If `where` matches nothing in the source.

    Warns
    -----
    NeuridWarning
        If spike times had to be sorted, or lie before `t_start` or after `t_stop`, or units are left out.
    """
    told = [[_train(train) for train in drop_twins(trains)] for trains in segments if len(trains)]
    if not told:
        raise UnreadableSource(f"{source} holds no spike trains. Choose a source with sorted units.")
    names = _names(told, source)
    units: dict[Name, int] = {}
    for name in chain.from_iterable(names):
        units.setdefault(name, len(units))
    rows = [[units[name] for name in own] for own in names]
    every = list(chain.from_iterable(told))
    whole = all(isinstance(name, int) for name in units)
    unit_ids = np.array(list(units)) if whole else np.array([str(name) for name in units])
    row_of = list(chain.from_iterable(rows))
    columns = _columns(every, row_of, len(units))
    verdicts = {row: train.verdict for train, row in zip(every, row_of, strict=True) if train.verdict}
    return population_of(
        [_segment(trains, own, len(units)) for trains, own in zip(told, rows, strict=True)],
        source=source,
        unit_ids=unit_ids,
        resolution_s=max(train.resolution_s for train in every),
        labels=find_labels({name: values for name, values in columns.items() if name != NAME}),
        excluded=leave_out_noise(UnitColumns.of(source, unit_ids, columns), verdicts, options),
        session_id=session_id,
    )


def _train(train: Any) -> Train:
    second = float(train.units.rescale("s").magnitude)
    names = [*(train.annotations.get(key) for key in NUMBERS), train.name, train.annotations.get("id")]
    known = {key: _plain_value(value) for key, value in train.annotations.items() if key not in BOOKKEEPING}
    return Train(
        times_s=np.asarray(train.magnitude, np.float64) * second,
        start_s=float(train.t_start.rescale("s").magnitude),
        stop_s=float(train.t_stop.rescale("s").magnitude),
        names=tuple(_name(value) for value in names),
        annotations={key: value for key, value in known.items() if value is not None},
        verdict=find_verdict(train),
        resolution_s=_resolution_s(train),
    )


def _plain_value(value: object) -> str | float | None:
    """Return a text or a number, or None for any other value."""
    if isinstance(value, str):
        return str(value)
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, np.complexfloating)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _name(value: object) -> Name | None:
    if isinstance(value, str):
        return str(value) or None
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None


def _resolution_s(train: Any) -> float:
    """Return the time between two samples, or 0 if no sampling rate is stated."""
    try:
        rate_hz = float(train.sampling_rate.rescale("Hz").magnitude)
    except (AttributeError, ValueError):  # no sampling rate, or its unit is not 1/time
        return 0.0
    return 1 / rate_hz if DEFAULT_RATE_HZ < rate_hz < np.inf else 0.0


def _names(segments: Sequence[Sequence[Train]], source: str) -> list[list[Name]]:
    """Return the name of the unit of each train; see the description of this module.

    Raises
    ------
    InvalidSource
        If units cannot be identified by annotations, names or positions.
    """
    for which in range(len(NUMBERS) + 2):
        named = [[train.names[which] for train in trains] for trains in segments]
        full = [[name for name in own if name is not None] for own in named]
        if all(len(set(own)) == len(trains) for own, trains in zip(full, segments, strict=True)) and not (
            which < len(NUMBERS) and _are_named(segments) and all(own == list(range(len(own))) for own in full)
        ):
            return full
    counts = [len(trains) for trains in segments]
    if len(set(counts)) > 1:
        raise InvalidSource(
            f"{source}: its segments have {min(counts)} to {max(counts)} trains, so it is unclear which trains "
            "belong to the same unit. Give each train of a segment a different name, or an annotation unit_id."
        )
    return [list(range(count)) for count in counts]


def _are_named(segments: Sequence[Sequence[Train]]) -> bool:
    """Return whether each train has a name, and no other train of its segment has the same name."""
    named = [{train.names[len(NUMBERS)] for train in trains} - {None} for trains in segments]
    return all(len(own) == len(trains) for own, trains in zip(named, segments, strict=True))


def _segment(trains: Sequence[Train], rows: Sequence[int], units: int) -> Segment:
    """Make a segment of trains. A spike at the very end of its train lies in observed time."""
    late = {train.stop_s for train in trains if np.any(np.abs(train.times_s - train.stop_s) <= EDGE_S)}
    observed = np.full((units, 2), np.nan)
    for train, row in zip(trains, rows, strict=True):
        observed[row] = train.start_s, train.stop_s + 2 * EDGE_S * (train.stop_s in late)
    return Segment(
        times=np.concatenate([train.times_s for train in trains]),
        rows=np.repeat(np.array(rows), [len(train.times_s) for train in trains]),
        observed_s=observed,
    )


def _columns(trains: Sequence[Train], rows: Sequence[int], units: int) -> dict[str, list[object]]:
    """Return annotations and names of each unit, from its first train that has them. Missing values are "" or NaN."""
    columns: dict[str, list[object]] = {}
    for train, row in zip(trains, rows, strict=True):
        name = train.names[len(NUMBERS)]
        for key, value in {**train.annotations, NAME: "" if name is None else str(name)}.items():
            column = columns.setdefault(key, [None] * units)
            column[row] = column[row] or value
    for column in columns.values():
        is_text = any(isinstance(value, str) for value in column)
        missing = "" if is_text else np.nan
        column[:] = [missing if value is None else str(value) if is_text else value for value in column]
    return columns
