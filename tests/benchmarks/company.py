"""What `company` takes in time and memory, beside NeurPIR `small`, and how it grows with the units.

python tests/benchmarks/company.py             # 300 units over an hour; up to 10,000 units and 20,000 ROIs
python tests/benchmarks/company.py --growth 2  # twice the units in place of four times as many

Prints CPU time, which other programs disturb least, and peak memory of the process.
"""

import math
import resource
import sys
import time

import numpy as np
from _options import parse_options

from nwb_neurid import new_model
from nwb_neurid.population import Population, Spikes, Traces


def make_spikes(units, seconds, rate_hz):
    """Units of a log-normal range of rates, which fire independently."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(rate_hz * np.exp(rng.normal(0, 0.7, units)) * seconds)
    trains = [np.sort(rng.uniform(0, seconds, count)) for count in counts]
    return Population(
        unit_ids=np.arange(units),
        activity=Spikes.of(trains, resolution_s=1 / 30_000),
        observed_s=np.array([[0.0, seconds]]),
    )


def make_traces(units, seconds, rate_hz):
    """Noise on a common rhythm."""
    frames = int(seconds * rate_hz)
    values = np.random.default_rng(0).standard_normal((units, frames), np.float32)
    values += np.sin(np.arange(frames, dtype=np.float32) / 20)
    return Population(
        unit_ids=np.arange(units),
        activity=Traces(values=values, rate_hz=rate_hz),
        observed_s=np.array([[0.0, seconds]]),
    )


def measure(encoder, preset, population):
    """CPU time of one embedding, in seconds."""
    model = new_model(encoder, preset=preset, untrained=True)
    started = time.process_time()
    model.embed(population)
    return time.process_time() - started


def measure_peak_gib():
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def main() -> None:
    options = parse_options(
        __doc__,
        full={"units": 300, "seconds": 3600.0, "most": 2500, "rois": 5000, "growth": 4, "shorter": 600.0},
        tiny={"units": 10, "seconds": 60.0, "most": 20, "rois": 20, "growth": 2, "shorter": 30.0},
    )
    population = make_spikes(options.units, options.seconds, 8.0)
    own_s, rival_s = measure("company", "spikes", population), measure("neurpir", "small", population)
    print(
        f"embed {options.units} units x {options.seconds:,.0f} s with company: {own_s:.1f} s, "
        f"{own_s / rival_s:.2f} x NeurPIR small"
    )
    for preset, make, fewest, rate_hz in (
        ("spikes", make_spikes, options.most, 5.0),
        ("imaging", make_traces, options.rois, 10.0),
    ):
        few_s, many_s = (
            measure("company", preset, make(units, options.shorter, rate_hz))
            for units in (fewest, fewest * options.growth)
        )
        exponent = math.log(many_s / few_s) / math.log(options.growth)
        print(
            f"company {preset}, {fewest * options.growth} units x {options.shorter:,.0f} s: {many_s / few_s:.2f} x the "
            f"time of {fewest} (exponent {exponent:.2f}), peak {measure_peak_gib():.2f} GiB"
        )


if __name__ == "__main__":
    main()
