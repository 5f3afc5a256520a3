"""What `company` takes in time and memory, beside NeurPIR `small`, and how it grows with the units.

    python tests/benchmarks/company.py whole              # 300 units over an hour, both encoders
    python tests/benchmarks/company.py spikes 2500 10000  # units over 10 minutes
    python tests/benchmarks/company.py imaging 5000 20000 # ROIs over 10 minutes at 10 frames a second

Prints CPU time, which other programs disturb least, and peak memory of the process; the exponent compares the last two.
"""

import argparse
import math
import resource
import time

import numpy as np

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
    took_s = time.process_time() - started
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{encoder} {preset}, {len(population)} units: {took_s:.1f} s, peak {peak_gib:.2f} GiB", flush=True)
    return took_s


def main() -> None:
    """Measure what is asked for."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("what", choices=["whole", "spikes", "imaging"])
    asked.add_argument("units", type=int, nargs="*", help="ascending")
    options = asked.parse_args()
    if options.what == "whole":
        population = make_spikes(300, 3600.0, 8.0)
        ratio = measure("company", "spikes", population) / measure("neurpir", "small", population)
        print(f"ratio {ratio:.2f}")
        return
    make = make_spikes if options.what == "spikes" else make_traces
    took_s = [
        measure("company", options.what, make(units, 600.0, 5.0 if make is make_spikes else 10.0))
        for units in options.units
    ]
    if len(took_s) > 1:
        exponent = math.log(took_s[-1] / took_s[-2]) / math.log(options.units[-1] / options.units[-2])
        print(f"exponent {exponent:.2f}")


if __name__ == "__main__":
    main()
