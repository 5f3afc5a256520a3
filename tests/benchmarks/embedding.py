"""All steps of `nwb-neurid embed` with the model that ships, against the encoding alone: time, and memory.

python tests/benchmarks/embedding.py
"""

import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import timeit

import numpy as np
from _options import parse_options
from _recordings import draw_spikes, replace_spikes

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.options import WriteOptions

RATE_HZ = 8.0


def measure_peak_mib() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    options = parse_options(
        __doc__, full={"model": "company-spikes", "units": 300, "seconds": 3600.0}, tiny={"units": 10, "seconds": 60.0}
    )
    times, counts = draw_spikes(options.units, options.seconds, RATE_HZ)
    with TemporaryDirectory() as folder:
        path = write_nwb(simulate(options.units, 2.0, 0), Path(folder) / "recording.nwb")
        replace_spikes(path, times, counts, options.seconds)
        model = nwb_neurid.load_model(options.model)
        population = nwb_neurid.read(path)
        model.embed(population.select(np.arange(3)))  # what is done once
        encoding = timeit(lambda: model.embed(population), number=1)
        bare = measure_peak_mib()
        whole = timeit(lambda: embed_file(path, model, writing=WriteOptions(overwrite=True)), number=1)
        peak = measure_peak_mib()
    print(
        f"embed {options.units} units x {options.seconds:,.0f} s with {options.model}: {whole:.1f} s, "
        f"{whole / encoding:.2f} x the encoding alone ({encoding:.1f} s); peak memory {peak:,.0f} MiB, "
        f"{peak / bare:.2f} x that of the encoding alone"
    )


if __name__ == "__main__":
    main()
