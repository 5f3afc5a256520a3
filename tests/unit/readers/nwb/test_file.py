"""Each way in which a file cannot be opened has its own line, which names the file and says what to do."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import SourceNotFound, UnreadableSource
from nwb_neurid.readers.nwb.file import open_file

WRITER = "import sys, h5py; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"
as_root = not hasattr(os, "geteuid") or os.geteuid() == 0


def refusal(read, path, kind=UnreadableSource):
    with pytest.raises(kind) as refused:
        read(path)
    return str(refused.value)


def test_a_missing_file(read, tmp_path):
    path = tmp_path / "missing.nwb"
    assert refusal(read, path, SourceNotFound) == f"{path} does not exist."
    assert refusal(read, path / "below.nwb", SourceNotFound) == f"{path / 'below.nwb'} does not exist."


def test_a_path_through_a_file(read, hdf5, sound):
    path = hdf5(sound) / "below.nwb"
    assert refusal(read, path, SourceNotFound) == f"{path} does not exist."


def test_a_link_to_nothing(read, tmp_path):
    path = tmp_path / "annexed.nwb"
    path.symlink_to(tmp_path / ".git" / "annex" / "missing")
    assert f"{path} is a broken link. If git-annex or DataLad manages it" in refusal(read, path, SourceNotFound)


def test_a_folder(read, tmp_path):
    message = f"{tmp_path} is a folder, an NWB file in HDF5 or Zarr was expected. Choose a file."
    assert refusal(read, tmp_path) == message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this file system")
def test_a_pipe_is_not_waited_for(read, tmp_path):
    path = tmp_path / "pipe.nwb"
    os.mkfifo(path)
    message = f"{path} is a device or a pipe, an NWB file in HDF5 was expected. Choose a file."
    assert refusal(read, path) == message


def test_an_empty_file(read, tmp_path):
    path = tmp_path / "empty.nwb"
    path.touch()
    assert refusal(read, path) == f"{path} is empty: it has 0 bytes. Fetch it again."


@pytest.mark.parametrize("text", ["not HDF5 at all", "version https://git-lfs.github.com/spec/v1\nsize 1\n", "\x89HDF"])
def test_a_text_file_called_nwb(read, tmp_path, text):
    path = tmp_path / "text.nwb"
    path.write_bytes(text.encode("latin-1"))
    assert refusal(read, path) == (
        f"{path} is not an HDF5 file, an NWB file in HDF5 was expected. Convert it, or download it again: Git LFS "
        "and DataLad may have left a small text file in its place."
    )


def test_a_truncated_file(read, hdf5, sound):
    path = hdf5(sound)
    path.write_bytes(path.read_bytes()[:2500])
    message = f"{path} is truncated: it ends at 2500 bytes, its header states more. Download it again."
    assert refusal(read, path) == message


def test_a_damaged_header(read, hdf5, sound):
    path = hdf5(sound)
    data = bytearray(path.read_bytes())
    data[8:16] = b"\xff" * 8
    path.write_bytes(data)
    message = refusal(read, path)
    assert message.startswith(f"{path} is damaged: ")
    assert message.endswith("Fetch it again.")


def test_hdf5_that_is_no_nwb(read, hdf5, sound):
    path = hdf5({**sound, "@nwb_version": None})
    message = f"{path} is an HDF5 file but not an NWB file: it states no nwb_version. Convert it to NWB."
    assert refusal(read, path) == message


def test_nwb_1(read, hdf5):
    path = hdf5({"nwb_version": "NWB-1.0.6", "units/id": [1]})
    assert refusal(read, path) == f"{path} is of NWB 1. Convert it to NWB 2."


def test_a_file_open_for_writing_in_another_process(read, hdf5, sound):
    path = hdf5(sound)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", WRITER, path], **pipes) as writer:
        assert writer.stdout.readline() == "open\n"
        message = refusal(read, path)
        writer.stdin.close()
    assert message == (
        f"{path} is open for writing in another program. Close it there; on a network file system without locks, set "
        "HDF5_USE_FILE_LOCKING=FALSE."
    )
    assert len(read(path)) == 4


def test_a_file_that_a_crash_left_open(read, tmp_path):
    path, copy = tmp_path / "recording.nwb", tmp_path / "copy.nwb"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file.flush()
        copy.write_bytes(path.read_bytes())
    assert refusal(read, copy) == (
        f"{copy} is marked as open for writing, by another program or by one that crashed. Close it there, or clear "
        "the mark in a copy (h5clear -s)."
    )


def test_a_file_that_others_read_is_read(read, hdf5, sound):
    path = hdf5(sound)
    with h5py.File(path, "r"):
        assert len(read(path)) == 4


@pytest.mark.skipif(as_root, reason="root may read everything")
def test_a_file_of_somebody_else(hdf5, sound):
    path = hdf5(sound)
    path.chmod(0)
    message = f"{path} cannot be read: permission denied. Ask its owner for access, or copy it to a folder of your own."
    with pytest.raises(UnreadableSource) as refused:
        open_file(path).__enter__()
    assert str(refused.value) == message


@pytest.mark.parametrize(("call", "what"), [("pathlib.Path.stat", "reached"), ("h5py.File", "read")])
def test_permission_is_denied(hdf5, sound, monkeypatch, call, what):
    path = hdf5(sound)

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(call, denied)
    with pytest.raises(UnreadableSource) as refused:
        open_file(path).__enter__()
    assert str(refused.value).startswith(f"{path} cannot be {what}: permission denied. Ask ")


def test_a_refused_file_is_closed(read, hdf5, sound):
    path = hdf5({**sound, "units/spike_times": np.full(6, np.nan)})
    with pytest.raises(Exception, match="must be finite seconds"):
        read(path)
    with h5py.File(path, "r+") as file:
        assert "units" in file
