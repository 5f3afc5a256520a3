"""Files are replaced whole, or everything stays as it was."""

import os
import signal
import socket

import pytest

from nwb_neurid._system.atomic import check_free, whole
from nwb_neurid.errors import CannotWrite, SourceNotFound


def test_all_files_take_their_places_together(tmp_path):
    targets = [tmp_path / "a", tmp_path / "b"]
    targets[0].write_text("old")
    with whole(*targets) as made:
        for path in made:
            path.write_text("new")
        assert targets[0].read_text() == "old"
    assert [target.read_text() for target in targets] == ["new", "new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (RuntimeError("stop"), RuntimeError, "^stop$"),
        (OSError(28, "No space left on device"), CannotWrite, r"a cannot be written: No space left on device\.$"),
        (SourceNotFound("gone"), SourceNotFound, "^gone$"),
    ],
)
def test_a_fault_leaves_everything_as_it_was(tmp_path, raised, expected, message):
    target = tmp_path / "a"
    target.write_text("old")

    def fail():
        with whole(target) as (made,):
            made.write_text("half")
            raise raised

    with pytest.raises(expected, match=message):
        fail()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_what_is_not_free_is_refused(tmp_path):
    target = tmp_path / "a"
    check_free(target, overwrite=False)
    target.touch()
    check_free(target, overwrite=True)
    with pytest.raises(CannotWrite, match=r"a exists\. Replace it \(--overwrite\), or write elsewhere \(--output\)\."):
        check_free(tmp_path / "b", target, overwrite=False)
    with pytest.raises(CannotWrite, match=r"\(--overwrite\), or wait\."):
        check_free(target, overwrite=False, instead="wait")
    with pytest.raises(CannotWrite, match=r"is a folder\. Name a file \(--output\)\."):
        check_free(tmp_path, overwrite=True)
    with pytest.raises(CannotWrite, match=r"b cannot be written: the folder .*no does not exist"):
        check_free(tmp_path / "no" / "b", overwrite=False)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with pytest.raises(CannotWrite, match=r"b cannot be written: the folder .*closed is read-only"):
        check_free(closed / "b", overwrite=False)


def test_a_link_is_followed_and_permissions_stay(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    with whole(link) as (made,):
        made.write_text("new")
    assert link.is_symlink()
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("new", 0o640)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are those of POSIX")
def test_what_a_killed_process_left_is_removed_and_what_others_do_is_not(tmp_path):
    target = tmp_path / "a"
    child = os.fork()
    if child == 0:
        with whole(target) as (made,):
            made.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    others = [tmp_path / f".neurid-{socket.gethostname()}-{os.getpid()}-x", tmp_path / ".neurid-elsewhere-1-x"]
    for other in others:
        other.mkdir()
    with whole(target) as (made,):
        made.write_text("new")
    assert not left.exists()
    assert sorted(tmp_path.iterdir()) == sorted([*others, target])
