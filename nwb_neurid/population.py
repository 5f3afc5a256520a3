"""`Population`, which readers return and encoders accept."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped, UInt8

from nwb_neurid._system.warning import warn
from nwb_neurid.activity import ACTIVITIES as ACTIVITIES
from nwb_neurid.activity import Spikes as Spikes
from nwb_neurid.activity import Traces as Traces
from nwb_neurid.activity import frozen_view
from nwb_neurid.covariates import Series as Series
from nwb_neurid.errors import CountOverflow, InvalidPopulation
from nwb_neurid.intervals import EDGE_S, Intervals, find_intervals, intersected, merged, rows_of
from nwb_neurid.vocabulary import UNKNOWN as UNKNOWN

MANY_SPIKES, MOST = 100, 0.9
"""If there are at least `MANY_SPIKES` spikes, a share of `MOST` outside observed time is probably a mistake."""

_PIECE_BINS = 2**16  # counted at once: these counts stay in the cache of a core

SAMPLING_S = 2.5e-4  # what is finer may be the sampling of the voltage

FIRST_SURROGATE, LAST_SURROGATE, LAST_CHARACTER = 0xD800, 0xDFFF, 0x10FFFF


_PER_UNIT = ("unit_observed", "group", "positions_um", "waveforms_uv")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Population:
    """Units that were recorded together in one session. Selecting time or units returns a new `Population`.

    A population contains only activity within observed time. Spikes outside observed time are dropped when the
    population is made.

    Parameters
    ----------
    unit_ids
        Ids of the units in the source, shape (units,). Ids may repeat, so identify units by row index.
    activity
        `Spikes` or `Traces`, one row per unit.
    observed_s
        Observed time: half-open intervals in seconds of the session clock, shape (intervals, 2), ascending and
        disjoint. Intervals may touch, because a new interval begins wherever the set of observed units changes.
    unit_observed
        Whether each unit was observed in each interval, shape (units, intervals); None if all units were observed in
        all intervals.
    group
        Probe, shank or imaging plane of each unit, shape (units,).
    positions_um
        Positions in micrometres, shape (units, 3); NaN where unknown.
    waveforms_uv
        Mean waveform of each unit on its peak channel, in its original polarity, shape (units, samples); NaN where
        unknown. The values are in microvolts. If the source does not state their scale, the
        values are used as they are in the source. Computations must therefore not depend on the scale of the values.
    waveform_rate_hz
        Sampling rate of the waveforms, in Hz; None if there are no waveforms.
    covariates
        Behaviour and stimulus by name. The whole series is kept, including its values outside observed time.
    labels
        Known labels by name. Each value is an array of text of shape (units,), with "" where the label is unknown.
        Readers provide cell types and regions under the names "cell_type" and "brain_region", and also under their
        names in the source.
    excluded
        Rows of units that are not embedded, with the reasons. These units keep their rows in every result, without a
        vector.
    subject_id, session_id, source
        Subject and session as stated by the source, and the path of the source.
    tables
        The tables whose rows are the units, as paths within the source. The units are ordered by table: first all rows
        of the first table, then all rows of the next table. Empty if there are no tables.
    masks_px
        Pixels of each ROI: one array of shape (pixels, 3) per unit, with the columns x, y and weight. The array is
        empty for a unit without a mask. None if masks are not known.
    notes
        Sentences about how the activity was computed or converted. The notes are copied into the provenance of every
        result.

    Raises
    ------
    InvalidPopulation
        If the parts contradict one another.

    Examples
    --------
    >>> trains_s = [np.array([0.5, 1.0, 7.5]), np.array([2.0, 3.0])]
    >>> observed_s = np.array([[0.0, 4.0], [6.0, 8.0]])
    >>> population = Population(unit_ids=np.array([7, 9]), activity=Spikes.of(trains_s), observed_s=observed_s)
    >>> population
    Population(2 units, spikes, 6 s in 2 runs)
    >>> population.slice(0.0, 2.0).binned(1.0)
    array([[1, 1],
           [0, 0]], dtype=uint8)
    """

    unit_ids: Shaped[np.ndarray, " units"]
    activity: Spikes | Traces
    observed_s: Float64[np.ndarray, "intervals 2"]
    unit_observed: Bool[np.ndarray, "units intervals"] | None = None
    group: Shaped[np.ndarray, " units"] | None = None
    positions_um: Float32[np.ndarray, "units 3"] | None = None
    waveforms_uv: Float32[np.ndarray, "units samples"] | None = None
    waveform_rate_hz: float | None = None
    covariates: Mapping[str, Series] = field(default_factory=dict)
    labels: Mapping[str, Shaped[np.ndarray, " units"]] = field(default_factory=dict)
    excluded: Mapping[int, str] = field(default_factory=dict)
    subject_id: str = ""
    session_id: str = ""
    source: str = ""
    tables: tuple[str, ...] = ()
    masks_px: tuple[Float32[np.ndarray, "_ 3"], ...] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_lengths()
        start, stop = self.observed_s[:, 0], self.observed_s[:, 1]
        if not np.isfinite(self.observed_s).all() or np.any(stop <= start + EDGE_S) or np.any(start[1:] < stop[:-1]):
            raise InvalidPopulation(
                "observed_s must be finite intervals [start, stop), longer than 1 µs, ascending and disjoint."
            )
        for row, why in self.excluded.items():
            if not 0 <= row < len(self):
                raise InvalidPopulation(f"excluded refers to row {row}, but there are {len(self)} units.")
            if not why:
                raise InvalidPopulation(f"excluded must give a reason for row {row}.")
        for name in ("unit_ids", "observed_s", *_PER_UNIT):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen_view(array))
        for name, series in self.covariates.items():
            if not isinstance(series, Series):
                raise InvalidPopulation(f"covariates[{name!r}] must be a Series, got {type(series).__name__}.")
        object.__setattr__(self, "covariates", dict(self.covariates))
        if self.masks_px is not None:
            object.__setattr__(self, "masks_px", tuple(map(frozen_view, self.masks_px)))
        labels = {name: frozen_view(values) for name, values in self.labels.items()}
        object.__setattr__(self, "labels", labels)
        activity = self.activity.within(self.observed_s, self.unit_observed)
        _warn_of_most(self.activity, activity)
        object.__setattr__(self, "activity", activity)

    def _check_lengths(self) -> None:
        parts = {
            "activity": self.activity,
            **{name: getattr(self, name) for name in _PER_UNIT},
            "masks_px": self.masks_px,
            **{f"labels[{name!r}]": values for name, values in self.labels.items()},
        }
        for name, part in parts.items():
            if part is not None and len(part) != len(self):
                raise InvalidPopulation(f"{name} must have one row for each of {len(self)} units, got {len(part)}.")
        if self.observed_s.ndim != 2 or self.observed_s.shape[1] != 2:
            raise InvalidPopulation(f"observed_s must have shape (intervals, 2), got {self.observed_s.shape}.")
        if self.unit_observed is not None and self.unit_observed.shape[1:] != self.observed_s.shape[:1]:
            raise InvalidPopulation(
                f"unit_observed must have one column for each of {len(self.observed_s)} intervals of "
                f"observed_s, got shape {self.unit_observed.shape}."
            )
        if self.positions_um is not None and self.positions_um.shape[1:] != (3,):
            raise InvalidPopulation(f"positions_um must have shape (units, 3), got {self.positions_um.shape}.")
        if any(mask.shape[1:] != (3,) for mask in self.masks_px or ()):
            raise InvalidPopulation("masks_px must have shape (pixels, 3) for each unit: x, y and weight.")
        self._check_waveforms()
        _check_text("unit_ids", self.unit_ids)
        for name, values in self.labels.items():
            _check_text(f"labels[{name!r}]", values)

    def _check_waveforms(self) -> None:
        waveforms, rate_hz = self.waveforms_uv, self.waveform_rate_hz
        if (waveforms is None) != (rate_hz is None):
            raise InvalidPopulation("waveforms_uv and waveform_rate_hz belong together: give both, or neither.")
        if waveforms is not None and waveforms.ndim != 2:
            raise InvalidPopulation(f"waveforms_uv must have shape (units, samples), got {waveforms.shape}.")
        if rate_hz is not None and not 0 < rate_hz < np.inf:
            raise InvalidPopulation(f"waveform_rate_hz must be positive and finite, got {rate_hz}.")

    def __len__(self) -> int:
        return len(self.unit_ids)

    def __repr__(self) -> str:
        kind = self.activity.kind
        return f"Population({len(self)} units, {kind}, {self.duration_s:g} s in {len(self.runs_s())} runs)"

    @property
    def spikes(self) -> Spikes:
        """The activity, if it consists of spikes.

        Raises
        ------
        InvalidPopulation
            If the activity consists of traces.
        """
        if not isinstance(self.activity, Spikes):
            raise InvalidPopulation(f"This needs spikes, the population has traces ({self.activity.kind}).")
        return self.activity

    @property
    def traces(self) -> Traces:
        """The activity, if it consists of traces.

        Raises
        ------
        InvalidPopulation
            If the activity consists of spikes.
        """
        if not isinstance(self.activity, Traces):
            raise InvalidPopulation("This needs traces, the population has spikes.")
        return self.activity

    @property
    def duration_s(self) -> float:
        """Total observed time, in seconds."""
        return float(np.diff(self.observed_s).sum())

    def unit_duration_s(self) -> Float64[np.ndarray, " units"]:
        """Compute how long each unit was observed.

        Returns
        -------
        array
            Observed time of each unit in seconds, shape (units,).
        """
        lengths = np.diff(self.observed_s)[:, 0]
        if self.unit_observed is None:
            return np.full(len(self), lengths.sum())
        return np.asarray(self.unit_observed @ lengths)

    def runs_s(self, unit: int | None = None) -> Float64[np.ndarray, "runs 2"]:
        """Join observed intervals that touch.

        Parameters
        ----------
        unit
            Row of a unit; None for the time in which any unit was observed.

        Returns
        -------
        array
            Unbroken runs of observed time, ascending, shape (runs, 2), in seconds of the session clock.
        """
        if unit is None or self.unit_observed is None:
            return merged(self.observed_s)
        return merged(self.observed_s[self.unit_observed[unit]])

    def select(self, units: Int64[np.ndarray, " rows"] | Bool[np.ndarray, " units"]) -> "Population":
        """Select units.

        Parameters
        ----------
        units
            Rows, in the desired order, or a mask of shape (units,).

        Returns
        -------
        Population
            The population of these units.
        """
        rows = np.arange(len(self))[units]
        if np.array_equal(rows, np.arange(len(self))):
            return self
        return replace(
            self,
            tables=(),
            unit_ids=self.unit_ids[rows],
            activity=self.activity.select(rows),
            **{name: part[rows] for name in _PER_UNIT if (part := getattr(self, name)) is not None},
            labels={name: values[rows] for name, values in self.labels.items()},
            masks_px=None if self.masks_px is None else tuple(self.masks_px[row] for row in rows.tolist()),
            excluded={index: self.excluded[row] for index, row in enumerate(rows.tolist()) if row in self.excluded},
        )

    def restrict(self, intervals_s: Intervals) -> "Population":
        """Restrict observed time.

        Parameters
        ----------
        intervals_s
            Intervals in seconds of the session clock, shape (intervals, 2).

        Returns
        -------
        Population
            The same units, with observed time restricted to these intervals.
        """
        observed = intersected(self.observed_s, intervals_s)
        rows = rows_of(observed, self.observed_s)
        seen = None if self.unit_observed is None else self.unit_observed[:, rows]
        return replace(self, activity=self.activity.within(observed, seen), observed_s=observed, unit_observed=seen)

    def slice(self, start_s: float, stop_s: float) -> "Population":
        """Restrict observed time to one interval.

        Parameters
        ----------
        start_s, stop_s
            Start and stop in seconds of the session clock. The stop is not included.

        Returns
        -------
        Population
            The same units in this interval.
        """
        return self.restrict(np.array([[start_s, stop_s]]))

    def intervals_s(self, unit: int) -> Float64[np.ndarray, " intervals"]:
        """Compute inter-spike intervals. Intervals across a gap in the observation of the unit are left out.

        Parameters
        ----------
        unit
            Row of the unit.

        Returns
        -------
        array
            Intervals in the order of the spikes, shape (intervals,), in seconds.

        Raises
        ------
        InvalidPopulation
            If the activity is not spikes.
        """
        train = self.spikes.train_s(unit)
        run = find_intervals(train, self.runs_s(unit))
        steps: Float64[np.ndarray, " steps"] = np.diff(train)
        return steps[run[1:] == run[:-1]]

    def binned(self, bin_s: float) -> UInt8[np.ndarray, "units bins"]:
        """Count spikes in bins. Each run of observed time is divided into whole bins, and the remainder is left out.

        A spike up to 1 µs before the edge of a bin counts in the next bin, so that rounding errors have no effect.

        Parameters
        ----------
        bin_s
            Length of a bin in seconds.

        Returns
        -------
        array
            Counts, shape (units, bins), uint8. `bin_starts_s` returns the times at which the bins start.

        Raises
        ------
        InvalidPopulation
            If the activity is not spikes, or `bin_s` is not positive.
        CountOverflow
            If a unit fires more than 255 spikes in a bin.
        """
        runs = self.runs_s()
        bins = _whole_bins(runs, bin_s)
        first = np.cumsum(bins) - bins
        counts = np.zeros((len(self), int(bins.sum())), np.uint8)
        pieces = range(0, max(counts.shape[1], 1), _PIECE_BINS)
        for unit in range(len(self)):
            train = self.spikes.train_s(unit)
            run = find_intervals(train, runs)
            index = ((train - (runs[run, 0] - EDGE_S)) / bin_s).astype(np.int64)
            column = (index + first[run])[index < bins[run]]
            for piece, spikes in zip(pieces, np.split(column, np.searchsorted(column, pieces[1:])), strict=True):
                row = np.bincount(spikes - piece, minlength=min(_PIECE_BINS, counts.shape[1] - piece))
                if row.max(initial=0) > 255:
                    raise CountOverflow(
                        f"Unit {self.unit_ids[unit]} (row {unit}) fires {row.max()} spikes in one bin of {bin_s:g} s, "
                        "at most 255 can be counted. Are the spike times in seconds?"
                    )
                counts[unit, piece : piece + len(row)] = row
        return counts

    def bin_starts_s(self, bin_s: float) -> Float64[np.ndarray, " bins"]:
        """Compute the time at which each column of `binned` starts.

        Parameters
        ----------
        bin_s
            Length of a bin in seconds.

        Returns
        -------
        array
            Start of each bin in seconds of the session clock, shape (bins,).

        Raises
        ------
        InvalidPopulation
            If `bin_s` is not positive.
        """
        runs = self.runs_s()
        bins = _whole_bins(runs, bin_s)
        within = np.arange(bins.sum()) - np.repeat(np.cumsum(bins) - bins, bins)
        return np.repeat(runs[:, 0], bins) + within * bin_s

    def resolution_s(self) -> float:
        """Estimate the resolution of the spike times or samples.

        Returns
        -------
        float
            Resolution in seconds. For traces, it is the time between two samples. For spikes, it is the coarser of two
            values: the resolution that the source states, and the step of the time grid on which the spikes lie. Spikes
            lie on a time grid if most inter-spike intervals are multiples of the same step. Only steps above 0.25 ms
            are looked for, because voltage is sampled at shorter intervals.
        """
        stated = self.activity.resolution_s
        if isinstance(self.activity, Traces) or len(self) == 0:
            return stated
        intervals = np.concatenate([self.intervals_s(unit)[:1000] for unit in range(len(self))])
        return max(stated, _grid_s(intervals))


def _check_text(name: str, values: Shaped[np.ndarray, " units"]) -> None:
    """Refuse text that no file can store: surrogates, and code points that are not characters."""
    if values.dtype.kind != "U" or values.nbytes == 0:
        return
    codes = np.ascontiguousarray(values, values.dtype.newbyteorder("=")).view(np.uint32)
    wrong = codes[((codes >= FIRST_SURROGATE) & (codes <= LAST_SURROGATE)) | (codes > LAST_CHARACTER)]
    if len(wrong):
        raise InvalidPopulation(f"{name} must be valid Unicode text, {wrong[0]:#x} is not a valid character.")


def _warn_of_most(given: Spikes | Traces, kept: Spikes | Traces) -> None:
    """Warn if nearly all spikes lie outside observed time, for example because times are not in seconds."""
    if not isinstance(given, Spikes) or not isinstance(kept, Spikes):
        return
    total, lost = len(given.times_s), len(given.times_s) - len(kept.times_s)
    if total >= MANY_SPIKES and lost > MOST * total:
        warn(f"{lost} of {total} spikes lie outside observed_s and are left out. Are both in seconds?")


def _whole_bins(runs_s: Float64[np.ndarray, "runs 2"], bin_s: float) -> Int64[np.ndarray, " runs"]:
    if not bin_s > 0:
        raise InvalidPopulation(f"bin_s must be positive, got {bin_s}.")
    return np.floor((np.diff(runs_s)[:, 0] + EDGE_S) / bin_s).astype(np.int64)


def _grid_s(intervals_s: Float64[np.ndarray, " intervals"]) -> float:
    """Find the step of which three in five intervals are multiples (to 2 µs); 0 if there is no such step.

    If neurons fire fast, this step is the most common interval or a small part of it. If neurons fire slowly, it is
    the most common difference between one interval and the next longer interval.
    """
    positive = np.sort(intervals_s[intervals_s > EDGE_S])
    if len(positive) < 100:
        return 0.0
    for step in np.r_[_most_common_s(positive) / np.arange(1, 6), _most_common_s(np.diff(positive))]:
        if step > SAMPLING_S:
            off = np.abs(positive - np.round(positive / step) * step)
            if np.mean(off < 2 * EDGE_S) > 0.6:
                return float(step)
    return 0.0


def _most_common_s(lengths_s: Float64[np.ndarray, " lengths"]) -> float:
    """Return the most common length: the mean of lengths that agree to 1 µs. 0 if all may come from sampling."""
    lengths = lengths_s[lengths_s > SAMPLING_S]
    if len(lengths) == 0:
        return 0.0
    _, group, counts = np.unique(np.round(lengths, 6), return_inverse=True, return_counts=True)
    return float(lengths[group == np.argmax(counts)].mean())
