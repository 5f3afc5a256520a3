"""Results are saved in one piece: a kill, a full disk or a second process never leaves part of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nwb_neurid
from nwb_neurid.errors import CannotWrite, NeuridWarning

core = pytest.importorskip("spikeinterface.core", reason="spikeinterface is not installed")

from spikeinterface.core.sortinganalyzer import AnalyzerExtension  # noqa: E402

import nwb_neurid.analyzer  # noqa: E402

# SpikeInterface says so of what is in memory alone.
pytestmark = pytest.mark.filterwarnings("ignore:.*not serializable:UserWarning")

NAME = "neurid_embeddings"
SCRIPT = Path(__file__).parents[2] / "faults" / "analyzer.py"


def find_vectors(folder):
    again = nwb_neurid.load_analyzer(folder)  # its extensions hold it weakly
    extension = again.get_extension(NAME)
    return None if extension is None else extension.get_data()


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
@pytest.mark.parametrize("format", ["binary_folder", "zarr"])
def test_earlier_results_stay_at_every_moment_of_a_kill_and_on_a_full_disk(format):
    words = [sys.executable, str(SCRIPT), "--format", format, "--rounds", "2"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed: stopped, earlier results" in done.stdout


def test_a_folder_holds_one_file_of_arrays_and_what_spikeinterface_looks_for(make_analyzer):
    made = make_analyzer("binary_folder")
    vectors = made.compute(NAME, encoder="isi").get_data()
    folder = made.folder / "extensions" / NAME
    assert {path.name for path in folder.iterdir()} == {"results.npz", "params.json", "info.json", "run_info.json"}
    with np.load(folder / "results.npz", allow_pickle=False) as arrays:
        assert {"about", "data/vectors", "data/reasons", "data/n_windows", "data/stability"} <= set(arrays)
        np.testing.assert_array_equal(arrays["data/vectors"], vectors)
    assert '"nwb_neurid"' in (folder / "info.json").read_text()


def test_results_that_were_saved_in_many_files_are_read_and_replaced(saved_analyzer):
    extension = saved_analyzer.compute(NAME, encoder="isi")
    extension._reset_extension_folder()
    AnalyzerExtension.save(extension)  # as version 0.1 did
    np.testing.assert_array_equal(find_vectors(saved_analyzer.folder), extension.get_data())
    again = nwb_neurid.load_analyzer(saved_analyzer.folder)
    again.compute(NAME, encoder="isi")
    assert not list((saved_analyzer.folder / "extensions" / NAME).glob("vectors*"))
    np.testing.assert_array_equal(find_vectors(saved_analyzer.folder), extension.get_data())


def test_damaged_results_are_reported_and_the_analyzer_opens(make_analyzer):
    made = make_analyzer("binary_folder")
    made.compute(NAME, encoder="isi")
    path = made.folder / "extensions" / NAME / "results.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.warns(NeuridWarning, match="neurid_embeddings of .* is damaged and has to be computed again: "):
        assert find_vectors(made.folder) is None


@pytest.mark.parametrize("format", ["binary_folder", "zarr"])
def test_a_save_that_fails_is_one_line_and_what_was_there_stays_in_memory_too(make_analyzer, format, monkeypatch):
    made = make_analyzer(format)
    before = made.compute(NAME, encoder="isi").get_data()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nwb_neurid.analyzer.storage._pack", fail)
    with pytest.raises(CannotWrite, match=r"cannot be written.*: No space left on device\.$"):
        made.compute(NAME, encoder="isi", pool_groups=True)
    np.testing.assert_array_equal(made.get_extension(NAME).get_data(), before)
    np.testing.assert_array_equal(find_vectors(made.folder), before)
