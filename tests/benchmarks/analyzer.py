"""Embedding the units of a sorting analyzer, against `nwb-neurid embed` on the NWB file of the same spikes.

    OMP_NUM_THREADS=1 python tests/benchmarks/analyzer.py --encoder isi

Without an encoder it is the model that ships.
"""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from timeit import timeit

import numpy as np
from _options import parse_options
from spikeinterface import core

import nwb_neurid
import nwb_neurid.analyzer
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.nwb.standalone import write_recording
from nwb_neurid.writers.options import WriteOptions

RATE_HZ, SPIKES_HZ = 30_000.0, 5.0


def make_analyzer(units: int, spikes: int, duration_s: float) -> core.SortingAnalyzer:
    """Poisson neurons, in memory."""
    rng = np.random.default_rng(0)
    vector = np.zeros(spikes, core.base.minimum_spike_dtype)
    vector["sample_index"] = np.sort(rng.integers(0, int(duration_s * RATE_HZ), spikes))
    vector["unit_index"] = rng.integers(0, units, spikes)
    sorting = core.NumpySorting(vector, RATE_HZ, np.arange(units))
    voltage = core.generate_recording(num_channels=1, durations=[duration_s], sampling_frequency=RATE_HZ, seed=0)
    main = {"main_channel_indices": np.zeros(units, int)}
    return core.create_sorting_analyzer(sorting, voltage, sparse=False, **main)


def main() -> None:
    options = parse_options(
        __doc__,
        full={"units": 1_000, "seconds": 3600.0, "rounds": 5, "encoder": ""},
        tiny={"units": 10, "seconds": 60.0, "rounds": 1},
    )
    warnings.simplefilter("ignore")
    given = {"encoder": options.encoder} if options.encoder else {}
    model = nwb_neurid.new_model(options.encoder) if given else None
    spikes = int(SPIKES_HZ * options.seconds) * options.units
    analyzer = make_analyzer(options.units, spikes, options.seconds)

    def compute() -> None:
        analyzer.compute("neurid_embeddings", progress_bar=False, **given)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "recording.nwb"
        write_recording(nwb_neurid.read(analyzer), path)

        def embed() -> None:
            embed_file(path, model, writing=WriteOptions(overwrite=True))

        turns = [
            [timeit(each, number=1, timer=process_time) for each in (compute, embed)] for _ in range(options.rounds)
        ]
    ours, rival = np.min(turns, axis=0)
    print(
        f"embed {spikes:,} spikes of {options.units:,} units in an analyzer: {ours:.2f} s of CPU time, "
        f"{ours / rival:.2f} x the same from an NWB file and into it ({rival:.2f} s)"
    )


if __name__ == "__main__":
    main()
