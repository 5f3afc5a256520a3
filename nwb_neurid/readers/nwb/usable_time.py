"""Observed time without invalid time, optogenetic stimulation, and time that the user did not select."""

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, UnreadableSource
from nwb_neurid.intervals import Intervals, find_intervals, intersected, subtracted
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.invalid import read_invalid
from nwb_neurid.readers.nwb.opto import OPTO_MARGIN_S, opto_start, opto_trials
from nwb_neurid.readers.nwb.selection import chosen_intervals
from nwb_neurid.readers.omissions import Omissions

Pieces = Float64[np.ndarray, "pieces 2"]


def find_usable(
    observed_s: Intervals,
    unit_observed: Bool[np.ndarray, "units intervals"] | None,
    file: Group,
    groups: Shaped[np.ndarray, " units"] | None,
    options: ReadOptions,
    omissions: Omissions,
) -> tuple[Pieces, Bool[np.ndarray, "units pieces"] | None]:
    """Find the observed time that can be used, as intervals, and which unit was observed in which interval.

    Parameters
    ----------
    observed_s, unit_observed
        Observed time according to the file.
    file
        The root of the file.
    groups
        Probe or plane of each unit; None if it is not stated.
    options
        Options for reading.
    omissions
        Collects information that cannot be read.

    Raises
    ------
    UnreadableSource
        If no time is left.
    InvalidOption
        If `options.intervals` leaves no time.

    Warns
    -----
    NeuridWarning
        If optogenetic time is left out.
    """
    limits = observed_s[[0, -1], [0, 1]]
    invalid = read_invalid(file, groups, omissions)
    pieces: Pieces = observed_s
    if None in invalid:
        pieces = subtracted(pieces, invalid[None].clip(*limits))
    if not options.keep_opto:
        pieces = _without_opto(pieces, file)
    seen = None if unit_observed is None else unit_observed[:, find_intervals(pieces.mean(axis=1), observed_s)]
    for scope, intervals_s in invalid.items():
        if scope is not None and groups is not None:
            pieces, seen = _hide(pieces, seen, intervals_s.clip(*limits), np.isin(groups, sorted(scope)))
    if len(pieces) == 0:
        raise UnreadableSource(
            f"{file.file} has no observed time left: all of it is declared invalid, or follows optogenetic "
            "stimulation (--keep-opto keeps that)."
        )
    if not options.intervals:
        return pieces, seen
    chosen = intersected(pieces, chosen_intervals(file, options))
    if len(chosen) == 0:
        raise InvalidOption(
            f"--intervals {options.intervals!r}: {file.file} has no observed time in these intervals, or all of it is "
            "declared invalid or follows optogenetic stimulation (--keep-opto keeps that)."
        )
    return chosen, None if seen is None else seen[:, find_intervals(chosen.mean(axis=1), pieces)]


def _hide(
    pieces_s: Pieces,
    seen: Bool[np.ndarray, "units pieces"] | None,
    intervals_s: Intervals,
    units: Bool[np.ndarray, " units"],
) -> tuple[Float64[np.ndarray, "left 2"], Bool[np.ndarray, "units left"] | None]:
    """Split intervals of observed time so that some units are not observed in `intervals_s`.

    Intervals without any unit are removed.
    """
    if not units.any():
        return pieces_s, seen
    inside, outside = intersected(pieces_s, intervals_s), subtracted(pieces_s, intervals_s)
    split = np.concatenate([inside, outside])
    order = np.argsort(split[:, 0], kind="stable")
    hidden = np.repeat([True, False], [len(inside), len(outside)])[order]
    split = split[order]
    whole = np.ones((len(units), len(pieces_s)), bool) if seen is None else seen
    found = whole[:, find_intervals(split.mean(axis=1), pieces_s)] & ~(units[:, None] & hidden)
    kept = found.any(axis=0)
    return split[kept], None if found[:, kept].all() else found[:, kept]


def _without_opto(pieces_s: Pieces, file: Group) -> Float64[np.ndarray, "left 2"]:
    """Return the time before any block of optogenetic stimulation, and outside trials with stimulation."""
    if (block := opto_start(file)) is not None:
        start_s, where = block
        before = intersected(pieces_s, np.array([[-np.inf, start_s - OPTO_MARGIN_S]]))
        if np.diff(before).sum() < np.diff(pieces_s).sum():
            pieces_s = before
            warn(
                f"{file.file}: optogenetic stimulation from {start_s:g} s ({where}). Observed time ends "
                f"{OPTO_MARGIN_S:g} s before it, at {start_s - OPTO_MARGIN_S:g} s; --keep-opto keeps all."
            )
    if (trials := opto_trials(file)) is not None:
        lit_s, where = trials
        dark = subtracted(pieces_s, lit_s)
        if np.diff(dark).sum() < np.diff(pieces_s).sum():
            pieces_s = dark
            warn(
                f"{file.file}: {len(lit_s)} trials with optogenetic stimulation ({where}) are left out of observed "
                "time; --keep-opto keeps them."
            )
    return pieces_s
