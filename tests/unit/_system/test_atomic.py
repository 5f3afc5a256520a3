"""Files are made aside and put in place whole, or everything stays as it was."""

import errno
import os
import signal
import stat

import pytest

from nwb_neurid._system import atomic
from nwb_neurid._system.atomic import check_target, clear_leftovers, replace_file
from nwb_neurid.errors import CannotWrite, SourceNotFound

on_posix = pytest.mark.skipif(os.name == "nt", reason="modes, links and signals are those of POSIX")


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    return path


def put(target, text="new", **options):
    with replace_file(target, **{"overwrite": True, **options}) as made:
        made.path.write_text(text)


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_file_takes_its_place_when_it_is_whole(target):
    with replace_file(target, overwrite=True) as made:
        assert made.old == target
        assert not made.path.exists()
        made.path.write_text("new")
        assert target.read_text() == "old"
    assert contents(target.parent) == {"a": "new"}


def test_a_new_file(tmp_path):
    with replace_file(tmp_path / "new", overwrite=False) as made:
        assert made.old is None
        made.path.write_text("new")
        assert not (tmp_path / "new").exists()
    assert contents(tmp_path) == {"new": "new"}


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (RuntimeError("stop"), RuntimeError, "^stop$"),
        (OSError(28, "No space left on device"), CannotWrite, r"a cannot be written: No space left on device\.$"),
        (SourceNotFound("gone"), SourceNotFound, "^gone$"),
    ],
)
def test_a_fault_leaves_everything_as_it_was(target, raised, expected, message):
    def fail():
        with replace_file(target, overwrite=True) as made:
            made.path.write_text("half")
            raise raised

    with pytest.raises(expected, match=message):
        fail()
    assert contents(target.parent) == {"a": "old"}


@pytest.mark.parametrize("step", ["set_permissions", "sync", "_put"])
def test_an_error_at_any_step_leaves_everything_as_it_was(target, monkeypatch, step):
    def fail(*_):
        raise OSError(errno.EIO, f"{step} failed")

    monkeypatch.setattr(atomic, step, fail)
    with pytest.raises(CannotWrite, match=f"a cannot be written: {step} failed"):
        put(target)
    assert contents(target.parent) == {"a": "old"}


def test_what_is_there_is_not_replaced_unasked(target):
    with pytest.raises(CannotWrite, match=r"a exists\. Replace it \(--overwrite\), or write elsewhere \(--output\)\."):
        put(target, overwrite=False)
    assert contents(target.parent) == {"a": "old"}


@pytest.mark.parametrize("hard_links", [True, False])
def test_what_appeared_meanwhile_is_not_replaced(tmp_path, monkeypatch, hard_links):
    def unsupported(*_, **__):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not hard_links:
        monkeypatch.setattr(os, "link", unsupported)
    put(tmp_path / "first")
    target = tmp_path / "a"

    def race():
        with replace_file(target, overwrite=True) as made:
            made.path.write_text("new")
            target.write_text("of somebody else")

    with pytest.raises(CannotWrite, match=r"a appeared while the results were being prepared, so it was not"):
        race()
    assert contents(tmp_path) == {"a": "of somebody else", "first": "new"}


def test_what_changed_meanwhile_is_not_replaced(target):
    def race():
        with replace_file(target, overwrite=True) as made:
            made.path.write_text("new")
            target.write_text("changed by somebody else")

    with pytest.raises(CannotWrite, match=r"a changed while the results were being prepared, so it was not"):
        race()
    assert contents(target.parent) == {"a": "changed by somebody else"}


def test_what_is_not_free_is_refused(tmp_path):
    target = tmp_path / "a"
    check_target(target, overwrite=False)
    target.touch()
    check_target(target, overwrite=True)
    with pytest.raises(CannotWrite, match=r"a exists\. Replace it \(--overwrite\), or write elsewhere \(--output\)\."):
        check_target(tmp_path / "b", target, overwrite=False)
    with pytest.raises(CannotWrite, match=r"\(--overwrite\), or wait\."):
        check_target(target, overwrite=False, instead="wait")
    with pytest.raises(CannotWrite, match=r"is a folder, a file was expected\. Choose a file \(--output\)\."):
        check_target(tmp_path, overwrite=True)
    with pytest.raises(CannotWrite, match=r"b cannot be written: the folder .*no does not exist"):
        check_target(tmp_path / "no" / "b", overwrite=False)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with pytest.raises(CannotWrite, match=r"b cannot be written: the folder .*closed is read-only"):
        check_target(closed / "b", overwrite=False)


def test_a_name_that_is_too_long(tmp_path):
    long = tmp_path / ("x" * 300)
    for refused in (lambda: check_target(long, overwrite=False), lambda: put(long)):
        with pytest.raises(CannotWrite, match="cannot be written: File name too long"):
            refused()
    put(tmp_path / ("x" * 250))  # where what is hidden has to be called otherwise
    assert [path.name for path in tmp_path.iterdir()] == ["x" * 250]


@on_posix
def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for refused in (check_target, put):
        with pytest.raises(CannotWrite, match=r"pipe is a broken link, a device or a pipe, a file was expected"):
            refused(tmp_path / "pipe", overwrite=True)


@on_posix
def test_a_link_is_followed_and_permissions_stay(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    put(link)
    assert link.is_symlink()
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o640)


@on_posix
def test_nobody_else_sees_what_is_being_made(target):
    with replace_file(target, overwrite=True) as made:
        made.path.write_text("new")
        assert made.path.parent.stat().st_mode & 0o777 == 0o700
        assert made.path.parent.parent == target.parent


def kill_while_writing(target):
    child = os.fork()
    if child == 0:
        with replace_file(target, overwrite=True) as made:
            made.path.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


@on_posix
def test_what_a_killed_process_left_is_removed_and_nothing_else(target):
    kill_while_writing(target)
    assert len(contents_of(target.parent)) == 3
    others = [target.with_name(name) for name in (".a.neurid-mine", ".b.neurid-0123456789abcdef", ".a.neurid-0123")]
    for other in others:
        other.mkdir()
    outside = target.with_name("outside")
    outside.mkdir()
    target.with_name(".a.neurid-0123456789abcdef").symlink_to(outside)
    put(target)
    kept = ["a", "outside", ".a.neurid-0123456789abcdef", *(other.name for other in others)]
    assert contents_of(target.parent) == sorted(kept)


def contents_of(folder):
    return sorted(path.name for path in folder.iterdir())


@on_posix
def test_leftovers_can_be_cleared_without_writing(target):
    kill_while_writing(target)
    clear_leftovers(target)
    assert contents(target.parent) == {"a": "old"}
    with replace_file(target, overwrite=True) as made:
        made.path.write_text("new")
        clear_leftovers(target)  # which finds somebody at work, and waits for nobody
    assert contents(target.parent) == {"a": "new"}
    clear_leftovers(target.parent / "no" / "a")


def test_a_folder_that_cannot_be_synced_is_no_error(target, monkeypatch):
    inner = os.fsync

    def fail(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not for folders")
        inner(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    put(target)
    assert target.read_text() == "new"
