"""Figures of a GPU as ratios: of its own rate for the same matrix products, and of the speed of the authors' flow.

    python tests/gpu/figures.py --json gpu.json

Each group runs in a process of its own, so that one that fails, hangs or leaves the GPU unusable takes no other with
it. What was measured until then is kept, and what is missing is named. `--device cpu --size tiny` rehearses everything;
its figures mean nothing.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from _report import Report

LIMITS_S = {
    "base": 90,
    "base-compiled": 150,
    "authors": 60,
    "units": 60,
    "profile": 45,
    "attention": 45,
    "small": 60,
    "neurpir": 60,
    "small-compiled": 120,
}
"""How many seconds each group may take at most, in the order in which they run."""

STARTING_S = 20
"""Less time is not worth starting a group for."""

FULL = SimpleNamespace(
    units=700,
    windows=128,
    seconds=300.0,
    embedded_s=1200.0,
    recordings=4,
    steps=8,
    repeats=7,
    many=(100, 300, 1000, 3000, 8000, 20_000),
    rows=8184,
    side=8192,
    length=700,
)
TINY = SimpleNamespace(
    units=6,
    windows=2,
    seconds=70.0,
    embedded_s=25.0,
    recordings=2,
    steps=3,
    repeats=1,
    many=(3, 6, 9),
    rows=24,
    side=16,
    length=7,
)


def run_group(name: str, options: argparse.Namespace) -> None:
    """Measure the figures of one group in this process."""
    import torch
    from _device import Device
    from _groups import GROUPS

    device, report = Device(options.device), Report(options.json)
    report.card = device.describe()
    if not device.is_gpu:
        torch.set_num_threads(1)
    with report.trying(name), device.take_gpu_paths():
        GROUPS[name](device, FULL if options.size == "full" else TINY, report)
    report.keep()


def run_apart(name: str, options: argparse.Namespace, seconds: float, report: Report) -> None:
    """Measure the figures of one group in a process of its own, and stop it when its time is over."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "group.json"
        words = [sys.executable, "-u", __file__, "--group", name, "--json", str(path)]
        words += ["--device", options.device, "--size", options.size]
        failure = ""
        try:
            if code := subprocess.run(words, timeout=seconds, check=False).returncode:
                failure = f"its process ended with exit code {code}"
        except subprocess.TimeoutExpired:
            failure = f"it was stopped after {seconds:.0f} s"
        report.take_in(path)
    if failure:
        report.miss(name, failure)
    print(f"-- {name}: {time.monotonic() - started:.0f} s", flush=True)


def parse_options(words: list[str] | None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), help="where the figures go")
    parser.add_argument("--device", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    parser.add_argument("--seconds", type=float, default=390.0, help="for all groups together")
    parser.add_argument("--groups", default=",".join(LIMITS_S), help="some of them, with commas")
    parser.add_argument("--group", choices=tuple(LIMITS_S), help="one of them, in this process")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Measure, print and keep the figures; 1 if one is missing or a goal is not met."""
    options = parse_options(words)
    if options.group:
        run_group(options.group, options)
        return 0
    report, stop = Report(options.json), time.monotonic() + options.seconds
    for name in options.groups.split(","):
        left_s = stop - time.monotonic()
        if left_s < STARTING_S:
            report.miss(name, "the time for all groups was over")
        else:
            limit_s = left_s if options.size == "tiny" else min(LIMITS_S[name], left_s)
            run_apart(name, options, limit_s, report)
    report.print_all()
    return int(bool(report.missing) or not all(judged["met"] for judged in report.judge().values()))


if __name__ == "__main__":
    sys.exit(main())
