"""Run the benchmarks in half an hour, keep their ratios as JSON, and compare them with those that were accepted.

    python tests/benchmarks/_bench.py --json bench.json
    python tests/benchmarks/_bench.py --json bench.json --accept

Each benchmark prints lines with ratios to a rival that was measured in the same run. A ratio that is worse than the
accepted one by more than `--tolerance` is named at the end, with exit code 1; so is a benchmark that failed or that the
time did not suffice for. `--accept` makes the ratios of this run the accepted ones, in accepted.json beside this file.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent
ACCEPTED = HERE / "accepted.json"

SCRIPTS: dict[str, Sequence[str]] = {
    "reading.py": ("--spikes", "9000000", "--rounds", "5"),
    "stages.py": (),
    "embedding.py": ("--units", "200", "--seconds", "1800"),
    "nuclr.py": (),
    "training_cost.py": ("--steps", "6", "--units", "400"),
    "writing.py": ("--megabytes", "150", "--many", "20000"),
    "slopes.py": (),
    "sessions.py": (),
    "clusters.py": (),
    "archive.py": ("--recordings", "60"),
    "analyzer.py": (),
    "company.py": (),
    "simulation.py": (),
    "startup.py": (),
    "labels.py": (),
    "report.py": (),
}
"""In the order of what matters, with sizes that fit half an hour on two cores; the others measure no time."""

RATIO = re.compile(r"(?P<ratio>\d[\d,]*(?:\.\d+)?)(?: \([^)]*\))? x (?P<rival>[^,;(]+)")
SLOPE = re.compile(r"slope (?:over \w+ )?(?P<slope>-?\d+\.\d+)")
SHARE = re.compile(r"(?P<share>\d+)% \([^)]*\) of (?P<rival>the rate of [^,;(]+)")
HIGHER_IS_BETTER = ("the rate of", "as long", "as fast", "the authors")


@dataclass(frozen=True)
class Figure:
    """A ratio: of which benchmark, what was measured, against which rival, and the line that says it."""

    script: str
    what: str
    rival: str
    ratio: float
    line: str

    @property
    def key(self) -> str:
        return f"{self.script}: {self.what} / {self.rival}"

    @property
    def higher_is_better(self) -> bool:
        return any(words in self.rival for words in HIGHER_IS_BETTER)


def parse_lines(script: str, lines: Sequence[str]) -> Iterator[Figure]:
    """The figures in the lines that a benchmark printed; ratios stand after the colon. No two have the same key."""
    seen: Counter[str] = Counter()
    for figure in _find_figures(script, lines):
        seen[figure.key] += 1
        number = seen[figure.key]
        yield figure if number == 1 else replace(figure, what=f"{figure.what} ({number})")


def _find_figures(script: str, lines: Sequence[str]) -> Iterator[Figure]:
    for line in lines:
        what, _, rest = line.partition(": ")
        for found in RATIO.finditer(rest):
            ratio = float(found["ratio"].replace(",", ""))
            yield Figure(script=script, what=what, rival=found["rival"].strip(), ratio=ratio, line=line)
        for found in SHARE.finditer(rest):
            ratio = float(found["share"]) / 100
            yield Figure(script=script, what=what, rival=found["rival"].strip(), ratio=ratio, line=line)
        for found in SLOPE.finditer(rest):
            yield Figure(script=script, what=what, rival="slope", ratio=float(found["slope"]), line=line)


def compare(figures: Sequence[Figure], accepted: dict[str, float], tolerance: float) -> list[str]:
    """What is worse than accepted by more than the tolerance, and what is gone."""
    worse = []
    for figure in figures:
        if (before := accepted.get(figure.key)) is None or before <= 0 or figure.ratio <= 0:
            continue
        by = before / figure.ratio if figure.higher_is_better else figure.ratio / before
        if by > tolerance:
            worse.append(f"{figure.key}: {figure.ratio:g}, accepted {before:g}")
    there = {figure.key for figure in figures}
    return worse + [f"{key}: accepted {value:g}, not measured" for key, value in accepted.items() if key not in there]


def run(script: str, words: Sequence[str], limit_s: float) -> tuple[list[str], str]:
    """The lines that a benchmark printed, and what went wrong."""
    if limit_s <= 0:
        return [], "the time was over"
    command = [sys.executable, str(HERE / script), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        text = error.stdout or b""
        return (text.decode() if isinstance(text, bytes) else text).splitlines(), "the time was over"
    return done.stdout.splitlines(), "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def print_table(figures: Sequence[Figure]) -> None:
    """One line for each figure."""
    width = max((len(f"{figure.script} {figure.what}") for figure in figures), default=0)
    for figure in figures:
        rival = figure.rival if figure.rival == "slope" else f"x {figure.rival}"
        print(f"{f'{figure.script} {figure.what}':<{width}}  {figure.ratio:>9g} {rival}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where figures are kept")
    parser.add_argument("--only", nargs="*", default=[], help="only these benchmarks")
    parser.add_argument("--size", choices=("bench", "tiny"), default="bench")
    parser.add_argument("--minutes", type=float, default=30.0, help="time for all")
    parser.add_argument("--tolerance", type=float, default=1.5, help="by how many times a ratio may be worse")
    parser.add_argument("--accepted", type=Path, default=ACCEPTED, help="the accepted figures")
    parser.add_argument("--accept", action="store_true", help="accept the figures of this run")
    options = parser.parse_args()
    ends = time.monotonic() + 60 * options.minutes
    figures: list[Figure] = []
    failed, seconds = [], {}
    for script, words in SCRIPTS.items():
        if options.only and script not in options.only:
            continue
        began = time.monotonic()
        lines, problem = run(script, ["--size", "tiny"] if options.size == "tiny" else words, ends - began)
        seconds[script] = round(time.monotonic() - began, 1)
        figures += parse_lines(script, lines)
        failed += [f"{script}: {problem}"] if problem else []
        print(f"{script}: {seconds[script]:.0f} s", file=sys.stderr, flush=True)
    print_table(figures)
    about = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    rows = [asdict(figure) for figure in figures]
    told = {"size": options.size, "about": about, "seconds": seconds, "failed": failed, "figures": rows}
    options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    if options.accept and not failed:
        kept = {figure.key: figure.ratio for figure in figures}
        options.accepted.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(f"{len(kept)} figures accepted: {options.accepted}")
    worse = []
    if options.accepted.exists() and options.size != "tiny":
        accepted = json.loads(options.accepted.read_text("utf-8"))
        if options.only:
            accepted = {key: value for key, value in accepted.items() if key.split(": ")[0] in options.only}
        worse = compare(figures, accepted, options.tolerance)
    for line in failed:
        print(f"failed: {line}")
    for line in worse:
        print(f"worse: {line}")
    return 1 if failed or worse else 0


if __name__ == "__main__":
    sys.exit(main())
