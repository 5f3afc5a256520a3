"""Data in other files than the recording: from its folder alone, and only where they are there."""

import os
import shutil
from io import BytesIO

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import NeuridWarning, UnreadableSource
from nwb_neurid.readers.nwb import hdf5

TIMES_S = np.array([0.5, 1.5, 2.5, 0.25, 9.75, 4.0])


@pytest.fixture
def recording(tmp_path, hdf5, sound):
    """A recording in a folder of its own, whose spike times are to be replaced by what lies elsewhere."""
    folder = tmp_path / "recording"
    folder.mkdir()
    return shutil.move(hdf5({**sound, "units/spike_times": None}), folder / "recording.nwb")


def put_external(path, name, at="units/spike_times", dtype="f8", shape=(6,)):
    with h5py.File(path, "r+") as file:
        file.create_dataset(at, shape, dtype, external=[(name, 0, h5py.h5f.UNLIMITED)])


def put_virtual(path, name, source="times", held=6, start=0):
    layout = h5py.VirtualLayout((6,), "f8")
    from_there = h5py.VirtualSource(name, source, (held + start,))
    layout[:held] = from_there[start:] if start else from_there
    with h5py.File(path, "r+") as file:
        file.create_virtual_dataset("units/spike_times", layout, fillvalue=7.0)


def put_virtual_by_pattern(path, name):
    """Of six elements in two files; HDF5 counts only those files that are there."""
    space = h5py.h5s.create_simple((6,), (h5py.h5s.UNLIMITED,))
    space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (3,), (3,))
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_virtual(space, name, b"times", h5py.h5s.create_simple((3,)))
    with h5py.File(path, "r+") as file:
        h5py.h5d.create(file["units"].id, b"spike_times", h5py.h5t.IEEE_F64LE, space, made)


def source(path, times_s=TIMES_S):
    with h5py.File(path, "w") as file:
        file["times"] = times_s
    return path


def refusal(read, path):
    with pytest.raises(UnreadableSource) as refused:
        read(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: /units/")
    assert message.endswith("Copy the files that it needs into that folder, or ask for a complete file.")
    return message


@pytest.mark.parametrize("absolute", [False, True])
def test_external_data_in_the_folder_are_read_from_wherever_the_program_runs(recording, read, monkeypatch, absolute):
    raw = recording.with_name("raw.bin")
    raw.write_bytes(TIMES_S.tobytes())
    put_external(recording, str(raw) if absolute else "raw.bin")
    monkeypatch.chdir("/")
    assert np.array_equal(np.sort(read(recording).spikes.times_s), np.sort(TIMES_S))


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "sub/../../secret", "link"])
def test_external_data_outside_the_folder_are_refused(recording, read, name):
    (recording.parent.parent / "secret").write_bytes(TIMES_S.tobytes())
    recording.with_name("link").symlink_to("../secret")
    recording.with_name("sub").mkdir()
    put_external(recording, name)
    assert "outside the folder of the recording" in refusal(read, recording)


def test_a_column_of_text_reads_no_other_file(recording, read):
    """What `inspect` would show and csv would copy."""
    put_external(recording, "/etc/passwd", at="units/quality", dtype="S16", shape=(4,))
    with h5py.File(recording, "r+") as file:
        file["units/spike_times"] = TIMES_S
    with pytest.warns(NeuridWarning, match="quality is not read: its data lie in '/etc/passwd', outside the folder"):
        assert "quality" not in read(recording).labels


def test_external_data_that_are_not_there_are_refused(recording, read, monkeypatch):
    """Also where the folder in which the program runs has a file of that name."""
    (recording.parent.parent / "raw.bin").write_bytes(TIMES_S.tobytes())
    monkeypatch.chdir(recording.parent.parent)
    put_external(recording, "raw.bin")
    assert "cannot be read (No such file or directory)" in refusal(read, recording)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("put", [put_external, put_virtual])
def test_a_pipe_with_data_is_refused(recording, read, put):
    os.mkfifo(recording.with_name("pipe"))
    put(recording, "pipe")
    assert "it is not a regular file" in refusal(read, recording)


@pytest.mark.parametrize("name", ["times.h5", "."])
def test_a_virtual_dataset_is_read_from_its_sources(recording, read, name, monkeypatch):
    put_virtual(recording, name)
    if name == ".":
        with h5py.File(recording, "r+") as file:
            file["times"] = TIMES_S
    else:
        source(recording.with_name(name))
    monkeypatch.chdir("/")
    assert np.array_equal(np.sort(read(recording).spikes.times_s), np.sort(TIMES_S))


