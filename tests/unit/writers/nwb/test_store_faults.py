"""Whatever goes wrong, the file keeps its bytes, nothing lies beside it, and one line says why."""

import errno
import os
import subprocess
import sys
from collections import namedtuple

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite, SourceChanged, SourceNotFound, UnreadableSource
from nwb_neurid.writers.nwb import copying, layout
from nwb_neurid.writers.nwb.store import Fingerprint, check_writable, read, write
from nwb_neurid.writers.options import WriteOptions

on_posix = pytest.mark.skipif(os.name == "nt", reason="modes, links and signals are those of POSIX")


def names(path):
    return sorted(other.name for other in path.parent.iterdir())


def test_a_file_that_changed_since_it_was_read(recording, embeddings):
    read_as = Fingerprint.of(recording)
    write(recording, embeddings, expected=read_as)
    with pytest.raises(SourceChanged, match=r"recording\.nwb changed after it was read"):
        write(recording, embeddings, expected=read_as, overwrite=True)
    recording.unlink()
    with pytest.raises(SourceChanged, match=r"recording\.nwb vanished after it was read"):
        write(recording, embeddings, expected=read_as)
    assert names(recording) == []


def test_no_such_file(tmp_path, embeddings):
    missing = tmp_path / "missing.nwb"
    for refused in (
        lambda: write(missing, embeddings),
        lambda: check_writable(missing, WriteOptions(name="x")),
        lambda: read(missing),
    ):
        with pytest.raises(SourceNotFound, match=r"missing\.nwb does not exist"):
            refused()
    with pytest.raises(SourceNotFound, match="is a folder, not a file"):
        write(tmp_path, embeddings)


@on_posix
def test_read_only_files_and_folders_are_refused(recording, tmp_path, embeddings, unchanged):
    def refusals(said, **options):
        with unchanged(recording):
            for refused in (
                lambda path, **options: check_writable(path, WriteOptions(**options)),
                lambda path, **options: write(path, embeddings, **options),
            ):
                with pytest.raises(CannotWrite, match=said):
                    refused(recording, name="x", **options)

    recording.chmod(0o444)
    refusals(r"recording\.nwb is read-only\. Write the results elsewhere \(--output\)")
    recording.chmod(0o644)
    recording.parent.chmod(0o555)
    refusals(r"recording\.nwb cannot be written: the folder .* is read-only\. Write the results elsewhere \(--output\)")
    refusals(r"is read-only\. Choose another --output", output=recording.parent / "new.nwb")
    recording.parent.chmod(0o755)
    refusals(r"the folder .*nowhere does not exist\. Choose another --output", output=tmp_path / "nowhere" / "new.nwb")
    refusals(r"recordings is a folder\. Choose another --output", output=recording.parent)
    there = tmp_path / "there.nwb"
    there.touch()
    refusals(r"there\.nwb exists\. Replace it \(--overwrite\), or choose another --output", output=there)
    there.chmod(0o444)
    refusals(r"there\.nwb is read-only\. Choose another --output", output=there, overwrite=True)


HOLD = "import h5py, sys; file = h5py.File(sys.argv[1], 'r+'); print('open', flush=True); sys.stdin.read()"


def test_a_file_open_for_writing_elsewhere(recording, embeddings, unchanged):
    command = [sys.executable, "-c", HOLD, str(recording)]
    with (
        unchanged(recording),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder,
    ):
        holder.stdout.readline()
        said = r"Nothing was written to .*recording\.nwb: it is open for writing in another program"
        with pytest.raises(CannotWrite, match=said):
            write(recording, embeddings)
        with pytest.raises(CannotWrite, match=said):
            check_writable(recording, WriteOptions(name="x"))
        with pytest.raises(UnreadableSource, match=r"recording\.nwb is open for writing in another program"):
            read(recording)
        holder.stdin.close()


