"""Writing results into a large file, and very many of them in every way, against copying the file.

python tests/benchmarks/writing.py
"""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from timeit import repeat

from _options import parse_options

from nwb_neurid.writers.nwb.store import write

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from recordings import make_embeddings, make_recording


def copy(path: Path) -> None:
    """A copy that is as safe: on the disk, not only in memory."""
    twin = shutil.copyfile(path, path.with_name("twin.nwb"))
    with open(twin, "rb+") as file:  # noqa: PTH123 - a descriptor is needed
        os.fsync(file.fileno())


def fastest_s(step: Callable[[], object]) -> float:
    """The fastest of three rounds, in seconds."""
    return min(repeat(step, number=1, repeat=3))


def compare(megabytes: float, units: int, ways: Mapping[str, Mapping[str, bool]]) -> None:
    """Print one line for each way."""
    embeddings = make_embeddings(units)
    with TemporaryDirectory() as folder:
        path = make_recording(Path(folder) / "recording.nwb", megabytes, units=units)
        for way, how in ways.items():
            ours = fastest_s(partial(write, path, embeddings, overwrite=True, **how))
            rival = fastest_s(partial(copy, path))
            print(
                f"write {units:,} x 512 into {megabytes:g} MB{way}: {ours:.2f} s, {ours / rival:.2f} x a copy of the "
                f"file ({rival:.2f} s)"
            )


def main() -> None:
    options = parse_options(
        __doc__,
        full={"megabytes": 300.0, "units": 1_000, "many": 100_000},
        tiny={"megabytes": 2.0, "units": 50, "many": 500},
    )
    compare(options.megabytes, options.units, {"": {}})
    compare(1.6, options.many, {"": {}, " as a sidecar": {"sidecar": True}})


if __name__ == "__main__":
    main()
