"""Where results go, before anything is written."""

import os

import h5py
import pytest

from nwb_neurid.errors import CannotWrite, InvalidOption, NeuridWarning
from nwb_neurid.writers.nwb import destination as module
from nwb_neurid.writers.nwb.destination import choose_destination
from nwb_neurid.writers.nwb.store import check_writable, read, remove, write
from nwb_neurid.writers.options import WriteOptions

on_posix = pytest.mark.skipif(os.name == "nt", reason="modes and links are those of POSIX")


@pytest.fixture
def annexed(recording, tmp_path):
    """A recording as git-annex keeps it: a link to a read-only file."""
    kept = tmp_path / "data" / ".git" / "annex" / "objects" / "key"
    kept.parent.mkdir(parents=True)
    recording.rename(kept)
    kept.chmod(0o444)
    link = tmp_path / "data" / "recording.nwb"
    link.symlink_to(kept)
    return link


def test_a_sidecar_is_called_after_its_recording(recording):
    found = choose_destination(recording, WriteOptions(sidecar=True))
    assert (found.named, found.way, found.why) == (recording.with_name("recording.neurid.nwb"), "sidecar", "")
    assert (
        choose_destination(recording, WriteOptions(sidecar=True, output=recording.with_name("x.nwb"))).file.name
        == "x.nwb"
    )


@on_posix
def test_what_git_annex_keeps_gets_a_sidecar(annexed, embeddings, unchanged):
    with unchanged(annexed.resolve()):
        check_writable(annexed, WriteOptions(name="neurid_nuclr"))
        said = r"recording\.nwb is managed by git-annex, so it was not changed\. .*The results are in .*neurid\.nwb"
        with pytest.warns(NeuridWarning, match=said):
            path = write(annexed, embeddings)
        assert path == annexed.with_name("recording.neurid.nwb")
        assert len(read(path)) == 1
        said = r"is managed by git-annex, whose files must not be changed\. Unlock it.*--sidecar, --output"
        with pytest.raises(CannotWrite, match=said):
            write(annexed, embeddings, output=annexed)
        with pytest.raises(InvalidOption, match=r"--units-columns writes into the recording.*git-annex"):
            check_writable(annexed, WriteOptions(name="x", units_columns=True))


@on_posix
def test_a_link_elsewhere_is_followed(recording, tmp_path):
    link = tmp_path / "link.nwb"
    link.symlink_to(recording)
    found = choose_destination(link, WriteOptions())
    assert (found.named, found.file, found.way) == (link, recording.resolve(), "copy")


def test_a_huge_file_gets_a_sidecar_unless_a_way_is_chosen(recording, embeddings, monkeypatch, tmp_path):
    with recording.open("rb+") as file:
        file.truncate(module.MOST_COPIED_BYTES + 1)  # sparse: it takes no room
    assert choose_destination(recording, WriteOptions(output=recording)).way == "copy"
    assert choose_destination(recording, WriteOptions(output=tmp_path / "x.nwb")).way == "copy"
    with recording.open("rb+") as file:
        file.truncate(10_000_000)
    monkeypatch.setattr(module, "MOST_COPIED_BYTES", 5_000_000)
    said = (
        r"recording\.nwb has 0\.0 GB, which would have to be copied, .*: --output .*recording"
        r"\.nwb\. The results are in .*recording\.neurid\.nwb\."
    )
    before = recording.stat()
    with pytest.warns(NeuridWarning, match=said):
        path = write(recording, embeddings)
    assert path.name == "recording.neurid.nwb"
    assert recording.stat().st_mtime_ns == before.st_mtime_ns
    write(recording, embeddings, output=recording)
    assert remove(recording, "neurid_nuclr") == recording
    with h5py.File(recording) as file:
        assert "processing/ecephys" not in file


@on_posix
def test_read_only_recordings_and_folders(recording, tmp_path, embeddings, unchanged):
    recording.chmod(0o444)
    with unchanged(recording), pytest.raises(CannotWrite, match=r"is read-only\..*\(--output\).*\(--sidecar\)"):
        write(recording, embeddings)
    assert write(recording, embeddings, sidecar=True).name == "recording.neurid.nwb"
    recording.with_name("recording.neurid.nwb").chmod(0o444)
    with pytest.raises(CannotWrite, match=r"recording\.neurid\.nwb is read-only\. Choose a place for it"):
        write(recording, embeddings, sidecar=True, name="x")
    recording.parent.chmod(0o555)
    said = r"the folder .*recordings is read-only\. Choose a place for it \(--sidecar --output\)"
    with pytest.raises(CannotWrite, match=said):
        check_writable(recording, WriteOptions(name="y", sidecar=True))
    assert write(recording, embeddings, sidecar=True, output=tmp_path / "there.nwb").exists()
    recording.parent.chmod(0o755)


def test_sidecars_that_cannot_be(recording, embeddings, unchanged):
    with unchanged(recording):
        with pytest.raises(InvalidOption, match=r"recording\.nwb cannot be its own sidecar: leave out --sidecar"):
            write(recording, embeddings, sidecar=True, output=recording)
        with pytest.raises(CannotWrite, match=r"recordings is a folder\. Choose a place for it"):
            write(recording, embeddings, sidecar=True, output=recording.parent)
        said = r"--units-columns writes into the recording, not into a sidecar\. A sidecar leaves the recording"
        for refused in (
            lambda path, **options: check_writable(path, WriteOptions(**options)),
            lambda path, **options: write(path, embeddings, **options),
        ):
            with pytest.raises(InvalidOption, match=said):
                refused(recording, name="x", sidecar=True, units_columns=True)
