"""The activity of one neuron: waveform, autocorrelogram, inter-spike intervals, and raster or trace."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.correlogram import count_pairs
from nwb_neurid.errors import InvalidOption
from nwb_neurid.plots.figure import PALETTE, make_figure, show_text
from nwb_neurid.population import Population, Traces

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LAGS_S = np.arange(0, 51) / 1e3
INTERVALS_MS = np.logspace(0, 4, 41)
SPIKES = 20_000
"""The autocorrelogram is computed from this number of spikes, from the first spike on."""


def plot_neuron(
    population: Population,
    row: int,
    *,
    start_s: float | None = None,
    duration_s: float = 30.0,
    axes: Shaped[np.ndarray, "..."] | Sequence["Axes"] | None = None,
) -> Shaped[np.ndarray, "4"]:
    """Draw one neuron in four panels: waveform, autocorrelogram, inter-spike intervals, and raster or trace.

    Parameters
    ----------
    population
        The recording.
    row
        Row of the neuron.
    start_s, duration_s
        Start of the raster or the trace, in seconds of the session clock, and its duration in seconds. By default, the
        raster or trace starts at the start of observed time.
    axes
        Four axes to draw on; None for a new figure.

    Returns
    -------
    array
        The four axes. Panels without data are empty.

    Raises
    ------
    InvalidOption
        If the row does not exist, or the number of axes is not four.

    Examples
    --------
    >>> from nwb_neurid.testing import mock_population
    >>> [panel.get_title() for panel in plot_neuron(mock_population(units=3), 1)][1:]
    ['autocorrelogram', 'inter-spike intervals', 'spikes']
    """
    if not 0 <= row < len(population):
        raise InvalidOption(f"There is no row {row}: the population has {len(population)} units.")
    panels = make_figure(2, 2, (7.2, 4.8)).ravel() if axes is None else np.asarray(axes, object).ravel()
    if len(panels) != 4:
        raise InvalidOption(f"plot_neuron draws on four axes, got {len(panels)}.")
    waveform, correlogram, intervals, time = panels
    _draw_waveform(waveform, population, row)
    begin_s = start_s if start_s is not None else float(population.observed_s[0, 0]) if population.duration_s else 0.0
    if isinstance(population.activity, Traces):
        for panel, name in ((correlogram, "autocorrelogram"), (intervals, "inter-spike intervals")):
            _leave_empty(panel, name)
        _draw_trace(time, population.activity, row, begin_s, duration_s)
    else:
        _draw_spikes(correlogram, intervals, time, population, row, (begin_s, begin_s + duration_s))
    waveform.figure.suptitle(f"unit {show_text(population.unit_ids[row])}", fontsize=11)
    return panels


def _draw_waveform(axes: "Axes", population: Population, row: int) -> None:
    waveforms, rate_hz = population.waveforms_uv, population.waveform_rate_hz
    if waveforms is None or rate_hz is None or not np.isfinite(waveforms[row]).any():
        _leave_empty(axes, "waveform")
        return
    axes.plot(1e3 * np.arange(waveforms.shape[1]) / rate_hz, waveforms[row], color=PALETTE[0])
    axes.set(title="waveform", xlabel="ms")


def _draw_spikes(
    correlogram: "Axes",
    intervals: "Axes",
    time: "Axes",
    population: Population,
    row: int,
    stretch_s: tuple[float, float],
) -> None:
    train = population.spikes.train_s(row)
    first = train[:SPIKES]
    pairs = count_pairs(first, population.runs_s(row), LAGS_S)
    rate_hz = pairs / max(len(first), 1) / (LAGS_S[1] - LAGS_S[0])
    edges_ms = 1e3 * np.r_[-LAGS_S[:0:-1], LAGS_S]
    correlogram.stairs(np.r_[rate_hz[::-1], rate_hz], edges_ms, fill=True, color=PALETTE[0])
    correlogram.set(title="autocorrelogram", xlabel="lag (ms)", ylabel="Hz")
    counts, edges = np.histogram(1e3 * population.intervals_s(row), INTERVALS_MS)
    intervals.stairs(100 * counts / max(counts.sum(), 1), edges, fill=True, color=PALETTE[0])
    intervals.set(title="inter-spike intervals", xscale="log", xlabel="ms", ylabel="%")
    time.eventplot(train[(train >= stretch_s[0]) & (train < stretch_s[1])], color="black", linewidth=0.6)
    time.set(title="spikes", xlabel="s", yticks=[], xlim=stretch_s)


def _draw_trace(axes: "Axes", traces: Traces, row: int, start_s: float, duration_s: float) -> None:
    times = traces.start_s + np.arange(traces.values.shape[1]) / traces.rate_hz
    inside = (times >= start_s) & (times < start_s + duration_s)
    axes.plot(times[inside], traces.values[row, inside], color=PALETTE[0], linewidth=0.8)
    axes.set(title="trace", xlabel="s", ylabel=traces.kind)


def _leave_empty(axes: "Axes", name: str) -> None:
    axes.text(0.5, 0.5, f"no {name}", ha="center", va="center", color="grey", transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])
