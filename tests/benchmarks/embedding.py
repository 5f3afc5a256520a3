"""All steps of `nwb-neurid embed` on 300 units over an hour with the model that ships, against the encoding alone.

python tests/benchmarks/embedding.py
"""

import resource
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import timeit

import h5py
import numpy as np

import nwb_neurid
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.options import WriteOptions

UNITS, HOURS, RATE_HZ = 300, 1, 8.0


def enlarge(path: Path) -> None:
    """Give the units of a small file Poisson spikes over an hour."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(RATE_HZ * 3600 * HOURS, UNITS)
    times = np.concatenate([np.sort(rng.uniform(0, 3600 * HOURS, count)) for count in counts])
    with h5py.File(path, "r+") as file:
        for name, data in (("spike_times", times), ("spike_times_index", np.cumsum(counts))):
            attrs = dict(file[f"units/{name}"].attrs)
            del file[f"units/{name}"]
            file["units"].create_dataset(name, data=data).attrs.update(attrs)
        file["units/spike_times_index"].attrs["target"] = file["units/spike_times"].ref
        file["units/obs_intervals"][:] = [0.0, 3600.0 * HOURS]


with TemporaryDirectory() as folder:
    path = write_nwb(simulate(UNITS, 2.0, 0), Path(folder) / "recording.nwb")
    enlarge(path)
    model = nwb_neurid.load_model("default-spikes")
    population = nwb_neurid.read(path)
    model.embed(population.select(np.arange(3)))  # what is done once
    encoding = timeit(lambda: model.embed(population), number=1)
    whole = timeit(lambda: embed_file(path, write=WriteOptions(overwrite=True)), number=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"embed {UNITS} units x {HOURS} h with default-spikes: {whole:.1f} s, {whole / encoding:.2f} x the encoding "
        f"alone ({encoding:.1f} s), peak {peak:,.0f} MiB"
    )
