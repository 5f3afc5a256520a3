"""Files of versions of NWB before 2.2, and columns of tables that stay as they are."""

import json

import h5py
import numpy as np
import pynwb
import pytest

from nwb_neurid.writers.nwb.dialect import Dialect, read_dialect
from nwb_neurid.writers.nwb.store import read, remove, write

HELP = {"DynamicTable": "A table.", "VectorData": "Values."}


def attribute(name, **about):
    return {"name": name, "dtype": "text", "doc": "", **about}


@pytest.fixture
def old(recording):
    """A recording whose specifications are those of an NWB without hdmf-common."""
    types = [
        {
            "neurodata_type_def": name,
            "attributes": [attribute("help", value=text), attribute("colnames", dtype="ascii")],
        }
        for name, text in HELP.items()
    ]
    with h5py.File(recording, "r+") as file:
        del file["specifications"]
        file["specifications/core/2.0.2/nwb.base"] = json.dumps({"groups": types[:1], "datasets": types[1:]})
        file["specifications/core/2.0.2/nwb.damaged"] = "{"
        file["specifications/core/2.0.2/nwb.list"] = "[1]"
        file.attrs[".specloc"] = file["specifications"].ref
        rename(file["units"])
    return recording


def rename(table):
    names = np.array([name.encode() for name in table.attrs["colnames"]])
    table.attrs.create("colnames", names, dtype=names.dtype)


def test_what_an_old_version_demands_is_read_from_the_file(old):
    with h5py.File(old) as file:
        assert read_dialect(file["specifications"]) == Dialect(tables="core", help_texts=HELP, ascii_names=True)


def test_without_specifications_tables_are_those_of_today():
    assert read_dialect(None) == Dialect()


def test_tables_of_an_old_version_are_plain_and_explain_themselves(old, embeddings, predictions, assert_same_results):
    write(old, embeddings, [predictions], units_columns=True)
    ((_, _, (back,)),) = read(old)
    assert_same_results(back, predictions)
    with h5py.File(old) as file:
        table = file["processing/ecephys/neurid_nuclr_predictions_cell_type"]
        assert (table.attrs["namespace"], table.attrs["neurodata_type"]) == ("core", "DynamicTable")
        assert (table.attrs["help"], table["reason"].attrs["help"]) == ("A table.", "Values.")
        assert "help" not in table["id"].attrs
        for each in (table, file["units"]):
            assert each.attrs["colnames"].dtype.kind == "S"
    remove(old, "neurid_nuclr")
    with h5py.File(old) as file:
        assert sorted(file["units"].attrs["colnames"].tolist()) == [b"cell_type", b"spike_times"]
        assert list(file["specifications"]) == ["core"]


def test_names_of_columns_stay_as_they_are(recording, embeddings, predictions):
    with h5py.File(recording, "r+") as file:
        rename(file["units"])
        before = file["units"].attrs["colnames"]
    write(recording, embeddings, [predictions])
    with h5py.File(recording) as file:
        after = file["units"].attrs["colnames"]
    assert (after.dtype, after.tolist()) == (before.dtype, before.tolist())
    write(recording, embeddings, [predictions], units_columns=True, overwrite=True)
    assert not pynwb.validate(path=recording)
    with h5py.File(recording) as file:
        assert file["units"].attrs["colnames"].dtype.kind == "S"


def test_a_name_that_is_not_ascii_is_written_all_the_same(recording, embeddings, predictions):
    with h5py.File(recording, "r+") as file:
        rename(file["units"])
    write(recording, embeddings, [predictions], units_columns=True, name="é")
    write(recording, embeddings, [predictions], units_columns=True, name="ü")
    with h5py.File(recording) as file:
        assert "ü_cell_type" in file["units"].attrs["colnames"]
