"""Time to import and to answer `--help`, against a bare interpreter."""

import subprocess
import sys
from statistics import median
from timeit import repeat


def seconds(*words: str) -> float:
    """Median wall time of a fresh interpreter over ten runs."""
    command = [sys.executable, *words]
    return median(repeat(lambda: subprocess.run(command, check=True, capture_output=True), number=1, repeat=10))


bare = seconds("-c", "pass")
imported = seconds("-c", "import nwb_neurid")
helped = seconds("-m", "nwb_neurid", "--help")
print(f"import nwb_neurid: {imported:.3f} s, {imported / bare:.2f} x a bare interpreter ({bare:.3f} s)")
print(f"nwb-neurid --help: {helped:.3f} s, {helped / bare:.2f} x a bare interpreter")
