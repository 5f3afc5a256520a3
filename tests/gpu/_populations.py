"""Recordings that are made at once, of any size."""

import numpy as np

from nwb_neurid import Population, Series, Spikes, Traces


def draw_population(
    kind: str, units: int, seconds: float, seed: int = 0, *, rates_hz: tuple[float, float] = (0.2, 20.0)
) -> Population:
    """Poisson neurons, or noisy traces at 5 Hz, while an animal runs.

    Parameters
    ----------
    kind
        "spikes" or "dff".
    units, seconds
        How large it is.
    seed
        Of everything.
    rates_hz
        Between which the rates of units lie: slow units are silent in some windows, as in real recordings.
    """
    rng = np.random.default_rng(seed)
    observed_s = np.array([[0.0, seconds]])
    if kind == "spikes":
        rates = np.exp(rng.uniform(*np.log(rates_hz), units))
        activity: Spikes | Traces = Spikes.of([draw_train(rng, rate, seconds) for rate in rates])
    else:
        values = rng.normal(size=(units, round(seconds * 5.0))).astype(np.float32)
        activity = Traces(values=values, rate_hz=5.0)
    times_s = np.arange(0.0, seconds, 0.1)
    running = Series(values=np.sin(times_s)[:, None].astype(np.float32), times_s=times_s)
    return Population(
        unit_ids=np.arange(units),
        activity=activity,
        observed_s=observed_s,
        covariates={"running_speed": running},
        source=f"made {seed}",
    )


def draw_train(rng: np.random.Generator, rate_hz: float, seconds: float) -> np.ndarray:
    """Times of spikes in seconds; no two of them coincide with those of another unit by more than chance."""
    return np.sort(rng.uniform(0.0, seconds, rng.poisson(rate_hz * seconds)))