def test_files_that_are_no_recordings(recording, embeddings, unchanged):
    whole = recording.read_bytes()
    for content, said in ((b"text", "it is not an HDF5 file"), (whole[: len(whole) // 2], "it is truncated")):
        recording.write_bytes(content)
        with unchanged(recording):
            with pytest.raises(CannotWrite, match=rf"Nothing was written to .*recording\.nwb: {said}"):
                write(recording, embeddings)
            with pytest.raises(CannotWrite, match=said):
                check_writable(recording, WriteOptions(name="x"))
            with pytest.raises(UnreadableSource, match=rf"recording\.nwb {said.removeprefix('it ')}"):
                read(recording)


def test_a_full_disk_is_noticed_before_the_work(recording, embeddings, unchanged, monkeypatch):
    monkeypatch.setattr(copying.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(100_000))
    monkeypatch.setattr(copying, "_clone", lambda *_: False)
    with unchanged(recording):
        with pytest.raises(CannotWrite, match=r"the disk needs 0\.\d MB for a while and has 0\.1 MB free"):
            check_writable(recording, WriteOptions(name="x"))
        with pytest.raises(CannotWrite, match=r"recording\.nwb cannot be written: the disk needs"):
            write(recording, embeddings)


def test_a_disk_that_fills_while_writing(recording, embeddings, unchanged, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(layout, "_write_columns", fail)
    said = rf"recording\.nwb cannot be written: {os.strerror(errno.ENOSPC)}\."
    with unchanged(recording), pytest.raises(CannotWrite, match=said):
        write(recording, embeddings)


def test_what_does_not_read_back_is_not_kept(recording, embeddings, unchanged, monkeypatch):
    inner = layout._write_dataset

    def damage(group, name, values):
        return inner(group, name, np.zeros_like(values) if name == "embedding" else values)

    monkeypatch.setattr(layout, "_write_dataset", damage)
    said = r"recording\.nwb was not changed: .* could not be read back as it was written \(neurid_nuclr_embeddings\)"
    with unchanged(recording), pytest.raises(CannotWrite, match=said):
        write(recording, embeddings)


def test_a_fault_of_ours_is_no_fault_of_the_user(recording, embeddings, unchanged, monkeypatch):
    monkeypatch.setattr(layout, "write_objects", lambda *_: [][0])
    with unchanged(recording), pytest.raises(IndexError):
        write(recording, embeddings)


def test_damaged_results(recording, embeddings):
    write(recording, embeddings)
    with h5py.File(recording, "r+") as file:
        del file["processing/ecephys/neurid_nuclr_embeddings/embedding"]
    with pytest.raises(UnreadableSource, match=r"neurid_nuclr in .*recording\.nwb are damaged: .*embedding\. V"):
        read(recording)
    with h5py.File(recording, "r+") as file:
        del file["processing/ecephys/neurid_nuclr_embeddings"]
    with pytest.raises(
        UnreadableSource,
        match=r"recording\.nwb are damaged: There are no vectors\. Remove them",
    ):
        read(recording)
    write(recording, embeddings, overwrite=True)


WRITE_AND_DIE = """
import os, shutil, signal, sys
from pathlib import Path
from nwb_neurid._system import atomic
from nwb_neurid.writers.nwb import layout, writing
from nwb_neurid.writers.nwb.store import read, write

recording, results, stage = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
embeddings = read(results)[0].embeddings
owner, name = {
    "copying": (shutil, "copyfile"),
    "appending": (layout, "_write_columns"),
    "verifying": (writing, "fill"),
    "replacing": (Path, "replace"),
    "replaced": (shutil, "rmtree"),
}[stage]
inner = getattr(owner, name)

def die(*arguments, **options):
    if stage not in ("replacing", "replaced"):
        inner(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, die)
write(recording, embeddings)
"""


@on_posix
@pytest.mark.parametrize("stage", ["copying", "appending", "verifying", "replacing", "replaced"])
def test_a_killed_process_leaves_the_old_file_or_the_new_one(recording, tmp_path, embeddings, stage):
    results = tmp_path / "results.nwb"
    write(recording, embeddings, output=results)
    before = recording.read_bytes()
    command = [sys.executable, "-c", WRITE_AND_DIE, str(recording), str(results), stage]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    if stage == "replaced":
        assert len(read(recording)) == 1
    else:
        assert recording.read_bytes() == before
        assert any(name.startswith(".recording.nwb.neurid-") for name in names(recording))
    write(recording, embeddings, overwrite=True)
    assert names(recording) == ["recording.nwb"]
