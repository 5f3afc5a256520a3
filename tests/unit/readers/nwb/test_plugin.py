"""The reader as a plugin: what it takes for its own, told cheaply and without raising."""

import pytest

from nwb_neurid.contracts import CONTRACT, ReadOptions
from nwb_neurid.errors import SourceNotFound
from nwb_neurid.readers.nwb import PLUGIN


def test_the_plugin_is_written_for_this_contract():
    assert (PLUGIN.spec.name, PLUGIN.spec.contract) == ("nwb", CONTRACT)


@pytest.mark.parametrize("name", ["recording.nwb", "recording.NWB", "recording.h5", "recording"])
def test_an_hdf5_file_is_recognised_by_any_name(hdf5, sound, name):
    path = hdf5(sound, name)
    assert PLUGIN.recognises(path)
    assert PLUGIN.recognises(str(path))


def test_what_is_called_nwb_is_recognised_so_that_its_fault_can_be_told(tmp_path):
    path = tmp_path / "text.nwb"
    path.write_text("version https://git-lfs.github.com/spec/v1")
    assert PLUGIN.recognises(path)


@pytest.mark.parametrize("source", [None, 7, object(), b"recording.nwb", "", "missing", "nul\0byte", "x" * 10_000])
def test_other_sources_are_not(source):
    assert not PLUGIN.recognises(source)


def test_other_files_and_folders_are_not(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not an HDF5 file")
    assert not PLUGIN.recognises(text)
    assert not PLUGIN.recognises(tmp_path)


def test_a_path_may_be_text(hdf5, sound, read):
    path = hdf5(sound)
    assert read(path).source == str(path)
    with pytest.raises(SourceNotFound):
        PLUGIN.read("missing.nwb", ReadOptions())
