"""Figures look alike wherever they are drawn: a folder that somebody downloaded changes nothing."""

import subprocess
import sys

import pytest

DRAW = """
import sys
from pathlib import Path
import numpy as np
from nwb_neurid.plots.training import draw_loss
draw_loss(np.linspace(3, 1, 20), Path(sys.argv[1]))
assert Path.cwd() == Path(sys.argv[2])
"""


def draw(folder, path):
    words = [sys.executable, "-P", "-c", DRAW, str(path), str(folder.resolve())]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return path.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        b"\xff\xfe\x00 no text",
        b"figure.dpi: many",
        b"backend: module://mine\ntext.usetex: True\naxes.facecolor: red\nfigure.figsize: 1, 1",
    ],
    ids=["damaged", "wrong", "hostile"],
)
def test_a_matplotlibrc_beside_it_changes_no_figure(tmp_path, words):
    for name in ("plain", "theirs"):
        (tmp_path / name).mkdir()
    (tmp_path / "theirs" / "matplotlibrc").write_bytes(words)
    (tmp_path / "theirs" / "mine.py").write_text("raise SystemExit('it was run')")
    assert draw(tmp_path / "plain", tmp_path / "a.png") == draw(tmp_path / "theirs", tmp_path / "b.png")
