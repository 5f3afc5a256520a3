"""Embedding many small recordings over two workers, against one.

python tests/benchmarks/archive.py

The workers run, and have loaded the model, before the clock starts; digests, manifest and dataset are in what is timed.
"""

import os
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from _options import parse_options

from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows.archive.apart import embed_apart
from nwb_neurid.workflows.archive.cluster import connect, start_cluster
from nwb_neurid.workflows.archive.options import ClusterOptions
from nwb_neurid.workflows.archive.run import EMBEDDED, embed_archive
from nwb_neurid.workflows.archive.task import Asked, Claimed
from nwb_neurid.workflows.models import ModelChoice


def take_s(workers: int, sources: list[str], warm: str, folder: Path, model: str) -> float:
    """How long so many workers take for all recordings, in seconds."""
    asked = Asked(model=ModelChoice(folder=model, device="cpu"), criteria="none")
    with start_cluster(ClusterOptions(workers=workers)) as address:
        with connect(address) as client:
            client.wait_for_workers(workers)
            ready = Asked(model=asked.model, criteria="none", dataset=folder / f"warm-{workers}")
            client.run(embed_apart, ready, Claimed(source=warm, key="warm"))
        began_s = time.perf_counter()
        whole = Asked(model=asked.model, criteria="none", dataset=folder / f"vectors-{workers}")
        reports = list(embed_archive(sources, whole, ClusterOptions(scheduler=address)))
        taken_s = time.perf_counter() - began_s
    if [each.what for each in reports] != [EMBEDDED] * len(sources):
        sys.exit(f"not all were embedded: {[each for each in reports if each.what != EMBEDDED][:3]}")
    return taken_s


def main() -> None:
    options = parse_options(
        __doc__,
        full={"recordings": 200, "units": 40, "seconds": 60.0, "workers": 2, "model": "company-spikes"},
        tiny={"recordings": 4, "units": 6, "seconds": 20.0},
    )
    warnings.simplefilter("ignore")
    os.environ["OMP_NUM_THREADS"] = "1"
    with TemporaryDirectory() as place:
        folder = Path(place).resolve()
        made = [
            str(write_nwb(simulate(options.units, options.seconds, 0, animal=number), folder / f"{number}.nwb"))
            for number in range(options.recordings + 1)
        ]
        warm, *sources = made
        one, more = (take_s(count, sources, warm, folder, options.model) for count in (1, options.workers))
        print(
            f"embed {len(sources)} recordings of {options.units} units x {options.seconds:g} s over {options.workers} "
            f"workers: {more:.2f} s, {len(sources) / more:.1f} a second; one worker {one:.2f} s, {one / more:.2f} x as "
            "long"
        )


if __name__ == "__main__":
    main()
