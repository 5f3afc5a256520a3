"""What is written is read by PyNWB alone, valid, and beside everything else in the file as it was."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest

from nwb_neurid.results import Embeddings, Provenance
from nwb_neurid.writers.nwb import store

LOOK = """
import json, sys
from nwbinspector import inspect_nwbfile
from pynwb import NWBHDF5IO, validate

def rows(table):
    frame = table.to_dataframe(index=True)
    return {name: [list(map(str, cell)) if hasattr(cell, "__len__") and not isinstance(cell, str) else str(cell)
                   for cell in frame[name]] for name in frame}

seen = {}
for path in sys.argv[1:]:
    with NWBHDF5IO(path, "r") as io:
        nwbfile = io.read()
        objects = {}
        for module in nwbfile.processing.values():
            for name, found in module.data_interfaces.items():
                if not name.startswith("neurid_"):
                    continue
                about = objects[name] = {"module": module.name, "type": type(found).__name__}
                about["description"] = found.description
                if about["type"] == "NeuronEncoderModel":
                    about["fields"] = {key: str(value) for key, value in found.fields.items()}
                    continue
                about["rows"] = rows(found)
                about["ids"] = found.id[:].tolist()
                target = found["neuron"].table
                about["is_units"] = target is nwbfile.units
                about["target"] = target.name
                about["target_ids"] = found["neuron"][:].index.tolist()
                about["frame"] = list(found.to_dataframe().shape)
                about["model"] = getattr(getattr(found, "model", None), "name", None)
        seen[path] = {"objects": objects}
    seen[path]["faults"] = [str(fault) for fault in validate(path=path)]
    seen[path]["messages"] = [
        [message.importance.name, str(message.object_name), message.message]
        for message in inspect_nwbfile(nwbfile_path=path)
    ]
assert "nwb_neurid" not in sys.modules
json.dump(seen, sys.stdout)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, written_by_pynwb, cells, with_other_extension, untrained, predictions, cell_embeddings):
    """Results on units, of an untrained encoder, and on cells; the same in a file with another extension."""
    folder = tmp_path_factory.mktemp("written")
    for name in ("ndx", "core"):
        shutil.copy(written_by_pynwb, folder / f"{name}.nwb")
    with_other_extension(folder / "core.nwb")
    for path in folder.iterdir():
        store.write(path, untrained, [replace(predictions, provenance=untrained.provenance)])
        store.write(path, cell_embeddings, table=cells)
    return folder


@pytest.fixture(scope="module")
def seen(folder):
    """What PyNWB and nwbinspector make of the files, in a process without nwb-neurid."""
    names = sorted(path.name for path in folder.iterdir())
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *names],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.index("{") :])


@pytest.mark.parametrize("name", ["ndx.nwb", "core.nwb"])
def test_pynwb_and_nwbinspector_find_no_fault(seen, name):
    assert seen[name]["faults"] == []
    assert [message for message in seen[name]["messages"] if "neurid" in str(message)] == []
    assert [message for message in seen[name]["messages"] if message[0] in ("CRITICAL", "ERROR")] == []


def test_types_come_from_the_file_itself(seen):
    types = {name: found["type"] for name, found in seen["ndx.nwb"]["objects"].items()}
    assert types == {
        "neurid_nuclr_model": "NeuronEncoderModel",
        "neurid_nuclr_embeddings": "NeuronEmbeddings",
        "neurid_nuclr_predictions_cell_type": "NeuronPredictions",
        "neurid_isi_model": "NeuronEncoderModel",
        "neurid_isi_embeddings": "NeuronEmbeddings",
    }


def test_beside_another_extension_tables_are_plain(seen):
    found = seen["core.nwb"]["objects"]
    tables = {name for name in seen["ndx.nwb"]["objects"] if not name.endswith("_model")}
    assert found.keys() == tables
    assert {about["type"] for about in found.values()} == {"DynamicTable"}
    for name, about in found.items():
        same = seen["ndx.nwb"]["objects"][name]
        assert about["rows"] == same["rows"]
        assert about["description"].startswith(f"{same['description']}\n")


@pytest.mark.parametrize("name", ["ndx.nwb", "core.nwb"])
def test_rows_lead_to_their_units_and_cells(seen, embeddings, name):
    for table, about in seen[name]["objects"].items():
        if "nuclr" in table and about["type"] != "NeuronEncoderModel":
            assert (about["module"], about["is_units"]) == ("ecephys", True)
            assert about["target_ids"] == about["ids"] == embeddings.unit_ids.tolist()
            assert about["frame"][0] == 6
    about = seen[name]["objects"]["neurid_isi_embeddings"]
    assert (about["module"], about["target"], about["target_ids"]) == ("ophys", "PlaneSegmentation", [0, 1, 2, 3])


