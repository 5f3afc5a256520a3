"""Results that somebody edited or that were damaged are refused in one line, and stand in the way of nothing else."""

import json

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import NeuridWarning, UnreadableSource
from nwb_neurid.writers.nwb.store import read, remove, write

MODULE = "processing/ecephys"
EMBEDDINGS = f"{MODULE}/neurid_nuclr_embeddings"
PREDICTIONS = f"{MODULE}/neurid_nuclr_predictions_cell_type"
MODEL = f"{MODULE}/neurid_nuclr_model"


def put(place, values):
    """Another dataset with the attributes of the one that was there."""

    def change(file):
        attributes = dict(file[place].attrs)
        del file[place]
        file.create_dataset(place, data=values)
        file[place].attrs.update(attributes)

    return change


def describe(place, name, value):
    return lambda file: file[place].attrs.__setitem__(name, value)


def drop(place, name=None):
    return lambda file: file[place].attrs.__delitem__(name) if name else file.__delitem__(place)


ROWS = np.arange(6)
DAMAGES = {
    "a neuron before the first": put(f"{EMBEDDINGS}/neuron", np.array([0, 1, 2, 3, 4, -1])),
    "a neuron after the last": put(f"{EMBEDDINGS}/neuron", np.array([0, 1, 2, 3, 4, 6])),
    "a neuron of the predictions": put(f"{PREDICTIONS}/neuron", np.array([-1, 1, 2, 3, 4, 5])),
    "half a neuron": put(f"{EMBEDDINGS}/neuron", ROWS + 0.5),
    "neurons that are text": put(f"{EMBEDDINGS}/neuron", np.array(["a"] * 6, object)),
    "too few neurons": put(f"{EMBEDDINGS}/neuron", np.arange(5)),
    "no neurons": drop(f"{EMBEDDINGS}/neuron"),
    "no table": drop(f"{EMBEDDINGS}/neuron", "table"),
    "a table that is text": describe(f"{EMBEDDINGS}/neuron", "table", "units"),
    "flat vectors": put(f"{EMBEDDINGS}/embedding", np.zeros(6, np.float32)),
    "vectors that are text": put(f"{EMBEDDINGS}/embedding", np.array([["a"]] * 6, object)),
    "vectors that are complex": put(f"{EMBEDDINGS}/embedding", np.zeros((6, 2), complex)),
    "a single vector": put(f"{EMBEDDINGS}/embedding", np.float32(0)),
    "infinite vectors": put(f"{EMBEDDINGS}/embedding", np.full((6, 2), np.inf)),
    "reasons that are numbers": put(f"{EMBEDDINGS}/reason", ROWS),
    "too few windows": put(f"{EMBEDDINGS}/n_windows", ROWS[:3]),
    "windows that are text": put(f"{EMBEDDINGS}/n_windows", np.array(["a"] * 6, object)),
    "a column that is not there": describe(EMBEDDINGS, "colnames", ["neuron", "embedding", "x"]),
    "columns that are a number": describe(EMBEDDINGS, "colnames", 7),
    "a config that is no JSON": describe(MODEL, "config", "{"),
    "a config that is a list": describe(MODEL, "config", "[1]"),
    "a config that is too deep": describe(MODEL, "config", "[" * 30_000),
    "a config that is a number": describe(MODEL, "config", 7),
    "an encoder that is a number": describe(MODEL, "encoder", 7),
    "a window that is text": describe(MODEL, "window_s", "long"),
    "notes that are numbers": describe(MODEL, "notes", [1, 2]),
    "stitched that is text": describe(MODEL, "stitched", "yes"),
    "no classes": drop(PREDICTIONS, "classes"),
    "classes that are numbers": describe(PREDICTIONS, "classes", [1, 2, 3]),
    "a class twice": describe(PREDICTIONS, "classes", ["Sst", "Sst", "Vip"]),
    "too few classes": describe(PREDICTIONS, "classes", ["Pvalb"]),
    "no coverage": drop(PREDICTIONS, "coverage"),
    "a coverage that is text": describe(PREDICTIONS, "coverage", "much"),
    "a coverage above all": describe(PREDICTIONS, "coverage", 1.5),
    "too few shares": describe(PREDICTIONS, "prevalence", [0.5]),
    "probabilities that are text": put(f"{PREDICTIONS}/class_probabilities", np.array([["a"] * 3] * 6, object)),
    "flat probabilities": put(f"{PREDICTIONS}/class_probabilities", np.zeros(6)),
    "probabilities of more classes": put(f"{PREDICTIONS}/class_probabilities", np.full((6, 4), 0.25)),
    "a set of other classes": put(f"{PREDICTIONS}/prediction_set", np.array(["x"] * 9, object)),
    "sets that fall": put(f"{PREDICTIONS}/prediction_set_index", np.array([1, 2, 2, 5, 4, 9])),
    "sets beyond the end": put(f"{PREDICTIONS}/prediction_set_index", np.array([1, 2, 2, 5, 6, 900])),
    "too few sets": put(f"{PREDICTIONS}/prediction_set_index", np.array([1, 2, 2])),
    "sets that are no lists": drop(f"{PREDICTIONS}/prediction_set_index"),
    "sets of numbers": put(f"{PREDICTIONS}/prediction_set", np.arange(9)),
    "labels that are numbers": put(f"{PREDICTIONS}/predicted_label", ROWS),
    "no vectors": drop(EMBEDDINGS),
    "ids that are a group": lambda file: (file.__delitem__("units/id"), file.create_group("units/id")),
}


