"""The code of the page on reading results prints what the page says; that on the format shows what lies in a file."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from nwb_neurid.writers.nwb.store import write

DOCS = Path(__file__).parents[4] / "docs"
BLOCK = re.compile(r"^```(python|r|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections():
    page = (DOCS / "howto" / "reading_results.md").read_text("utf-8")
    return {part.partition("\n")[0]: BLOCK.findall(part) for part in page.split("\n## ")[1:]}


def test_every_reader_is_shown():
    libraries = ["PyNWB", "h5py", "SpikeInterface", "pynapple", "hdmf-zarr"]
    assert list(sections()) == [*libraries, "MATLAB", "R", "From a sidecar", "nwb-neurid"]


def has_rhdf5():
    code = 'quit(status = !requireNamespace("rhdf5", quietly = TRUE))'
    return shutil.which("Rscript") and subprocess.run(["Rscript", "-e", code], check=False).returncode == 0


READERS = ["PyNWB", "h5py", "SpikeInterface", "hdmf-zarr", "R", "From a sidecar", "nwb-neurid"]


@pytest.mark.parametrize("reader", READERS)
def test_the_code_prints_what_the_page_says(recording, embeddings, predictions, reader):
    if reader == "SpikeInterface":
        pytest.importorskip("spikeinterface", reason="SpikeInterface is not installed")
    if reader == "hdmf-zarr":
        pytest.importorskip("hdmf_zarr", reason="hdmf-zarr is not installed")
        pytest.importorskip("hdmf", "5.0", reason="hdmf before 5.0 cannot export the file into Zarr")
    if reader == "R" and not has_rhdf5():
        pytest.skip("R with the package rhdf5 is not installed")
    write(recording, embeddings, [predictions], sidecar=True)
    write(recording, embeddings, [predictions], units_columns=True)
    blocks = sections()[reader]
    code = "".join(block for kind, block in blocks if kind in {"python", "r"})
    interpreter = ["Rscript", "-e"] if reader == "R" else [sys.executable, "-c"]
    done = subprocess.run([*interpreter, code], cwd=recording.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    assert printed == [line.rstrip() for kind, block in blocks if kind == "text" for line in block.splitlines()]


def dump(file):
    """Objects with the types of their data and the names of their attributes."""
    lines = []

    def note(name, item):
        attributes = ", ".join(sorted(item.attrs))
        if isinstance(item, h5py.Dataset):
            text = h5py.check_string_dtype(item.dtype) is not None
            lines.append(f"{name}  {'text' if text else item.dtype} {item.shape}")
        else:
            lines.append(f"{name}/  {attributes}")

    file["processing/ecephys"].visititems(note)
    return lines


def test_the_format_page_shows_what_lies_in_a_file(recording, embeddings, predictions):
    write(recording, embeddings, [predictions])
    page = (DOCS / "reference" / "format.md").read_text("utf-8").partition("## As it lies in a file")[2]
    (_, shown) = BLOCK.findall(page)[0]
    with h5py.File(recording) as file:
        assert shown.splitlines() == dump(file)
