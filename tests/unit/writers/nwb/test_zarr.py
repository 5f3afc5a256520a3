"""A Zarr folder is only read: results on it go into a sidecar, and it keeps every byte."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nwb_neurid.errors import CannotWrite, InvalidOption, NoResults, SourceChanged, SourceNotFound, UnreadableSource
from nwb_neurid.writers.nwb.destination import is_nwb
from nwb_neurid.writers.nwb.store import Fingerprint, check_writable, read, remove, write
from nwb_neurid.writers.options import WriteOptions

pytest.importorskip("numcodecs", reason="Zarr needs nwb-neurid[zarr]")


@pytest.fixture(scope="module")
def in_zarr(written_by_pynwb, as_zarr, tmp_path_factory):
    """The recording in Zarr, with consolidated metadata."""
    return as_zarr(Path(shutil.copy(written_by_pynwb, tmp_path_factory.mktemp("in_zarr"))))


@pytest.fixture
def folder(in_zarr, tmp_path):
    """A copy of it, alone in its folder, which must not change whatever the test does."""
    made = shutil.copytree(in_zarr, tmp_path / "recordings" / "recording.nwb.zarr")
    before = tree(made)
    yield made
    assert tree(made) == before


def tree(folder):
    """Every file in a folder, by its path."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("sidecar", [False, True])
def test_results_go_into_a_sidecar(folder, embeddings, predictions, assert_same_results, sidecar):
    path = write(folder, embeddings, [predictions], sidecar=sidecar)
    assert path == folder.with_name("recording.neurid.nwb")
    ((_, back, (part,)),) = read(path)
    assert_same_results(back, embeddings)
    assert_same_results(part, predictions)
    write(folder, embeddings, name="other")
    assert len(read(path)) == 2
    with pytest.raises(NoResults, match=r"recording\.neurid\.nwb is its sidecar"):
        read(folder)


def test_a_sidecar_elsewhere(folder, embeddings, tmp_path):
    assert write(folder, embeddings, output=tmp_path / "there.nwb") == tmp_path / "there.nwb"
    assert len(read(tmp_path / "there.nwb")) == 1


def test_on_cells(folder, cells, cell_embeddings, assert_same_results):
    path = write(folder, cell_embeddings, table=cells)
    assert_same_results(read(path)[0].embeddings, cell_embeddings)


@pytest.mark.parametrize("output", ["recording.nwb.zarr/there.nwb", "recording.nwb.zarr/units/id/0"])
def test_nothing_inside_the_folder_is_a_target(folder, embeddings, output):
    said = r"is inside the recording .*recording\.nwb\.zarr, which would be changed\. Choose another --output\."
    options = WriteOptions(name="x", output=folder.parent / output, overwrite=True)
    with pytest.raises(CannotWrite, match=said):
        check_writable(folder, options)
    with pytest.raises(CannotWrite, match=said):
        write(folder, embeddings, output=options.output, overwrite=True)


def test_columns_of_units_are_refused(folder, embeddings):
    with pytest.raises(InvalidOption, match="--units-columns writes into the recording, not into a sidecar"):
        write(folder, embeddings, units_columns=True)


def test_other_neurons_are_refused(folder, embeddings):
    with pytest.raises(CannotWrite, match="has other units in /units than the results"):
        write(folder, replace(embeddings, unit_ids=embeddings.unit_ids + 1))
    with pytest.raises(CannotWrite, match=r"has no table 'units/none'"):
        write(folder, embeddings, table="units/none")


def test_a_folder_that_changed_since_it_was_read(folder, embeddings):
    fingerprint = Fingerprint.of(folder)
    (folder / "units" / "id" / "1").write_bytes(b"other")
    with pytest.raises(SourceChanged, match=r"changed after it was read; nothing was written"):
        write(folder, embeddings, expected=fingerprint)
    (folder / "units" / "id" / "1").unlink()
    assert [path.name for path in folder.parent.iterdir()] == ["recording.nwb.zarr"]


def test_folders_that_are_no_zarr(tmp_path, embeddings):
    with pytest.raises(SourceNotFound, match="is a folder, not a file"):
        write(tmp_path, embeddings)
    with pytest.raises(UnreadableSource, match="is a folder, an NWB file in HDF5 or Zarr was expected"):
        read(tmp_path)


@pytest.fixture
def old(recording, as_zarr, embeddings, predictions):
    """A Zarr folder with results, as version 0.1 wrote them."""
    write(recording, embeddings, [predictions], units_columns=True)
    return as_zarr(recording)


def test_results_that_an_earlier_version_wrote_are_read(old, embeddings, predictions, assert_same_results):
    ((name, back, (part,)),) = read(old)
    assert name == "neurid_nuclr"
    assert_same_results(back, embeddings)
    assert_same_results(part, predictions)


def test_results_that_an_earlier_version_wrote_stay(old):
    before = tree(old)
    with pytest.raises(CannotWrite, match=r"is a Zarr folder, into which nwb-neurid 0\.1 wrote.*nwb-neurid<0\.2"):
        remove(old, "neurid_nuclr")
    assert tree(old) == before


def test_only_nwb_counts(folder, tmp_path):
    assert is_nwb(folder)
    other = shutil.copytree(folder, tmp_path / "other.zarr")
    known = json.loads((other / ".zattrs").read_text())
    (other / ".zattrs").write_text(json.dumps({**known, "nwb_version": None}))
    (other / ".zmetadata").unlink()
    assert not is_nwb(other)
    assert not is_nwb(folder.parent)