def test_tables_show_what_was_written(seen, embeddings, predictions):
    rows = seen["ndx.nwb"]["objects"]["neurid_nuclr_embeddings"]["rows"]
    assert list(rows) == ["neuron", "embedding", "n_windows", "stability", "reason"]
    np.testing.assert_array_equal(np.array(rows["embedding"], np.float32), embeddings.vectors)
    assert rows["reason"] == embeddings.reasons.tolist()
    rows = seen["ndx.nwb"]["objects"]["neurid_nuclr_predictions_cell_type"]["rows"]
    assert rows["predicted_label"] == predictions.label.tolist()
    assert rows["prediction_set"][:4] == [["Pvalb"], ["Sst"], [], ["Pvalb", "Sst", "Vip"]]
    assert rows["abstained"] == [str(value) for value in predictions.abstained]


def test_tables_lead_to_their_model(seen):
    found = seen["ndx.nwb"]["objects"]
    for name in ("neurid_nuclr_embeddings", "neurid_nuclr_predictions_cell_type"):
        assert found[name]["model"] == "neurid_nuclr_model"
    fields = found["neurid_nuclr_model"]["fields"]
    assert json.loads(fields["config"]) == {"dim": 16, "layers": [1, 2]}
    assert fields["training"] == "untrained: random weights"
    assert fields["stitched"] == "True"
    assert "Two units were merged." in fields["notes"]


def test_an_untrained_encoder_is_named_so(seen):
    for name, about in seen["ndx.nwb"]["objects"].items():
        assert ("The encoder is untrained" in about["description"]) == ("nuclr" in name)
        assert ("stitched together" in about["description"]) == ("nuclr" in name)


@pytest.mark.parametrize("name", ["ndx.nwb", "core.nwb"])
def test_everything_else_is_as_it_was(folder, written_by_pynwb, everything, name):
    before, after = everything(written_by_pynwb), everything(folder / name)
    assert {place: after[place] for place in before} == before
    new = {place.split(" ")[0] for place in after.keys() - before.keys()}
    ours = ("processing/ecephys", "processing/ophys/neurid_", "specifications/ndx-")
    assert [place for place in new if not place.startswith(ours)] == []


def test_without_a_cached_specification_tables_are_plain(recording, embeddings, assert_same_results):
    with h5py.File(recording, "r+") as file:
        del file["specifications"], file.attrs[".specloc"]
    store.write(recording, embeddings)
    with h5py.File(recording, "r") as file:
        assert "specifications" not in file
        assert file["processing/ecephys/neurid_nuclr_embeddings"].attrs["neurodata_type"] == "DynamicTable"
    assert_same_results(store.read(recording)[0].embeddings, embeddings)


def test_vectors_can_grow(recording, embeddings):
    store.write(recording, embeddings)
    with h5py.File(recording, "r") as file:
        vectors = file["processing/ecephys/neurid_nuclr_embeddings/embedding"]
        assert vectors.dtype == np.float32
        assert vectors.maxshape == (None, 16)
        assert vectors.chunks == (6, 16)
        assert vectors.compression is None


def test_chunks_are_of_one_size_so_that_none_is_half_empty(recording):
    many = 1500
    with h5py.File(recording, "r+") as file:
        del file["units/id"]
        file["units/id"] = np.arange(many)
    large = Embeddings(
        vectors=np.ones((many, 512), np.float32),
        unit_ids=np.arange(many),
        n_windows=np.ones(many, np.int32),
        stability=np.full(many, np.nan, np.float32),
        reasons=np.full(many, ""),
        provenance=Provenance(encoder="large"),
    )
    store.write(recording, large, name="large")
    with h5py.File(recording, "r") as file:
        vectors = file["processing/ecephys/large_embeddings/embedding"]
        assert vectors.chunks == (750, 512)
        assert vectors.id.get_storage_size() == large.vectors.nbytes


def test_repeated_ids_are_rows_in_the_table_and_ids_in_the_results(recording, embeddings, assert_same_results):
    ids = np.array([1, 1, 2, 3, 3, 3])
    with h5py.File(recording, "r+") as file:
        file["units/id"][:] = ids
    repeated = replace(embeddings, unit_ids=ids)
    store.write(recording, repeated)
    with h5py.File(recording, "r") as file:
        assert file["processing/ecephys/neurid_nuclr_embeddings/id"][:].tolist() == list(range(6))
    assert_same_results(store.read(recording)[0].embeddings, repeated)
