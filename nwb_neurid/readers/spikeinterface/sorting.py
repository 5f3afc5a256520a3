"""The common form of all sortings: units, a sampling rate, and spikes as numbers of samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeGuard

import numpy as np
from jaxtyping import Float32, Int64, Integer, Shaped

from nwb_neurid._system.text import show_value
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, InvalidSource
from nwb_neurid.population import Population
from nwb_neurid.readers.columns import UnitColumns
from nwb_neurid.readers.labels import find_labels
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.segments import Segment, population_of
from nwb_neurid.readers.selection import find_verdicts, leave_out_noise

SLOWEST_HZ, FASTEST_HZ = 1.0, 1e9
MOST_SAMPLES = 2**62


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sorting:
    """The units of a source with their properties, but without their spikes.

    Parameters
    ----------
    source
        Name for messages: the path.
    unit_ids
        Ids of the units, shape (units,).
    rate_hz
        Sampling rate.
    properties
        Properties by name, each with one value per unit.
    group
        Probe or shank of each unit; None if it is not stated.
    locations_um
        Locations of the units, shape (units, 2) or (units, 3); None if they were not computed.
    templates_uv
        Average waveforms, shape (units, samples, channels), in microvolts; None if they were not computed.
    """

    source: str
    unit_ids: Shaped[np.ndarray, " units"]
    rate_hz: float
    properties: Mapping[str, Sequence[object]] = field(default_factory=dict)
    group: Sequence[object] | None = None
    locations_um: Shaped[np.ndarray, "..."] | None = None
    templates_uv: Shaped[np.ndarray, "..."] | None = None

    def population(
        self, segments: Sequence[Segment], options: ReadOptions, omissions: Omissions | None = None
    ) -> Population:
        """Make a population of these units with their spikes.

        Text properties become labels. Properties that do not have one value per unit, and locations and templates of a
        wrong shape, are left out.

        Parameters
        ----------
        segments
            The segments with the spikes.
        options
            `where` selects units by their properties. By default, units that the source labels as noise are left out.
        omissions
            Information that was left out before.

        Raises
        ------
        UnreadableSource, InvalidSource
            As for `nwb_neurid.readers.segments.population_of`.
        InvalidOption
            If `where` matches nothing in the source.

        Warns
        -----
        NeuridWarning
            If units or properties are left out.
        """
        omissions = omissions or Omissions(self.source)
        properties = {
            name: values for name, values in self.properties.items() if self._is_whole(name, values, omissions)
        }
        group = self.group if self.group is None or self._is_whole("group", self.group, omissions) else None
        positions = omissions.attempt(self._positions_um, None)
        waveforms = omissions.attempt(self._waveforms_uv, None)
        omissions.warn()
        columns = UnitColumns.of(self.source, self.unit_ids, properties)
        return population_of(
            segments,
            source=self.source,
            unit_ids=self.unit_ids,
            resolution_s=1 / self.rate_hz,
            group=None if group is None else np.array([str(value) for value in group], np.str_),
            positions_um=positions,
            waveforms_uv=waveforms,
            waveform_rate_hz=None if waveforms is None else self.rate_hz,
            labels=find_labels(properties),
            excluded=leave_out_noise(columns, find_verdicts(columns), options),
        )

    def _is_whole(self, name: str, values: Sequence[object], omissions: Omissions) -> bool:
        """Return whether there is one value for each unit."""
        if len(values) == len(self.unit_ids):
            return True
        omissions.note(
            f"{self.source}: property {name!r} must have one value for each of {len(self.unit_ids)} units, it has "
            f"{len(values)}."
        )
        return False

    def _positions_um(self) -> Float32[np.ndarray, "units 3"] | None:
        """Return locations along three axes. The third is 0 if only two are stated. A unit without location has NaN."""
        places = self.locations_um
        if places is None:
            return None
        if (
            places.ndim != 2
            or len(places) != len(self.unit_ids)
            or places.shape[1] < 2
            or places.dtype.kind not in "iuf"
        ):
            raise InvalidSource(
                f"{self.source}: unit_locations must be numbers of shape ({len(self.unit_ids)}, 2) or "
                f"({len(self.unit_ids)}, 3), they are {places.dtype} of shape {places.shape}. Compute them again."
            )
        positions = np.zeros((len(places), 3), np.float32)
        with np.errstate(over="ignore"):
            positions[:, : min(places.shape[1], 3)] = places[:, :3]
        positions[~np.isfinite(positions).all(axis=1)] = np.nan
        return positions

    def _waveforms_uv(self) -> Float32[np.ndarray, "units samples"] | None:
        """Return the waveform of each unit on its peak channel, with NaN for a unit without a waveform."""
        templates = self.templates_uv
        if templates is None:
            return None
        if (
            templates.ndim != 3
            or len(templates) != len(self.unit_ids)
            or 0 in templates.shape
            or templates.dtype.kind not in "iuf"
        ):
            raise InvalidSource(
                f"{self.source}: templates must be numbers of shape ({len(self.unit_ids)}, samples, channels), they "
                f"are {templates.dtype} of shape {templates.shape}. Compute them again."
            )
        waveforms = np.full(templates.shape[:2], np.nan, np.float32)
        for unit, template in enumerate(templates):
            with np.errstate(invalid="ignore", over="ignore"):
                own = np.asarray(template, np.float32)
                size = np.nan_to_num(np.ptp(own, axis=0), posinf=0.0)
            if size.any():
                waveforms[unit] = own[:, size.argmax()]
        return waveforms


def is_rate(value: object) -> TypeGuard[float]:
    """Return whether this is a possible sampling rate of a recording."""
    return isinstance(value, int | float) and not isinstance(value, bool) and SLOWEST_HZ <= value <= FASTEST_HZ


def check_rate_hz(source: str, stated: object, options: ReadOptions) -> float:
    """Return the sampling rate that the source states, or otherwise that of the option. The two must not differ.

    Raises
    ------
    InvalidSource
        If neither the source nor the option states a rate.
    InvalidOption
        If the option differs from the rate in the source, or is not a valid rate.

    Warns
    -----
    NeuridWarning
        If the rate in the source is not valid, so that the option is used.
    """
    asked, range_hz = options.rate_hz, f"a number from {SLOWEST_HZ:g} to {FASTEST_HZ:g} Hz"
    if asked is not None and not is_rate(asked):
        raise InvalidOption(f"rate_hz must be {range_hz}, got {show_value(asked)}.")
    if not is_rate(stated):
        found = f"{source} must state its sampling rate, {range_hz}, it states {show_value(stated)}."
        if asked is None:
            raise InvalidSource(f"{found} Correct it, or give rate_hz (--rate-hz).")
        warn(f"{found} rate_hz is used instead: {asked:g} Hz.")
        return float(asked)
    if asked is not None and asked != stated:
        raise InvalidOption(
            f"{source} states a sampling rate of {stated:g} Hz, but rate_hz is {asked:g}. Leave rate_hz out."
        )
    return float(stated)


def segment_of(
    samples: Integer[np.ndarray, " spikes"],
    rows: Integer[np.ndarray, " spikes"],
    rate_hz: float,
    lasted_samples: int | None,
) -> Segment:
    """Make a segment whose times are counted in samples from 0.

    `lasted_samples` is None if the duration of the segment is unknown.
    """
    observed = None if lasted_samples is None else np.array([[0.0, lasted_samples / rate_hz]])
    return Segment(times=samples, rows=rows, observed_s=observed, to_s=lambda at: at / rate_hz)


def segments_of(
    sorting: Sorting,
    samples: Integer[np.ndarray, " spikes"],
    rows: Integer[np.ndarray, " rows"],
    splits: Int64[np.ndarray, " segments_and_one"],
    lasted_samples: Sequence[int] | None,
) -> list[Segment]:
    """Split spikes that are stored one segment after another, up to `splits[-1]`, into segments.

    Raises
    ------
    InvalidSource
        If the splits do not cover the spikes, or a spike is of a unit that does not exist.
    """
    many = len(splits) - 1 if lasted_samples is None else len(lasted_samples)
    if splits[0] != 0 or splits[-1] != len(samples) or np.any(np.diff(splits) < 0) or many != len(splits) - 1:
        raise InvalidSource(
            f"{sorting.source}: its {len(samples)} spikes must be ordered by segment, but do not fit {many} "
            "segments. Save it again."
        )
    if len(rows) != len(samples) or not 0 <= rows.min(initial=0) <= rows.max(initial=0) < max(len(sorting.unit_ids), 1):
        raise InvalidSource(
            f"{sorting.source}: unit_index must be the row of one of {len(sorting.unit_ids)} units for each of "
            f"{len(samples)} spikes. Save it again."
        )
    lasted: Sequence[int | None] = lasted_samples or [None] * many
    return [
        segment_of(samples[start:stop], rows[start:stop], sorting.rate_hz, own)
        for (start, stop), own in zip(pairwise(splits.tolist()), lasted, strict=True)
    ]


def lasted_samples_of(numbers: object, where: str) -> list[int]:
    """Return the number of samples of each segment.

    Raises
    ------
    InvalidSource
        If the numbers of samples are not whole numbers.
    """
    if isinstance(numbers, list) and numbers and all(type(of) is int and 0 <= of < MOST_SAMPLES for of in numbers):
        return numbers
    raise InvalidSource(f"{where} must be whole numbers of samples, one for each segment, they are {numbers!r:.60}.")


def unit_ids_of(ids: object, where: str) -> Shaped[np.ndarray, " units"]:
    """Convert the ids of units (names or numbers) from a list or an array.

    Raises
    ------
    InvalidSource
        If the ids are neither names nor numbers.
    """
    if isinstance(ids, list) and {type(id_) for id_ in ids} in ({str}, {int}, set()):
        ids = np.array(ids) if ids else np.empty(0, np.int64)
    if not isinstance(ids, np.ndarray) or ids.ndim != 1 or ids.dtype.kind not in "iuU":
        raise InvalidSource(f"{where} must be names or whole numbers, one for each unit. Save it again.")
    return ids
