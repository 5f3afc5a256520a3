"""What the dimensions of a vector are called."""

import pandas as pd

from nwb_neurid import embed, new_model, read_results, write
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.testing import mock_population
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.options import WriteOptions


def test_dimensions_are_called_what_they_are():
    table = embed(mock_population(units=3), model="isi").to_dataframe()
    names = [name for name in table if name not in ("unit_id", "n_windows", "stability", "reason")]
    assert len(names) == 53
    assert {"isi_1_to_1.33_ms", "log10_rate_hz", "cv2", "autocorrelogram_2.03_to_2.89_ms"} <= {*names}


def test_names_come_back_from_nwb_and_csv(tmp_path):
    recording = simulate(3, 5.0)
    path = write_nwb(recording, tmp_path / "a.nwb")
    embeddings = new_model("isi").embed(recording.population())
    write(path, embeddings)
    assert read_results(path)[0].embeddings.provenance.dimensions == embeddings.provenance.dimensions
    outcome = embed_file(path, new_model("isi"), writing=WriteOptions(format="csv", output=tmp_path / "a.csv"))
    assert [*pd.read_csv(outcome.path)][-53:] == list(embeddings.provenance.dimensions)
