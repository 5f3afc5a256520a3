"""A dataset holds what was embedded, whole, and reads as one table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, NoResults, UnreadableSource
from nwb_neurid.population import Population, Traces
from nwb_neurid.results import Embeddings, Provenance
from nwb_neurid.testing import mock_population
from nwb_neurid.writers.dataset import MANIFEST, choose_part, is_dataset, prepare_folder, read_dataset
from nwb_neurid.writers.nwb.entry import Results

pytest.importorskip("pyarrow", reason="datasets need nwb-neurid[parquet]")


def part(folder, source, key="0123456789abcdef"):
    return choose_part(folder, source, key, lambda one: np.arange(len(one)))


def embed(population, dim=3, reasons=None):
    vectors = np.arange(len(population) * dim, dtype=np.float32).reshape(-1, dim)
    about = Provenance(encoder="made", config={"a": [1]}, weights_sha256="w", notes=("a note",))
    return Embeddings.of(population, vectors, reasons=reasons, provenance=about)


@pytest.fixture
def folder(tmp_path):
    prepare_folder(tmp_path / "vectors")
    return tmp_path / "vectors"


def test_what_is_written_is_read(folder):
    population = replace(
        mock_population(units=3),
        labels={"cell_type": np.array(["PV", "", "SST"])},
        subject_id="mouse/1",
        session_id="first",
        group=np.array(["a", "a", "b"]),
        positions_um=np.array([[1, 2, 3], [np.nan] * 3, [4, 5, 6]], np.float32),
    )
    embeddings = embed(population, reasons=["", "silent", ""])
    path = part(folder, "there/a.nwb").write(population, [Results("n", embeddings, [])])
    assert path == folder / "mouse%2F1" / "a.0123456789ab.parquet"
    (found,) = read_dataset(folder)
    np.testing.assert_array_equal(found.embeddings.vectors, embeddings.vectors)
    np.testing.assert_array_equal(found.embeddings.reasons, embeddings.reasons)
    np.testing.assert_array_equal(found.population.unit_ids, population.unit_ids)
    assert found.population.unit_ids.dtype == population.unit_ids.dtype
    assert found.embeddings.provenance == embeddings.provenance
    assert found.population.labels["cell_type"].tolist() == ["PV", "", "SST"]
    assert (found.population.subject_id, found.population.session_id) == ("mouse/1", "first")
    assert found.population.source == "there/a.nwb"
    np.testing.assert_array_equal(found.population.positions_um, population.positions_um)
    assert found.population.group.tolist() == ["a", "a", "b"]
    np.testing.assert_array_equal(found.spikes, population.spikes.counts())
    np.testing.assert_array_equal(found.observed_s, population.unit_duration_s())


def test_traces_and_empty_recordings_have_their_place(folder):
    traces = Population(
        unit_ids=np.array(["x", "y"]),
        activity=Traces(values=np.ones((2, 10), np.float32), rate_hz=10.0),
        observed_s=np.array([[0.0, 1.0]]),
    )
    part(folder, "traces.nwb").write(traces, [Results("n", embed(traces), [])])
    empty = mock_population(units=0)
    part(folder, "empty.nwb").write(empty, [Results("n", embed(empty), [])])
    nothing, found = read_dataset(folder)
    assert len(nothing.population) == len(nothing.embeddings) == 0
    assert found.population.activity.kind == "dff"
    assert found.spikes is None
    assert found.population.unit_ids.tolist() == ["x", "y"]


def test_pandas_reads_the_folder_as_one_table(folder):
    import pandas as pd

    for number, dim in enumerate((3, 4)):
        one = replace(mock_population(units=2), subject_id=f"00{number}", labels={f"l{number}": np.array(["a", ""])})
        part(folder, f"{number}.nwb", key=str(number)).write(one, [Results("n", embed(one, dim), [])])
    (folder / MANIFEST).write_bytes(b"no parquet")
    table = pd.read_parquet(folder)
    assert table["subject"].tolist() == ["000", "000", "001", "001"]
    assert [len(vector) for vector in table["vector"]] == [3, 3, 4, 4]
    assert [list(each) for each in table["labels"]] == [[("l0", "a")], [], [("l1", "a")], []]


@pytest.mark.parametrize("source", ["https://there/x/y.nwb?a=b", "..", "a\\b.nwb", "_x.nwb", "n" * 300, "a/.nwb"])
def test_names_of_files_are_harmless(folder, source):
    population = replace(mock_population(units=1), subject_id="../..")
    path = part(folder, source).write(population, [Results("n", embed(population), [])])
    assert path.resolve().is_relative_to(folder.resolve())
    assert path.parent.parent == folder
    assert not path.name.startswith(("_", "."))
    assert len(read_dataset(folder)) == 1


def test_a_dataset_that_another_run_begins_meanwhile_is_one(tmp_path, monkeypatch):
    listing = Path.iterdir

    def begin(folder):
        (folder / MANIFEST).touch()
        return listing(folder)

    monkeypatch.setattr(Path, "iterdir", begin)
    prepare_folder(tmp_path)
    assert is_dataset(tmp_path)


def test_only_a_new_or_an_empty_folder_becomes_a_dataset(tmp_path):
    (tmp_path / "file").write_text("theirs")
    with pytest.raises(CannotWrite, match="is a file"):
        prepare_folder(tmp_path / "file")
    with pytest.raises(CannotWrite, match="holds other files"):
        prepare_folder(tmp_path)
    assert not is_dataset(tmp_path)
    assert not is_dataset("https://there/x")


def test_an_empty_dataset_and_damaged_files_are_one_line(folder):
    with pytest.raises(NoResults, match="holds no recording yet"):
        read_dataset(folder)
    population = mock_population(units=2)
    path = part(folder, "a.nwb").write(population, [Results("n", embed(population), [])])
    whole = path.read_bytes()
    for damaged in (b"", b"PAR1", whole[: len(whole) // 2], whole.replace(b"unit_id", b"unit_ie")):
        path.write_bytes(damaged)
        with pytest.raises(UnreadableSource, match=f"{path.name} is not a file of a dataset of vectors, or is damaged"):
            read_dataset(folder)


def test_a_table_of_another_program_is_refused(folder):
    import pandas as pd

    (folder / "x").mkdir()
    pd.DataFrame({"a": [1]}).to_parquet(folder / "x" / "theirs.parquet")
    with pytest.raises(UnreadableSource, match=r"theirs\.parquet is not a file of a dataset"):
        read_dataset(Path(folder))
