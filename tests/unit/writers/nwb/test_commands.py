"""The options of `embed` that say where results go, and `remove`, with what they print and their exit codes."""

import hashlib

import h5py
import pytest

from nwb_neurid.writers.nwb.store import read, write


@pytest.fixture
def run(commands, recording):
    """Runs `nwb-neurid`; files without a folder lie beside the recording."""

    def command(*words, code=0):
        placed = [recording.with_name(word) if str(word).endswith(".nwb") else word for word in words]
        done = commands.run(placed, recording.parent)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return command


def names(path):
    return sorted(other.name for other in path.parent.iterdir())


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_sidecars(run, recording):
    before = sha256(recording)
    assert "recording.neurid.nwb: 6 of 6 units embedded" in run(
        "embed", "--encoder", "isi", "recording.nwb", "--sidecar"
    )
    assert sha256(recording) == before
    assert names(recording) == ["recording.neurid.nwb", "recording.nwb"]
    assert "neurid_isi: 6 of 6 units with a vector" in run("show", "recording.neurid.nwb")
    assert "recording.neurid.nwb" in run("show", "recording.nwb")


def test_sidecars_of_several_recordings_go_to_a_folder(run, tmp_path):
    (tmp_path / "out").mkdir()
    run("embed", "--encoder", "isi", "recording.nwb", "--sidecar", "--output", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["recording.neurid.nwb"]


def test_columns_of_an_encoder_without_a_label_head(run):
    said = run("embed", "--encoder", "isi", "recording.nwb", "--units-columns")
    assert "has no label head: vectors were written, but no predictions, and --units-columns had nothing to" in said


def test_remove(run, recording, embeddings, predictions):
    size = recording.stat().st_size
    write(recording, embeddings, [predictions], units_columns=True)
    assert "does not exist" in run("remove", "missing.nwb", "--name", "x", code=2)
    run("remove", "recording.nwb", "--name", "neurid_nuclr", "-o", "without.nwb")
    assert len(read(recording)) == 1
    said = run("remove", "recording.nwb", "--name", "neurid_nuclr")
    assert "recording.nwb: neurid_nuclr was removed; the file is 0." in said
    assert recording.stat().st_size <= size
    with h5py.File(recording) as file:
        assert "neurid_cell_type" not in file["units"]
    assert "holds no results" in run("remove", "recording.nwb", "--name", "neurid_nuclr", code=2)


def test_remove_needs_a_name(run):
    assert "--name" in run("remove", "recording.nwb", code=2)


def test_a_zarr_folder(run, recording, as_zarr):
    folder = as_zarr(recording)
    assert "recording.neurid.nwb: 6 of 6 units embedded" in run("embed", "--encoder", "isi", folder)
    assert "neurid_isi: 6 of 6 units with a vector" in run("show", "recording.neurid.nwb")
    assert "neurid_isi: 6 of 6 units with a vector" in run("show", folder)
    assert "holds results called 'neurid_isi' already" in run("embed", "--encoder", "isi", folder, code=2)
    run("embed", "--encoder", "isi", folder, "--overwrite")
    out = recording.with_name("out")
    out.mkdir()
    run("embed", "--encoder", "isi", folder, "--output", out, "--name", "second")
    assert [found.name for found in read(out / "recording.neurid.nwb")] == ["second"]
    assert names(recording) == ["out", "recording.neurid.nwb", "recording.nwb", "recording.nwb.zarr"]
