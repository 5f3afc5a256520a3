"""The code of docs/format.md runs, and prints what the page says."""

import re
import subprocess
import sys
from pathlib import Path

from nwb_neurid.ndx.store import write

PAGE = Path(__file__).parents[3] / "docs" / "format.md"


def test_the_code_prints_what_the_page_says(recording, embeddings, predictions):
    write(recording, embeddings, [predictions])
    blocks = re.findall(r"^```(python|text)\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    code = "".join(block for kind, block in blocks if kind == "python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=recording.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    assert printed == [line.rstrip() for kind, block in blocks if kind == "text" for line in block.splitlines()]
