"""Embedding in one call gives what the command writes, labels included."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from pynwb import NWBHDF5IO

import nwb_neurid
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.contracts.training import TrainingOptions
from nwb_neurid.errors import CannotWrite, InvalidModel, InvalidOption, NeuridWarning, SourceNotFound, UntrainedEncoder
from nwb_neurid.results import select
from nwb_neurid.simulate import simulate, write_nwb
from nwb_neurid.workflows import embed as workflow
from nwb_neurid.workflows.embed import embed_file
from nwb_neurid.writers.nwb.store import remove
from nwb_neurid.writers.options import WriteOptions


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_nwb(simulate(10, 30.0, 1), tmp_path_factory.mktemp("source") / "recording.nwb")


@pytest.fixture(scope="module")
def labelled(recording):
    """`isi` with a head for the simulated types."""
    animals = [replace(simulate(20, 30.0, seed).population(), subject_id=f"mouse {seed}") for seed in range(4)]
    return nwb_neurid.fit_labels("isi", animals, label="cell_type")


def test_a_path_a_population_and_the_command_give_the_same_vectors(recording, tmp_path):
    written = embed_file(recording, writing=WriteOptions(output=tmp_path / "copy.nwb"), device="cpu").embeddings
    read = nwb_neurid.read(recording, covariates=True)
    for source in (recording, str(recording), read):
        found = nwb_neurid.embed(source, device="cpu")
        np.testing.assert_array_equal(found.vectors, written.vectors)
        assert found.provenance == written.provenance
        assert found.predictions.keys() == {"putative_cell_type"}
        assert found.predictions["putative_cell_type"].abstained.all()


def test_predictions_are_those_that_the_command_writes(recording, labelled, tmp_path):
    outcome = embed_file(recording, labelled, writing=WriteOptions(output=tmp_path / "copy.nwb"))
    found = nwb_neurid.embed(recording, model=labelled)
    assert list(found.predictions) == ["putative_cell_type", "cell_type"]
    (written,) = outcome.predictions
    predicted = found.predictions["cell_type"]
    np.testing.assert_array_equal(predicted.class_probabilities, written.class_probabilities)
    np.testing.assert_array_equal(predicted.reasons, written.reasons)
    some = select(found, np.array([1, 3]))
    assert some.predictions["cell_type"].unit_ids.tolist() == predicted.unit_ids[[1, 3]].tolist()


def test_predictions_are_of_the_same_units(recording, labelled):
    found = nwb_neurid.embed(recording, model=labelled)
    few = select(found.predictions["cell_type"], np.arange(3))
    with pytest.raises(nwb_neurid.NeuridError, match="predictions of cell_type must have one row for each of 10 units"):
        replace(found, predictions={"cell_type": few})


def test_what_is_written_are_the_predictions_too(recording, labelled, tmp_path):
    found = nwb_neurid.embed(recording, model=labelled)
    nwb_neurid.write(recording, found, output=tmp_path / "copy.nwb")
    ((_, _, (written,)),) = nwb_neurid.read_results(tmp_path / "copy.nwb")
    np.testing.assert_array_equal(written.label, found.predictions["cell_type"].label)


@pytest.mark.parametrize("model", ["isi", "default-spikes"])
def test_models_have_names(recording, model):
    assert nwb_neurid.embed(recording, model=model, device="cpu").provenance.encoder in {"isi", "neurpir"}


def test_options_are_those_of_reading(recording):
    found = nwb_neurid.embed(recording, model="isi", where="id < 4")
    assert (found.reasons == "").sum() == 4
    with pytest.raises(InvalidOption, match=r"Unknown options of reading: wher\. The options are: "):
        nwb_neurid.embed(recording, model="isi", wher="id < 4")
    with pytest.raises(InvalidOption, match=r"A Population has been read already: leave out where\."):
        nwb_neurid.embed(nwb_neurid.read(recording), model="isi", where="id < 4")


@pytest.mark.parametrize(
    ("source", "model", "error"),
    [
        ("missing.nwb", "isi", SourceNotFound),
        ("", "nuclr", UntrainedEncoder),
        ("", "nowhere", InvalidModel),
    ],
)
def test_what_is_missing_is_named(recording, source, model, error):
    with pytest.raises(error):
        nwb_neurid.embed(source or recording, model=model)


def test_what_cannot_be_written_is_refused_before_reading(recording, monkeypatch, tmp_path):
    monkeypatch.setattr(workflow, "read_for", lambda *_: pytest.fail("it was read"))
    (tmp_path / "there.nwb").touch()
    for output in (tmp_path / "there.nwb", tmp_path / "no" / "out.nwb"):
        with pytest.raises(CannotWrite):
            embed_file(recording, writing=WriteOptions(output=output))


def test_where_results_went_is_told(recording, tmp_path):
    source = tmp_path / "recording.nwb"
    source.write_bytes(recording.read_bytes())
    model = nwb_neurid.new_model("isi")
    into = embed_file(source, model)
    assert (into.path, into.changed, into.names, into.tables) == (
        *(source, True, ("neurid_isi",)),
        ("neurid_isi_embeddings",),
    )
    beside = embed_file(source, model, writing=WriteOptions(sidecar=True, name="mine"))
    assert (beside.changed, beside.tables) == (False, ("mine_embeddings",))
    table = embed_file(source, model, writing=WriteOptions(format="csv"))
    assert (table.changed, table.tables) == (False, ())


def test_a_training_that_is_interrupted_writes_nothing(recording, tmp_path, monkeypatch):
    source = tmp_path / "recording.nwb"
    source.write_bytes(recording.read_bytes())

    class Log:
        finished = False

    monkeypatch.setattr(workflow, "fit", lambda model, *_, **__: (model, Log()))
    model = nwb_neurid.new_model("nuclr", preset="small", untrained=True, device="cpu")
    with pytest.raises(KeyboardInterrupt):
        embed_file(source, model, training=TrainingOptions(steps=2))
    assert source.read_bytes() == recording.read_bytes()


def test_own_labels_become_columns_of_the_units(tmp_path):
    path = write_nwb(simulate(5, 20.0, 0), tmp_path / "recording.nwb")
    with h5py.File(path, "r") as file:
        before = {name: file[f"units/{name}"][()] for name in ("cell_type", "id")}
    table = tmp_path / "labels.csv"
    table.write_text("row,layer,cell_type,electrodes\n0,4,PV,a\n3,2/3,,b\n")
    reading = ReadOptions(labels=table)
    options = {"model": nwb_neurid.new_model("isi"), "criteria": "none"}
    with pytest.warns(NeuridWarning, match="has no cell_type for 4 of 5 units of "):
        embed_file(path, reading=reading, writing=WriteOptions(units_columns=True), **options)
    with NWBHDF5IO(path, "r") as file:
        units = file.read().units
        assert units["layer"].data[:].tolist() == ["4", "", "", "2/3", ""]
        assert units["neurid_labels_electrodes"].data[:].tolist() == ["a", "", "", "b", ""]
        own = units["neurid_labels_cell_type"].data[:].tolist()
        assert own == ["PV", *before["cell_type"][1:].astype(str).tolist()], "known labels of the file stay below"
        assert units["layer"].description.startswith("layer, as the user labelled the neuron")
        np.testing.assert_array_equal(units["cell_type"].data[:], before["cell_type"].astype(str))
    table.write_text("row,layer\n0,L5\n")
    with pytest.warns(NeuridWarning, match="has no layer for 1 of 5 units"):
        embed_file(path, reading=reading, writing=WriteOptions(units_columns=True, overwrite=True), **options)
    with h5py.File(path, "r") as file:
        assert file["units/layer"][0] == b"L5"
        assert "neurid_labels_electrodes" not in file["units"]
    assert nwb_neurid.read(path).labels["layer"].tolist() == ["L5", "", "", "2/3", ""], "those of before stay known"
    remove(path, "neurid_isi")
    with h5py.File(path, "r") as file:
        assert "layer" not in file["units"]
        np.testing.assert_array_equal(file["units/cell_type"][()], before["cell_type"])


def test_own_labels_stay_out_of_the_units_unless_asked(tmp_path):
    path = write_nwb(simulate(5, 20.0, 0), tmp_path / "recording.nwb")
    table = tmp_path / "labels.csv"
    table.write_text("row,layer\n0,4\n")
    embed_file(path, model=nwb_neurid.new_model("isi"), reading=ReadOptions(labels=table), criteria="none")
    with h5py.File(path, "r") as file:
        assert "layer" not in file["units"]
