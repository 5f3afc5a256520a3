"""Predictions as columns of Units: side by side, and no other column is touched."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, ResultsExist
from nwb_neurid.writers.nwb.store import read, remove, write

SHOWN = ["Pvalb", "Sst", "", "", "Vip", "Vip"]  # the fourth is declined


def columns(path):
    with h5py.File(path, "r") as file:
        names = list(file["units"].attrs["colnames"])
        assert set(names) <= set(file["units"])
        return names


def test_pynwb_shows_them(recording, embeddings, predictions, everything):
    from nwbinspector import inspect_nwbfile
    from pynwb import NWBHDF5IO, validate

    before = everything(recording)
    write(recording, embeddings, [predictions], units_columns=True)
    assert columns(recording)[-2:] == ["neurid_cell_type", "neurid_cell_type_probability"]
    with NWBHDF5IO(recording, "r") as io:
        units = io.read().units
        assert units["neurid_cell_type"][:].tolist() == SHOWN
        np.testing.assert_array_equal(units["neurid_cell_type_probability"][:], predictions.probability)
        assert units["cell_type"][:].tolist() == ["Pvalb"] * 6
        said = units["neurid_cell_type"].description
        assert said.startswith("Predicted cell_type among opto-tagged interneurons of mouse V1. Empty if the model")
    assert not validate(path=recording)
    assert [str(found) for found in inspect_nwbfile(nwbfile_path=recording) if "neurid" in str(found)] == []
    after = everything(recording)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"units @colnames"}
    assert read(recording)[0].predictions[0].label.tolist() == predictions.label.tolist()


def test_labels_and_encoders_live_side_by_side(recording, embeddings, predictions):
    region = replace(predictions, label_name="brain_region")
    write(recording, embeddings, [predictions, region], units_columns=True, name="first")
    write(recording, embeddings, [predictions], units_columns=True, name="second")
    names = columns(recording)
    pair = ("", "_probability")
    for label in ("neurid_cell_type", "neurid_brain_region", "second_cell_type"):
        assert {label + end for end in pair} <= set(names)
    remove(recording, "first")
    assert [name for name in columns(recording) if "cell_type_" in name] == ["second_cell_type_probability"]
    remove(recording, "second")
    assert set(columns(recording)) == {"spike_times", "cell_type"}


def test_they_are_replaced_with_the_results_only(recording, embeddings, predictions):
    write(recording, embeddings, [predictions], units_columns=True)
    with pytest.raises(ResultsExist, match="--overwrite"):
        write(recording, embeddings, [predictions], units_columns=True)
    other = replace(predictions, label=np.array(["Sst"] * 2 + [""] + ["Sst"] * 3))
    write(recording, embeddings, [other], units_columns=True, overwrite=True)
    with h5py.File(recording) as file:
        assert file["units/neurid_cell_type"].asstr()[:].tolist() == ["Sst", "Sst", "", "", "Sst", "Sst"]
    assert columns(recording)[-2:] == ["neurid_cell_type", "neurid_cell_type_probability"]
    write(recording, embeddings, [other], overwrite=True)
    assert set(columns(recording)) == {"spike_times", "cell_type"}


def test_columns_of_others_are_never_replaced(recording, embeddings, predictions, unchanged):
    with h5py.File(recording, "r+") as file:
        for name in ("neurid_cell_type", "x_cell_type"):
            file.copy("units/cell_type", f"units/{name}")
        names = [*file["units"].attrs["colnames"], "neurid_cell_type", "x_cell_type"]
        file["units"].attrs["colnames"] = names
    said = "already has other columns called x_cell_type in /units, which are not replaced. Choose another name"
    with unchanged(recording), pytest.raises(CannotWrite, match=said):
        write(recording, embeddings, [predictions], units_columns=True, name="x", overwrite=True)
    write(recording, embeddings, [predictions], units_columns=True, name="y")
    assert columns(recording)[-2:] == ["y_cell_type", "y_cell_type_probability"]


def test_probabilities_that_are_not_known_have_no_column(recording, embeddings, predictions):
    bare = replace(predictions, class_probabilities=np.full((6, 3), np.nan, np.float32))
    write(recording, embeddings, [bare], units_columns=True)
    assert columns(recording)[-1] == "neurid_cell_type"


def test_columns_that_do_not_read_back_are_not_kept(recording, embeddings, predictions, unchanged, monkeypatch):
    from nwb_neurid.writers.nwb import layout

    monkeypatch.setattr(layout, "name_columns", lambda *_, **__: None)
    monkeypatch.setattr(layout, "_write_columns", lambda group, *_: group.attrs.create("colnames", ["neuron"]))
    with (
        unchanged(recording),
        pytest.raises(CannotWrite, match=r"could not be read back as it was written \(.*_cell_type_probability\)"),
    ):
        write(recording, embeddings, [predictions], units_columns=True)
