"""Hostile servers on this machine, given to `inspect` and `embed` as the source of a recording.

    python tests/faults/hostile_servers.py

Each command must end with code 2 and one line within `LIMIT_S` seconds of the clock and `LIMIT_BYTES` of memory, print
no escape sequence and leave no file. Ends with code 1 otherwise.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from fuzz import run
from servers import FIRST, SECOND, SIZES, bomb, serve, zeros

from nwb_neurid.cli.app import app

LIMIT_S, LIMIT_BYTES = 15.0, int(1.5 * 2**30)
OPTIONS = ("--format", "csv", "--encoder", "isi")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1, help="ask only every so many-th server")
    parser.add_argument("--first", type=int, default=0, help="the first that is asked")
    asked = parser.parse_args()
    os.environ["NO_PROXY"] = "127.0.0.1"
    wrong, count, worst_s, worst_bytes = 0, 0, 0.0, 0
    app(["--version"], standalone_mode=False)
    for name, options in islice(servers(), asked.first, None, asked.every):
        count += 1
        with serve(**options) as server, tempfile.TemporaryDirectory() as folder:
            for words in (
                ["inspect", server.url],
                ["embed", server.url, "--output", str(Path(folder) / "out.csv"), *OPTIONS],
            ):
                begin = time.monotonic()
                code, said, used = run(words)
                seconds, memory = time.monotonic() - begin, used.ru_maxrss * 1024
                worst_s, worst_bytes = max(worst_s, seconds), max(worst_bytes, memory)
                lines = said.splitlines()
                good = code == 2 and len(lines) == 1 and lines[0].startswith("nwb-neurid: ") and "\x1b" not in said
                good = good and seconds < LIMIT_S and memory < LIMIT_BYTES and not list(Path(folder).iterdir())
                wrong += not good
                print(f"{'' if good else f'WRONG (code {code}) '}{name}: {words[0]}: {seconds:.1f} s, {said.strip()}")
    print(
        f"{count} servers, two commands each, wrong: {wrong}; at most {worst_s:.1f} s of wall-clock time and "
        f"{worst_bytes / 2**20:.0f} MiB of memory"
    )
    return int(bool(wrong))


def servers() -> Iterator[tuple[str, dict[str, object]]]:
    """Each by a name, as the options of `serve`."""
    later = [(hostile.__name__, {"hostile": hostile}) for hostile in (*SECOND, bomb, zeros)]
    at_once = [(f"{hostile.__name__} at once", {"hostile": hostile, "at_once": True}) for hostile in FIRST]
    sizes = [(f"size {size!r}", {"hostile": zeros, "size": size}) for size in (*SIZES, 10**17)]
    for name, options in later + at_once + sizes:
        yield name.replace("_", " "), options


if __name__ == "__main__":
    sys.exit(main())
