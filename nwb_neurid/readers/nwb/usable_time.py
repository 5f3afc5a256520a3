"""Observed time without what is invalid, stimulated by light, or not asked for."""

import numpy as np
from jaxtyping import Bool, Float64

from nwb_neurid.contracts import ReadOptions
from nwb_neurid.errors import InvalidOption, UnreadableSource
from nwb_neurid.intervals import Intervals, intersected, located, subtracted
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.observed import invalid_times
from nwb_neurid.readers.nwb.opto import OPTO_MARGIN_S, opto_start, opto_trials
from nwb_neurid.readers.nwb.selection import chosen_intervals
from nwb_neurid.readers.warning import warn

Pieces = Float64[np.ndarray, "pieces 2"]


def usable(
    observed_s: Intervals,
    unit_observed: Bool[np.ndarray, "units intervals"] | None,
    file: Group,
    options: ReadOptions,
) -> tuple[Pieces, Bool[np.ndarray, "units pieces"] | None]:
    """Observed time in pieces, and which unit was observed in which piece.

    Raises
    ------
    UnreadableSource
        If no time is left.
    InvalidOption
        If `options.intervals` leaves none.

    Warns
    -----
    NeuridWarning
        If optogenetic time is left out.
    """
    limits = observed_s[[0, -1], [0, 1]]
    pieces = subtracted(observed_s, invalid_times(file).clip(*limits))
    if not options.keep_opto:
        pieces = _without_opto(pieces, file)
    if len(pieces) == 0:
        raise UnreadableSource(
            f"{file.file} has no observed time left: all of it is declared invalid, or follows optogenetic "
            "stimulation (--keep-opto keeps that)."
        )
    if options.intervals:
        pieces = intersected(pieces, chosen_intervals(file, options))
        if len(pieces) == 0:
            raise InvalidOption(
                f"--intervals {options.intervals!r}: {file.file} was not observed then, or what was is declared "
                "invalid or follows optogenetic stimulation (--keep-opto keeps that)."
            )
    row = located(pieces.mean(axis=1), observed_s)
    return pieces, None if unit_observed is None else unit_observed[:, row]


def _without_opto(pieces_s: Pieces, file: Group) -> Float64[np.ndarray, "left 2"]:
    """The time before any block of optogenetic stimulation, and outside of trials with it."""
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
                f"{file.file}: {len(lit_s)} trials with optogenetic stimulation ({where}) are no observed time; "
                "--keep-opto keeps them."
            )
    return pieces_s
