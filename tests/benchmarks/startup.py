"""Time to import and to answer `--help`, against a bare interpreter.

python tests/benchmarks/startup.py
"""

import subprocess
import sys
from statistics import median
from timeit import repeat

from _options import parse_options


def seconds(rounds: int, *words: str) -> float:
    """Median wall time of a fresh interpreter."""
    command = [sys.executable, *words]
    return median(repeat(lambda: subprocess.run(command, check=True, capture_output=True), number=1, repeat=rounds))


def main() -> None:
    options = parse_options(__doc__, full={"rounds": 10}, tiny={"rounds": 1})
    bare = seconds(options.rounds, "-c", "pass")
    imported = seconds(options.rounds, "-c", "import nwb_neurid")
    helped = seconds(options.rounds, "-m", "nwb_neurid", "--help")
    print(f"import nwb_neurid: {imported:.3f} s, {imported / bare:.2f} x a bare interpreter ({bare:.3f} s)")
    print(f"nwb-neurid --help: {helped:.3f} s, {helped / bare:.2f} x a bare interpreter")


if __name__ == "__main__":
    main()