@pytest.fixture
def filled(recording, embeddings, predictions):
    write(recording, embeddings, [predictions])
    write(recording, embeddings, name="other")
    return recording


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_results_are_one_line(filled, kind):
    with h5py.File(filled, "r+") as file:
        DAMAGES[kind](file)
    with pytest.raises(UnreadableSource, match=r"^The results neurid_nuclr in .*\.nwb are damaged: .*nwb-neurid"):
        read(filled)
    if kind != "ids that are a group":
        assert [found.name for found in read(filled, "other")] == ["other"]


STRANGE = ("a neuron before the first", "no table", "a config that is no JSON", "no classes", "no vectors")


@pytest.mark.parametrize("kind", STRANGE)
def test_they_can_be_replaced_and_removed(filled, embeddings, predictions, kind):
    with h5py.File(filled, "r+") as file:
        DAMAGES[kind](file)
    whole = filled.read_bytes()
    write(filled, embeddings, [predictions], name="third")
    write(filled, embeddings, [predictions], overwrite=True)
    assert [found.name for found in read(filled)] == ["neurid_nuclr", "other", "third"]
    filled.write_bytes(whole)
    remove(filled, "neurid_nuclr")
    assert [found.name for found in read(filled)] == ["other"]


@pytest.mark.parametrize("values", [np.full((6, 16), "a", object), np.full((6, 16), 1j)])
def test_vectors_of_another_kind_are_not_compared(filled, embeddings, values):
    """Whether the predictions that stay are of the same vectors is asked before anything is replaced."""
    with h5py.File(filled, "r+") as file:
        put(f"{EMBEDDINGS}/embedding", values)(file)
    with pytest.warns(
        NeuridWarning, match="Predictions of cell_type were made from the old vectors and are removed with them"
    ):
        write(filled, embeddings, overwrite=True)


@pytest.mark.parametrize(
    "last", ["{", "{}", '{"type": 1}', '{"type": "NeuronEmbeddings", "attributes": []}', "{" + "[" * 30_000]
)
def test_a_damaged_description_of_a_plain_table(recording, with_other_extension, embeddings, predictions, last):
    with_other_extension(recording)
    write(recording, embeddings, [predictions])
    write(recording, embeddings, name="other")
    with h5py.File(recording, "r+") as file:
        for place in (EMBEDDINGS, PREDICTIONS):
            file[place].attrs["description"] = f"Vectors.\nndx-neurid {last}"
    with pytest.raises(UnreadableSource, match=r"The results neurid_nuclr in .* are damaged: .*description"):
        read(recording, "neurid_nuclr")
    assert [found.name for found in read(recording, "other")] == ["other"]
    write(recording, embeddings, name="third")
    write(recording, embeddings, [predictions], overwrite=True)
    assert [found.name for found in read(recording)] == ["neurid_nuclr", "other", "third"]


def test_numbers_of_json_that_nothing_can_hold(recording, with_other_extension, embeddings, predictions):
    with_other_extension(recording)
    write(recording, embeddings, [predictions])
    with h5py.File(recording, "r+") as file:
        text, _, last = file[PREDICTIONS].attrs["description"].rpartition("\n")
        about = json.loads(last.removeprefix("ndx-neurid "))
        about["attributes"]["coverage"] = 10**400
        file[PREDICTIONS].attrs["description"] = f"{text}\nndx-neurid {json.dumps(about)}"
    with pytest.raises(UnreadableSource, match="neurid_nuclr_predictions_cell_type: coverage must be float"):
        read(recording)
