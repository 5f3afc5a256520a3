"""A flat table that pandas opens without us, the same from csv and from parquet."""

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nwb_neurid.errors import CannotWrite
from nwb_neurid.writers.table import KINDS, check_parquet, make_table, write_table

VECTOR = ["e0", "e1", "e2"]


def test_the_columns_and_their_order(population, embeddings, predictions):
    table = make_table(population, embeddings, [predictions])
    assert list(table) == [
        *["unit_id", "group", "cell_type", "label_reason", "label_label_reason"],
        *["n_windows", "stability", "reason"],
        *["cell_type_predicted_label", "cell_type_probability", "cell_type_prediction_set", "cell_type_abstained"],
        *["cell_type_reason", "cell_type_ood_score", "cell_type_p_PV", "cell_type_p_SST"],
        *VECTOR,
    ]
    assert table["label_reason"].tolist()[:2] == ["a", "b"]
    assert table["label_label_reason"].tolist()[0] == "x"
    np.testing.assert_array_equal(table[VECTOR].to_numpy(), embeddings.vectors)
    assert table["unit_id"].tolist() == population.unit_ids.tolist()


def test_what_is_not_known_is_missing(population, embeddings, predictions):
    table = make_table(population, embeddings, [predictions])
    assert table["cell_type"].isna().tolist() == [False, True, False, False]
    assert table["reason"].isna().tolist() == [True, False, True, True]
    assert table["cell_type_predicted_label"].isna().tolist() == [False, True, False, False]
    assert table["group"].tolist() == ["imec0", "imec0", "imec1", "imec1"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_reads_back_without_options(population, embeddings, predictions, tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="parquet needs nwb-neurid[parquet]")
    table, path = make_table(population, embeddings, [predictions]), tmp_path / f"units.{kind}"
    write_table(table, embeddings.provenance, path, kind)
    read = pd.read_csv(path) if kind == "csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(*(found.astype(object).where(found.notna(), None) for found in (read, table)))
    assert np.array_equal(read[VECTOR].to_numpy(np.float32), embeddings.vectors, equal_nan=True)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_ids_of_text_stay_text(population, embeddings, tmp_path):
    names = np.array(["plane0/0", "plane0/1", "plane1/0", "plane1/1"])
    table = make_table(population, embeddings).assign(unit_id=names)
    write_table(table, embeddings.provenance, tmp_path / "units.csv", "csv")
    assert pd.read_csv(tmp_path / "units.csv")["unit_id"].tolist() == names.tolist()


def test_parquet_tells_where_vectors_come_from(population, embeddings, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="parquet needs nwb-neurid[parquet]")
    path = tmp_path / "units.parquet"
    write_table(make_table(population, embeddings), embeddings.provenance, path, "parquet")
    schema = parquet.read_schema(path)
    told = json.loads(schema.metadata[b"nwb_neurid"])
    assert (told["encoder"], told["config"], told["notes"]) == ("isi", {"bins": 3}, ["scaled"])
    assert str(schema.field("e0").type) == "float"


def test_without_pyarrow_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(CannotWrite, match=r"through pyarrow\. Install it: pip install pyarrow"):
        check_parquet()


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_a_private_recording_is_private(population, embeddings, tmp_path, kind):
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="parquet needs nwb-neurid[parquet]")
    (tmp_path / "recording").touch(0o600)
    table, target = make_table(population, embeddings), tmp_path / f"x.{kind}"
    write_table(table, embeddings.provenance, target, kind, like=[tmp_path / "recording"])
    assert target.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CannotWrite, match=rf"x\.{kind} exists\. Replace it"):
        write_table(table, embeddings.provenance, target, kind)
    write_table(table, embeddings.provenance, target, kind, overwrite=True)
    assert target.stat().st_mode & 0o777 == 0o600


def test_no_cell_of_csv_is_a_formula(population, embeddings, tmp_path):
    texts = np.array(["=1+1", "+x", "@SUM(A1)", "-1"])
    odd = replace(population, labels={"cell_type": texts, "=name": texts}, group=texts)
    write_table(make_table(odd, embeddings), embeddings.provenance, tmp_path / "x.csv", "csv")
    cells = [cell for line in (tmp_path / "x.csv").read_text().splitlines() for cell in line.split(",")]
    assert {"'=1+1", "'+x", "'@SUM(A1)", "'-1", "'=name"} <= set(cells)
    assert not [cell for cell in cells if cell[:1] in "=+@" and cell]
    vectors = pd.read_csv(tmp_path / "x.csv")[VECTOR].to_numpy(np.float32)
    np.testing.assert_allclose(vectors, embeddings.vectors, rtol=1e-5)  # numbers below zero stay numbers
