"""How time grows with units and with hours: slopes on logarithmic axes, of CPU time.

    python tests/benchmarks/slopes.py

Reading, binning, writing and every encoder that embeds without training. Over sessions and workers: sessions.py and
archive.py. Slopes are those of the larger half of the sizes, where fixed costs no longer count.
"""

import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _options import parse_options
from _recordings import draw_spikes, replace_spikes

import nwb_neurid
from nwb_neurid.writers.nwb.store import write

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from recordings import make_recording as write_file

RATE_HZ = 5.0
MOST_PAIRS = 5_000
"""Units up to which an encoder is measured that computes with every pair of them."""


def make_recording(folder, units, seconds):
    """A file of Poisson units."""
    times, counts = draw_spikes(units, seconds, RATE_HZ)
    path = write_file(folder / f"{units}-{seconds:g}.nwb", 0.01, units=units)
    replace_spikes(path, times, counts, seconds)
    return path


def take_s(call, rounds):
    """The least CPU time of some rounds, and what came back."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        found = call()
        taken.append(time.process_time() - began)
    return max(min(taken), 1e-6), found


def measure(path, models, rounds):
    """CPU time of each stage on a file."""
    read, population = take_s(lambda: nwb_neurid.read(path), rounds)
    times = {"read": read, "bin": take_s(lambda: population.binned(0.02), rounds)[0]}
    for name, model in models.items():
        if name != "isi" and len(population) > MOST_PAIRS:
            continue
        times[f"embed with {name}"], embeddings = take_s(lambda model=model: model.embed(population), 1)
    times["write"] = take_s(lambda: write(path, embeddings, overwrite=True), rounds)[0]
    return times


def report(over, sizes, rows):
    for stage in rows[0]:
        times = [row[stage] for row in rows if stage in row]
        own = sizes[: len(times)]
        half = len(own) // 2
        slope = np.log(times[-1] / times[half]) / np.log(own[-1] / own[half])
        print(
            f"{stage}, over {', '.join(f'{size:g}' for size in own)} {over}: {times[-1]:.2f} s, "
            f"{times[-1] / times[0]:.1f} x the first, slope {slope:.2f}"
        )


def main() -> None:
    options = parse_options(
        __doc__,
        full={"units": "100,1000,5000,20000", "hours": "0.1,1,10", "seconds": 120.0, "few": 30, "rounds": 2},
        tiny={"units": "5,10,20", "hours": "0.01,0.02,0.03", "seconds": 30.0, "few": 4, "rounds": 1},
    )
    warnings.simplefilter("ignore")
    units = [int(word) for word in options.units.split(",")]
    hours = [float(word) for word in options.hours.split(",")]
    models = {name: nwb_neurid.load_model(name) for name in ("company-spikes", "default-spikes")}
    models = {"isi": nwb_neurid.new_model("isi"), **models}
    with TemporaryDirectory() as place:
        folder = Path(place)
        small = {name: model for name, model in models.items() if name != "default-spikes"}
        measure(make_recording(folder, 5, 40.0), models, 1)  # what is loaded once
        report(
            "units", units, [measure(make_recording(folder, n, options.seconds), small, options.rounds) for n in units]
        )
        rows = [measure(make_recording(folder, options.few, 3600 * n), models, options.rounds) for n in hours]
        report("hours", hours, rows)


if __name__ == "__main__":
    main()
