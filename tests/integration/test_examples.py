"""The scripts of examples/ run as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

import nwb_neurid

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_from_spikeinterface_to_nwb(tmp_path):
    pytest.importorskip("spikeinterface", reason="spikeinterface is not installed")
    script = EXAMPLES / "spikeinterface_to_nwb.py"
    assert len(script.read_text("utf-8").splitlines()) < 60
    words = [sys.executable, str(script), str(tmp_path), "20"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "results.nwb: neurid_isi, Embeddings(12 of 12 units, dim 53, 'isi')" in done.stdout
    ((_, embeddings, (predictions,)),) = nwb_neurid.read_results(tmp_path / "results.nwb")
    assert predictions.label_name == "cell_type"
    assert len(predictions) == len(embeddings) == 12
    again = nwb_neurid.load_analyzer(tmp_path / "analyzer.zarr")
    assert again.get_extension("neurid_predictions").predictions().label.tolist() == predictions.label.tolist()
