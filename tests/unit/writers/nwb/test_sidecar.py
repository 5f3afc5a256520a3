"""A sidecar stands alone: valid, with the ids of the neurons, and room for further results."""

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, NoResults, ResultsExist
from nwb_neurid.writers.nwb.store import check_writable, read, remove, write
from nwb_neurid.writers.options import WriteOptions


def name_sidecar(recording):
    return recording.with_name("recording.neurid.nwb")


def test_the_recording_stays_as_it_is(recording, embeddings, predictions, assert_same_results):
    before = recording.read_bytes()
    path = write(recording, embeddings, [predictions], sidecar=True)
    assert path == name_sidecar(recording)
    assert recording.read_bytes() == before
    ((name, back, (part,)),) = read(path)
    assert name == "neurid_nuclr"
    assert_same_results(back, embeddings)
    assert_same_results(part, predictions)
    assert sorted(other.name for other in recording.parent.iterdir()) == [path.name, "recording.nwb"]
    assert path.stat().st_size < 300_000


def test_pynwb_reads_it_alone(recording, embeddings, predictions, tmp_path):
    from nwbinspector import inspect_nwbfile
    from pynwb import NWBHDF5IO, validate

    path = shutil.move(write(recording, embeddings, [predictions], sidecar=True), tmp_path / "moved.nwb")
    with NWBHDF5IO(path, "r") as io:
        nwbfile = io.read()
        module = nwbfile.processing["ecephys"]
        frame = module["neurid_nuclr_predictions_cell_type"].to_dataframe(index=True)
        ids = module["neurons"].to_dataframe()["unit_id"].iloc[frame["neuron"]]
        assert ids.tolist() == embeddings.unit_ids.tolist()
        assert frame["predicted_label"].tolist() == predictions.label.tolist()
        assert nwbfile.subject.subject_id == "mouse"
        assert "recording.nwb, identifier six units" in nwbfile.session_description
        assert nwbfile.identifier != "six units"
    assert not validate(path=path)
    found = [str(message) for message in inspect_nwbfile(nwbfile_path=path)]
    assert [message for message in found if "neurid_" in message or "neurons" in message] == []


def test_further_results_lie_side_by_side(recording, embeddings, assert_same_results):
    path = write(recording, embeddings, sidecar=True, name="first")
    write(recording, replace(embeddings, vectors=-embeddings.vectors), sidecar=True, name="second")
    assert [found.name for found in read(path)] == ["first", "second"]
    said = r"recording\.neurid\.nwb holds results called 'first' already.*--overwrite"
    before = path.read_bytes()
    with pytest.raises(ResultsExist, match=said):
        check_writable(recording, WriteOptions(sidecar=True, name="first"))
    with pytest.raises(ResultsExist, match=said):
        write(recording, embeddings, sidecar=True, name="first")
    assert path.read_bytes() == before
    write(recording, embeddings, sidecar=True, name="second", overwrite=True)
    assert_same_results(read(path, "second")[0].embeddings, embeddings)
    assert remove(path, "first") == path
    assert [found.name for found in read(path)] == ["second"]


def test_ids_that_are_text(recording, embeddings, assert_same_results):
    named = replace(embeddings, unit_ids=np.array(["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "单元", "", "c", "d", "c"]))
    with h5py.File(recording, "r+") as file:
        del file["units/id"]
        file["units/id"] = named.unit_ids.astype(object)
    path = write(recording, named, sidecar=True)
    assert_same_results(read(path)[0].embeddings, named)


def test_of_cells(recording, cells, cell_embeddings, assert_same_results):
    path = write(recording, cell_embeddings, sidecar=True, table=cells)
    assert_same_results(read(path)[0].embeddings, cell_embeddings)
    with h5py.File(path) as file:
        assert list(file["processing/ophys"]) == ["neurid_isi_embeddings", "neurid_isi_model", "neurons"]


def test_a_sidecar_of_other_neurons_or_another_file_is_kept(recording, embeddings, tmp_path):
    path = write(recording, embeddings, sidecar=True)
    with h5py.File(recording, "r+") as file:
        file["units/id"][0] = 31
    others = replace(embeddings, unit_ids=np.array([31, 7, 11, 90, 4, 2]))
    before = path.read_bytes()
    said = r"recording\.neurid\.nwb has other units in /processing/ecephys/neurons .* row 0 is 30 there and 31 in"
    with pytest.raises(CannotWrite, match=said):
        write(recording, others, sidecar=True, name="x")
    assert path.read_bytes() == before
    other = shutil.copy(recording, tmp_path / "other.nwb")
    with pytest.raises(CannotWrite, match=r"other\.nwb exists and is not a sidecar of nwb-neurid"):
        write(recording, others, sidecar=True, output=other)


def test_a_recording_says_where_its_results_are(recording, embeddings):
    write(recording, embeddings, sidecar=True)
    with pytest.raises(NoResults, match=r"holds no results of nwb-neurid\. .*recording\.neurid\.nwb is its sidecar"):
        read(recording)


def test_a_recording_without_a_start_has_no_sidecar(recording, embeddings, unchanged):
    with h5py.File(recording, "r+") as file:
        del file["session_start_time"]
    with unchanged(recording), pytest.raises(CannotWrite, match=r"no valid session_start_time.*sidecar.*: ''"):
        write(recording, embeddings, sidecar=True)
