"""A copy takes the place of a file whole, or the file stays as it was and nothing lies beside it."""

import errno
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from nwb_neurid.errors import CannotWrite, SourceChanged, SourceNotFound
from nwb_neurid.writers.nwb import replacement as module
from nwb_neurid.writers.nwb.replacement import Fingerprint, check_room, replacement

on_posix = pytest.mark.skipif(os.name == "nt", reason="modes, links and locks are those of POSIX")


@pytest.fixture
def file(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "file"
    path.write_bytes(b"old" * 1000)
    return path


def replaced(file, target=None, text=b"new", extra_bytes=10):
    with replacement(file, target or file, Fingerprint.of(file), extra_bytes) as copy:
        assert copy.read_bytes()[:3000] == file.read_bytes()
        copy.write_bytes(text)


def names(path):
    return sorted(other.name for other in path.parent.iterdir())


def test_the_copy_takes_the_place(file):
    replaced(file)
    assert file.read_bytes() == b"new"
    assert names(file) == ["file"]


def test_another_target_leaves_the_source(file, unchanged, tmp_path):
    target = tmp_path / "target"
    with unchanged(file):
        replaced(file, target)
    assert target.read_bytes() == b"new"


@on_posix
def test_mode_is_kept_and_private_files_stay_private(file):
    file.chmod(0o640)
    with replacement(file, file, Fingerprint.of(file), 10) as copy:
        assert copy.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_mode & 0o777 == 0o640


@on_posix
def test_a_new_target_has_the_mode_of_any_new_file(file, tmp_path):
    file.chmod(0o444)
    (tmp_path / "any").touch()
    replaced(file, tmp_path / "target")
    assert (tmp_path / "target").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_an_error_in_the_block_leaves_everything(file, unchanged):
    with (
        unchanged(file),
        pytest.raises(RuntimeError, match="in the block"),
        replacement(file, file, Fingerprint.of(file), 10),
    ):
        raise RuntimeError("in the block")


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (module.shutil, "copyfile"),
        (module, "reserve"),
        (module, "_keep_permissions"),
        (module.os, "fsync"),
        (Path, "replace"),
    ],
)
def test_an_error_at_any_step_leaves_everything(file, unchanged, monkeypatch, owner, step):
    def fail(*_):
        raise OSError(errno.EIO, f"{step} failed")

    monkeypatch.setattr(owner, step, fail)
    with unchanged(file), pytest.raises(OSError, match=f"{step} failed"):
        replaced(file)


def test_a_folder_that_cannot_be_synced_is_no_error(file, monkeypatch):
    def fail(*_):
        raise OSError(errno.EINVAL, "not for folders")

    monkeypatch.setattr(module.os, "open", lambda path, *rest, inner=os.open: inner(path, *rest))
    with replacement(file, file, Fingerprint.of(file), 10) as copy:
        copy.write_bytes(b"new")
        monkeypatch.setattr(module.os, "open", fail)
    assert file.read_bytes() == b"new"


def test_leftovers_of_a_killed_process_are_removed(file):
    (file.parent / ".file.neurid-partial").write_bytes(b"half")
    (file.parent / ".file.neurid-lock").touch()
    replaced(file)
    assert names(file) == ["file"]


def test_a_file_that_changed_is_refused(file):
    before = Fingerprint.of(file)
    file.write_bytes(b"longer than before" * 1000)
    with (
        pytest.raises(SourceChanged, match="file changed after it was read; nothing was written"),
        replacement(file, file, before, 10),
    ):
        pytest.fail("it began")
    assert names(file) == ["file"]


def test_a_file_that_changes_meanwhile_is_refused(file):
    with pytest.raises(SourceChanged, match="changed"), replacement(file, file, Fingerprint.of(file), 10):
        file.write_bytes(b"of somebody else")
    assert file.read_bytes() == b"of somebody else"
    assert names(file) == ["file"]


def test_a_file_that_vanished_is_refused(file):
    before = Fingerprint.of(file)
    file.unlink()
    with pytest.raises(SourceChanged, match="file vanished after it was read"), replacement(file, file, before, 10):
        pytest.fail("it began")
    assert names(file) == []
    with pytest.raises(SourceNotFound, match="file does not exist"):
        Fingerprint.of(file)


def test_the_same_bytes_in_another_file_are_another_file(file):
    before = Fingerprint.of(file)
    twin = file.with_name("twin")
    twin.write_bytes(file.read_bytes())
    os.utime(twin, ns=(before.mtime_ns, before.mtime_ns))
    twin.replace(file)
    with pytest.raises(SourceChanged, match="changed"):
        before.check(file)


def test_two_writers_never_meet(file, unchanged):
    with replacement(file, file, Fingerprint.of(file), 10) as copy:
        copy.write_bytes(b"first")
        with unchanged(file), pytest.raises(CannotWrite, match="file is being written by another nwb-neurid"):
            replaced(file)
    assert file.read_bytes() == b"first"
    assert names(file) == ["file"]


def test_a_full_disk_is_noticed_before(file, unchanged, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(2_000_000))
    monkeypatch.setattr(module, "_cloned", lambda *_: False)
    said = r"the disk needs 2\.5 MB for a while and has 2\.0 MB free\. Make room, or write to another disk \(--output\)"
    with unchanged(file), pytest.raises(CannotWrite, match=said):
        replaced(file, extra_bytes=2_500_000)
    check_room(file, file)


def test_blocks_that_can_be_shared_need_no_room(file, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1_000))
    monkeypatch.setattr(module, "_cloned", lambda source, copy: bool(copy.write_bytes(source.read_bytes())))
    replaced(file, extra_bytes=500)
    assert file.read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system cannot reserve room")
def test_room_is_reserved_before_anything_is_written(file, unchanged, monkeypatch):
    """A limit on the size of files stands for a disk that fills up between the check and the writing."""
    code = (
        "import resource, sys; from pathlib import Path; "
        "from nwb_neurid.writers.nwb.replacement import Fingerprint, replacement\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); path = Path(sys.argv[1])\n"
        "with replacement(path, path, Fingerprint.of(path), 3000): print('began')"
    )
    with unchanged(file):
        done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert "began" not in done.stdout

    def unsupported(*_):
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    replaced(file)
    assert file.read_bytes() == b"new"
