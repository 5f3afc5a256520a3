"""Training on many sessions: filling the cache of binned recordings, mapping it again, and steps over it.

    python tests/benchmarks/sessions.py --sessions 16
    python tests/benchmarks/sessions.py --sessions 300 --units 30 --seconds 300

CPU times, and slopes on logarithmic axes from a quarter of the sessions to all. The last line extrapolates to an
archive of 75,000 units x 1.2 h.
"""

import shutil
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
from _options import parse_options
from _recordings import draw_spikes, replace_spikes

import nwb_neurid
from nwb_neurid.contracts import ReadOptions, silent
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.model.fitting import fit
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.cache import read_binned

RATE_HZ = 8.0
FEW = 4
"""Sessions with which a step over all is compared."""

UNITS, HOURS = 75_000, 1.2
"""Of the IBL brain-wide map."""


def make_sessions(folder, options):
    """Files of Poisson units, each with spikes of its own."""
    first = write_nwb(simulate(options.units, 2.0, 0), folder / "first.nwb")
    paths = []
    for number in range(options.sessions):
        times, counts = draw_spikes(options.units, options.seconds, RATE_HZ, number)
        paths.append(Path(shutil.copy(first, folder / f"session-{number}.nwb")))
        replace_spikes(paths[-1], times, counts, options.seconds)
    return paths


def read_bare(paths):
    """The columns of spike times, and nothing else."""
    for path in paths:
        with h5py.File(path, "r") as file:
            file["units/spike_times"][:]


def measure(call):
    """CPU time, and what came back."""
    started = time.process_time()
    found = call()
    return max(time.process_time() - started, 1e-6), found


def describe_slope(times, counts):
    """From a quarter of the sessions to all."""
    first = counts.index(max(1, counts[-1] // 4))
    return f"slope over sessions {np.log(times[-1] / times[first]) / np.log(counts[-1] / counts[first]):.2f}"


def main() -> None:
    options = parse_options(
        __doc__,
        full={"sessions": 16, "units": 150, "seconds": 1200.0, "steps": 10},
        tiny={"sessions": 4, "units": 6, "seconds": 30.0, "steps": 1},
    )
    warnings.simplefilter("ignore", nwb_neurid.NeuridWarning)
    model = nwb_neurid.new_model("nuclr", preset="small", untrained=True, device="cpu")
    part = {max(1, options.sessions // 4), max(1, options.sessions // 2), options.sessions}
    counts = sorted({min(FEW, options.sessions), *part})
    training = TrainingOptions(steps=options.steps)
    with TemporaryDirectory() as place:
        folder = Path(place)
        paths = make_sessions(folder, options)
        read_binned(paths[:1], model, ReadOptions(), folder / "warm-up", progress=silent)
        bare, filled, mapped, stepped = [], [], [], []
        for count in counts:

            def run(count=count):
                return read_binned(paths[:count], model, ReadOptions(), folder / f"cache-{count}", progress=silent)

            bare.append(measure(lambda count=count: read_bare(paths[:count]))[0])
            filled.append(measure(run)[0])
            took, (parts, _) = measure(run)
            mapped.append(took)
            stepped.append(measure(lambda parts=parts: fit(model, parts, training))[0] / options.steps)
        size = sum(part.values.nbytes for part in parts)
    what = f"{options.sessions} sessions x {options.units} units x {options.seconds:,.0f} s"
    print(
        f"fill the cache with {what}: {filled[-1]:.2f} s, {filled[-1] / bare[-1]:.2f} x a bare h5py read "
        f"({bare[-1]:.2f} s), {describe_slope(filled, counts)}"
    )
    print(f"map {what}: {mapped[-1]:.2f} s, {mapped[-1] / filled[-1]:.3f} x filling, {describe_slope(mapped, counts)}")
    print(
        f"a step over {counts[-1]} sessions: {stepped[-1]:.2f} s, {stepped[-1] / stepped[0]:.2f} x a step over "
        f"{counts[0]}, {describe_slope(stepped, counts)}"
    )
    larger = UNITS * HOURS * 3600 / (options.sessions * options.units * options.seconds)
    filling = f"{filled[-1] * larger / 3600:.2f} h of CPU time to fill"
    print(
        f"extrapolated to {UNITS:,} units over {HOURS} h ({larger:,.0f} x as much): {filling}, "
        f"{mapped[-1] * larger:.0f} s to map, {size * larger / 1e9:.1f} GB"
    )


if __name__ == "__main__":
    main()
