"""Artificial populations of spikes or traces, which are easy to shift and to cut."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from nwb_neurid.population import Population, Spikes, Traces

SAMPLING_HZ = 30_000.0
DECAY_S = 0.7


def mock_population(
    kind: str = "spikes",
    *,
    units: int = 8,
    duration_s: float = 60.0,
    rate_hz: float = 30.0,
    start_s: float = 0.0,
    gap: tuple[float, float] | None = None,
    in_gap: int = 0,
    observed: Sequence[bool] | None = None,
    unit_ids: Shaped[np.ndarray, " units"] | None = None,
    seed: int = 0,
) -> Population:
    """Make an artificial population whose units differ in their firing, so that encoders can distinguish them.

    Parameters
    ----------
    kind
        "spikes", "dff", "fluorescence" or "deconvolved".
    units
        Number of units. If there are four or more, the last one is silent.
    duration_s
        Observed time in seconds, without the gap.
    rate_hz
        Frame rate of traces, in Hz.
    start_s
        Start of the recording on the session clock, in seconds.
    gap
        Observed time before a gap in the observation, and duration of the gap, in seconds. Both are rounded to frames.
    in_gap
        Random seed of the activity in the gap. Encoders must not use this activity.
    observed
        Whether each unit was observed at all. With None, all units were observed.
    unit_ids
        Ids of the units; 0, 1, ... by default.
    seed
        Random seed of everything except the activity in the gap.

    Returns
    -------
    Population
        A population of one group with positions and, if it has spikes, waveforms. The same arguments give the same
        population.

    Examples
    --------
    >>> mock_population(units=3, duration_s=20.0)
    Population(3 units, spikes, 20 s in 1 runs)
    >>> mock_population("dff", units=3, duration_s=20.0, gap=(10.0, 5.0))
    Population(3 units, dff, 20 s in 2 runs)
    """
    rng = np.random.default_rng(seed)
    duration_s = round(duration_s * rate_hz) / rate_hz
    trains = [_draw_train(rng, unit, duration_s) for unit in range(units)]
    if units > 3:
        trains[-1] = np.empty(0)
    first_s, gap_s = (duration_s, 0.0) if gap is None else (round(edge * rate_hz) / rate_hz for edge in gap)
    spread = [np.where(train < first_s, train, train + gap_s) for train in trains]
    others = np.random.default_rng(in_gap)
    within = [first_s + np.sort(others.uniform(0, gap_s, others.poisson(20 * gap_s))) for _ in range(units)]
    runs = np.array([[0, first_s], [first_s + gap_s, duration_s + gap_s]])[: 1 if gap is None else 2]
    if kind == "spikes":
        both = [np.sort(np.r_[own, other]) + start_s for own, other in zip(spread, within, strict=True)]
        activity: Spikes | Traces = Spikes.of(both)
    else:
        values = _draw_traces(rng, trains, round(duration_s * rate_hz), rate_hz)
        hidden = others.normal(50, 20, (units, round(gap_s * rate_hz))).astype(np.float32)
        frames = round(first_s * rate_hz)
        values = np.concatenate([values[:, :frames], hidden, values[:, frames:]], axis=1)
        activity = Traces(values=values, rate_hz=rate_hz, start_s=start_s, kind=kind)  # type: ignore[arg-type]
    return Population(
        unit_ids=np.arange(units) if unit_ids is None else unit_ids,
        activity=activity,
        observed_s=runs + start_s,
        unit_observed=None if observed is None else np.repeat(np.array(observed, bool)[:, None], len(runs), axis=1),
        positions_um=rng.uniform(0, 1000, (units, 3)).astype(np.float32),
        waveforms_uv=rng.normal(0, 50, (units, 60)).astype(np.float32) if kind == "spikes" else None,
        waveform_rate_hz=SAMPLING_HZ if kind == "spikes" else None,
        source=f"made {kind}",
    )


def _draw_train(rng: np.random.Generator, unit: int, duration_s: float) -> Float64[np.ndarray, " spikes"]:
    """Draw a gamma process with a given rate and regularity, on the clock of an amplifier."""
    rate_hz, shape = 4.0 + 5 * (unit % 4), 0.5 + (unit % 3)
    steps = rng.gamma(shape, 1 / (shape * rate_hz), int(2 * rate_hz * duration_s) + 20) + 0.002
    ticks = np.unique(np.floor(np.cumsum(steps) * SAMPLING_HZ))
    return ticks[ticks < (duration_s - 0.001) * SAMPLING_HZ] / SAMPLING_HZ


def _draw_traces(
    rng: np.random.Generator, trains: Sequence[Float64[np.ndarray, " _"]], samples: int, rate_hz: float
) -> Float32[np.ndarray, "units samples"]:
    """Draw spikes as an indicator shows them. Each spike is a jump that decays, and there is noise."""
    edges = np.arange(samples + 1) / rate_hz
    counts = np.array([np.histogram(train, edges)[0] for train in trains], np.float64)
    kernel = np.exp(-np.arange(int(5 * DECAY_S * rate_hz) + 1) / (DECAY_S * rate_hz))
    glow = np.array([np.convolve(row, kernel)[:samples] for row in counts])
    return np.asarray(0.3 * glow + 0.05 * np.abs(rng.normal(size=glow.shape)), np.float32)