def test_a_virtual_dataset_in_a_file_that_is_linked_counts_from_that_file(recording, read):
    folder = recording.parent / "raw"
    folder.mkdir()
    put_virtual(shutil.copy(recording, folder / "other.nwb"), "times.h5")
    source(folder / "times.h5")
    with h5py.File(recording, "r+") as file:
        file["units/spike_times"] = h5py.ExternalLink("raw/other.nwb", "units/spike_times")
    assert len(read(recording).spikes.times_s) == 6


@pytest.mark.parametrize("fault", ["file", "dataset", "end", "gap", "outside", "pattern", "damaged"])
def test_a_virtual_dataset_whose_source_is_gone_is_refused(recording, read, fault):
    """HDF5 gives its fill value, which would be spikes."""
    path = recording.with_name("times.h5")
    if fault == "dataset":
        put_virtual(recording, "times.h5", "elsewhere")
        source(path)
    elif fault == "end":
        put_virtual(recording, "times.h5", start=2)
        source(path)
    elif fault == "gap":
        put_virtual(recording, "times.h5", held=3)
        source(path)
    elif fault == "outside":
        put_virtual(recording, "../times.h5")
        source(recording.parent.parent / "times.h5")
    elif fault == "pattern":
        put_virtual_by_pattern(recording, b"times%b.h5")
        source(recording.with_name("times0.h5"), TIMES_S[:3])
        source(recording.with_name("times1.h5"), TIMES_S[3:])
    else:
        put_virtual(recording, "times.h5")
    if fault == "damaged":
        path.write_bytes(b"no HDF5")
        with pytest.raises(UnreadableSource, match="is damaged"):
            read(recording)
        return
    why = {
        "file": "cannot be read (No such file or directory)",
        "dataset": "its data lie in 'elsewhere' of ",
        "end": ", which ends before them",
        "gap": "its source files hold only 3 of its 6 elements",
        "outside": "its data lie in '../times.h5', outside the folder",
        "pattern": "the files with its data are given by a pattern, 'times%b.h5'",
    }
    assert why[fault] in refusal(read, recording)


def test_virtual_datasets_in_a_circle_are_refused(recording, read):
    put_virtual(recording, ".", "units/spike_times")
    assert "behind more than 4 virtual datasets" in refusal(read, recording)


def test_external_data_behind_a_virtual_dataset_are_refused(recording, read):
    put_virtual(recording, "times.h5")
    with h5py.File(recording.with_name("times.h5"), "w") as file:
        file.create_dataset("times", (6,), "f8", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
    assert "its data lie in '/etc/passwd', outside the folder" in refusal(read, recording)


def test_a_file_in_memory_has_no_folder(recording, read):
    """As one at a URL has none: names would count from the folder in which the program runs."""
    recording.with_name("raw.bin").write_bytes(TIMES_S.tobytes())
    put_external(recording, "raw.bin")
    with (
        h5py.File(BytesIO(recording.read_bytes())) as file,
        pytest.raises(UnreadableSource, match="is not in a folder"),
    ):
        hdf5.Hdf5Group(file, "it").dataset("units/spike_times").check_readable()


def test_a_dataset_that_is_open_already_finds_its_data_elsewhere(recording):
    """As in a file that PyNWB has open: what HDF5 then reads is not what was checked."""
    recording.with_name("raw.bin").write_bytes(TIMES_S.tobytes())
    put_external(recording, "raw.bin")
    with h5py.File(recording) as file:
        held = file["units/spike_times"]
        with pytest.raises(UnreadableSource, match="it is open already; close the file, and pass"):
            hdf5.Hdf5Group(file, "it").dataset("units/spike_times").check_readable()
        assert held.external


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("place", ["units", "units/spike_times", "general/subject"])
def test_a_link_to_a_pipe_is_refused(recording, read, place, soft):
    os.mkfifo(recording.with_name("pipe"))
    with h5py.File(recording, "r+") as file:
        if place in file:
            del file[place]
        file[place] = h5py.SoftLink("/out") if soft else h5py.ExternalLink("pipe", place)
        if soft:
            file["out"] = h5py.ExternalLink("pipe", place)
        if place != "units/spike_times":
            file["units/spike_times" if place != "units" else "other"] = TIMES_S
    with pytest.raises(UnreadableSource, match=r"pipe, which is not a file\. Put the file there"):
        read(recording)
