"""What classes are, in the words of the model, where programs look for it that know nothing of our types."""

from dataclasses import replace

import h5py
import pytest

from nwb_neurid.errors import InvalidResults
from nwb_neurid.writers.nwb.store import read, remove, write

TABLE = "processing/ecephys/neurid_nuclr_predictions_cell_type"
SAID = {"Pvalb": "expresses parvalbumin", "Vip": "expresses vasoactive intestinal peptide"}


@pytest.fixture
def described(predictions):
    """The predictions, with descriptions of two of the three classes."""
    return replace(predictions, descriptions=SAID)


@pytest.mark.parametrize("extension", [False, True])
def test_pynwb_finds_them(recording, with_other_extension, embeddings, described, extension):
    pytest.importorskip("hdmf", "5.0", reason="hdmf before 5.0 knows no tables of meanings")
    from nwbinspector import inspect_nwbfile
    from pynwb import NWBHDF5IO, validate

    if extension:
        with_other_extension(recording)
    write(recording, embeddings, [described])
    with NWBHDF5IO(recording, "r") as io:
        table = io.read().processing["ecephys"]["neurid_nuclr_predictions_cell_type"]
        meanings = table.meanings_tables["predicted_label_meanings"]
        assert meanings.target is table["predicted_label"]
        assert dict(zip(meanings["value"][:], meanings["meaning"][:], strict=True)) == SAID
    assert not validate(path=recording)
    assert [str(found) for found in inspect_nwbfile(nwbfile_path=recording) if "neurid" in str(found)] == []
    assert read(recording)[0].predictions[0].descriptions == SAID


@pytest.mark.parametrize(
    ("versions", "form"),
    [
        (["1.8.0"], None),
        (["1.9.0"], "link"),
        (["1.10.0"], "reference"),
        (["1.8.0", "1.10.0-alpha"], "reference"),
        ([], None),
    ],
)
def test_the_schema_of_the_file_decides(recording, embeddings, described, versions, form):
    with h5py.File(recording, "r+") as file:
        cached = file["specifications/hdmf-common"]
        for version in list(cached):
            cached.move(version, f"{version}-moved")
            for other in versions:
                cached[other] = cached[f"{version}-moved"]
            del cached[f"{version}-moved"]
    write(recording, embeddings, [described])
    with h5py.File(recording) as file:
        meanings = file.get(f"{TABLE}/meanings_tables/predicted_label_meanings")
        assert (meanings is None) == (form is None)
        if form == "link":
            assert meanings["target"] == file[f"{TABLE}/predicted_label"]
        if form == "reference":
            assert file[meanings.attrs["target"]] == file[f"{TABLE}/predicted_label"]
    assert read(recording)[0].predictions[0].descriptions == SAID
    remove(recording, "neurid_nuclr")


def test_without_descriptions_there_is_no_table(recording, embeddings, predictions):
    for number, descriptions in enumerate(({}, {"Pvalb": ""})):
        write(recording, embeddings, [replace(predictions, descriptions=descriptions)], name=f"x{number}")
        with h5py.File(recording) as file:
            table = file[f"processing/ecephys/x{number}_predictions_cell_type"]
            assert "meanings_tables" not in table
            assert "class_descriptions" not in table.attrs
        assert read(recording, f"x{number}")[0].predictions[0].descriptions == {}


def test_only_classes_are_described(predictions):
    with pytest.raises(InvalidResults, match="Only classes have descriptions, got one of Lamp5"):
        replace(predictions, descriptions={"Lamp5": "expresses Lamp5"})
