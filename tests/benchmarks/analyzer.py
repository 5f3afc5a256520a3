"""Embedding the units of a sorting analyzer, against `nwb-neurid embed` on the NWB file of the same spikes.

`python tests/benchmarks/analyzer.py [UNITS [ENCODER]]`; without an encoder, by the model that ships.
"""

import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from timeit import timeit

import numpy as np
from spikeinterface import core

import nwb_neurid
import nwb_neurid.analyzer
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.nwb.standalone import write_recording
from nwb_neurid.writers.options import WriteOptions

RATE_HZ = 30_000.0


def made(units: int, spikes: int, duration_s: float) -> core.SortingAnalyzer:
    """Poisson neurons, in memory."""
    rng = np.random.default_rng(0)
    vector = np.zeros(spikes, core.base.minimum_spike_dtype)
    vector["sample_index"] = np.sort(rng.integers(0, int(duration_s * RATE_HZ), spikes))
    vector["unit_index"] = rng.integers(0, units, spikes)
    sorting = core.NumpySorting(vector, RATE_HZ, np.arange(units))
    voltage = core.generate_recording(num_channels=1, durations=[duration_s], sampling_frequency=RATE_HZ, seed=0)
    main = {"main_channel_indices": np.zeros(units, int)}
    return core.create_sorting_analyzer(sorting, voltage, sparse=False, **main)


warnings.simplefilter("ignore")
units, duration_s = (int(sys.argv[1]) if len(sys.argv) > 1 else 1_000), 3600.0
asked = {"encoder": sys.argv[2]} if len(sys.argv) > 2 else {}
spikes = 18_000 * units
with TemporaryDirectory() as folder:
    analyzer, model = made(units, spikes, duration_s), nwb_neurid.new_model(sys.argv[2]) if asked else None
    path = Path(folder) / "recording.nwb"
    write_recording(nwb_neurid.read(analyzer), path)
    times = [
        (
            timeit(
                lambda: analyzer.compute("neurid_embeddings", progress_bar=False, **asked), number=1, timer=process_time
            ),
            timeit(lambda: embed_file(path, model, write=WriteOptions(overwrite=True)), number=1, timer=process_time),
        )
        for _ in range(5)
    ]
    ours, rival = np.min(times, axis=0)
    print(
        f"embed {spikes:,} spikes of {units:,} units in an analyzer: {ours:.2f} s of the processor, "
        f"{ours / rival:.2f} x the same from an NWB file and into it ({rival:.2f} s)"
    )
