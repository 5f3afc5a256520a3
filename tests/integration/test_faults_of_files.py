"""Every bad file gets its own line with its name, code 2, and keeps its bytes."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime

import h5py
import numpy as np
import pynwb
import pytest

HOLD = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"


def not_hdf5(path):
    path.write_text("no recording")


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def without_units(path):
    path.unlink()
    start = datetime(2020, 1, 1, tzinfo=UTC)
    bare = pynwb.NWBFile(session_description="nothing", identifier="nothing", session_start_time=start)
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(bare)


def without_spikes(path):
    with h5py.File(path, "r+") as file:
        file["units/spike_times_index"][:] = 0
        del file["units/spike_times"]
        times = file.create_dataset("units/spike_times", data=[])
        times.attrs.update({"neurodata_type": "VectorData", "namespace": "hdmf-common", "description": "none"})


def nan_times(path):
    with h5py.File(path, "r+") as file:
        file["units/spike_times"][5] = np.nan


def read_only(path):
    path.chmod(0o444)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (not_hdf5, "is not an HDF5 file"),
        (empty, "is not an HDF5 file"),
        (truncated, "is truncated"),
        (without_units, "it has no units table"),
        (without_spikes, "but no spikes"),
        (nan_times, "NaN"),
        (read_only, "is read-only"),
    ],
)
def test_bad_files(run, recording, sha256, damage, message):
    damage(recording)
    before = sha256(recording)
    said = run("embed", "--encoder", "isi", recording, code=2).stderr
    assert message in said
    assert "recording.nwb" in said
    assert sha256(recording) == before
    assert [path.name for path in recording.parent.iterdir()] == ["recording.nwb"]


@pytest.fixture
def endless(tmp_path):
    """A file whose heap of texts HDF5 (2.0 and before) searches for ever: an entry of it is 0 bytes long."""
    path = tmp_path / "endless.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file["units/id"], file["units/spike_times"], file["units/spike_times_index"] = [0, 1], [0.0, 1.0, 2.0], [2, 3]
        file["units/cell_type"] = ["PV", "SST"]
    content = path.read_bytes()
    heap = content.index(b"GCOL")
    entry = heap + 16
    while content[entry : entry + 2] != bytes(2):  # entry 0 is what is free
        entry += 16 + -(-int.from_bytes(content[entry + 8 : entry + 16], "little") // 8) * 8
    path.write_bytes(content[: entry + 8] + bytes(8) + content[entry + 16 :])
    return path


def test_a_file_on_which_hdf5_never_ends_is_refused_and_the_next_is_embedded(run, endless, recording, sha256):
    before = sha256(endless)
    done = run("embed", "--encoder", "isi", endless, recording, code=2)
    assert done.stderr.splitlines()[0].startswith(f"nwb-neurid: {endless} ")
    assert "damaged" in done.stderr
    assert f"{recording}: 12 of 12 units embedded" in done.stdout
    assert sha256(endless) == before
    assert sorted(path.name for path in recording.parent.iterdir()) == ["endless.nwb", "recording.nwb"]


def test_a_file_open_for_writing_elsewhere(run, recording, sha256):
    before = sha256(recording)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(recording)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        holder.stdout.readline()
        said = run("embed", "--encoder", "isi", recording, code=2).stderr
        holder.stdin.close()
    assert "open for writing in another program" in said
    assert "recording.nwb" in said
    assert sha256(recording) == before


def test_a_read_only_file_goes_elsewhere(run, recording, tmp_path):
    recording.chmod(0o444)
    assert "--output" in run("embed", "--encoder", "isi", recording, code=2).stderr
    run("embed", "--encoder", "isi", recording, "--output", tmp_path / "copy.nwb")


def test_unsorted_times_are_sorted_and_repeated_ids_addressed_by_row(run, recording):
    with h5py.File(recording, "r+") as file:
        first = file["units/spike_times"][:2]
        file["units/spike_times"][:2] = first[::-1]
        file["units/id"][1] = file["units/id"][0]
    said = run("embed", "--encoder", "isi", recording)
    assert "spike_times were not in ascending order in 1 of 12 units, and were sorted" in said.stderr
    assert "repeats 1 id" in said.stderr
    assert "12 of 12 units embedded" in said.stdout


def test_a_folder_and_an_unknown_format(run, tmp_path):
    (tmp_path / "folder.nwb").mkdir()
    assert "is a folder" in run("embed", "--encoder", "isi", tmp_path / "folder.nwb", code=2).stderr
    (tmp_path / "notes.txt").write_text("notes")
    said = run("embed", "--encoder", "isi", tmp_path / "notes.txt", code=2).stderr
    assert "No reader recognises" in said
    assert "nwb" in said


def test_links_are_followed(run, recording, tmp_path):
    link = tmp_path / "link.nwb"
    link.symlink_to(recording)
    run("embed", "--encoder", "isi", link)
    assert link.is_symlink()
    shutil.copy(recording, tmp_path / "copy.nwb")
    assert "neurid_isi" in run("show", tmp_path / "copy.nwb").stdout
