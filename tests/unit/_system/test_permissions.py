"""What is made from a recording is readable by no more people than the recording."""

import os

import pytest

from nwb_neurid._system.atomic import replace_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes are those of POSIX")


@pytest.fixture(autouse=True)
def usual():
    before = os.umask(0o022)
    yield
    os.umask(before)


def make(target, *like):
    with replace_file(target, overwrite=True, like=like) as made:
        made.path.write_text("new")
    return target.stat().st_mode & 0o777


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "recording"
    path.write_text("recorded")
    return path


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o644, 0o644), (0o600, 0o600), (0o640, 0o640), (0o400, 0o600), (0o664, 0o644)]
)
def test_a_new_file_is_as_private_as_its_recording(recording, tmp_path, mode, expected):
    recording.chmod(mode)
    assert make(tmp_path / "new", recording) == expected


def test_several_recordings(recording, tmp_path):
    (tmp_path / "other").write_text("recorded")
    (tmp_path / "other").chmod(0o600)
    assert make(tmp_path / "new", recording, tmp_path / "other") == 0o600
    assert make(tmp_path / "newer", recording, tmp_path / "gone", tmp_path / ("x" * 5000)) == 0o644


def test_what_is_replaced_keeps_its_mode_unless_it_is_too_open(recording, tmp_path):
    (tmp_path / "old").write_text("old")
    (tmp_path / "old").chmod(0o640)
    assert make(tmp_path / "old", recording) == 0o640
    (tmp_path / "old").chmod(0o644)
    recording.chmod(0o600)
    assert make(tmp_path / "old", recording) == 0o600


def test_a_folder_that_others_may_not_enter_is_private(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "spikes").write_text("recorded")
    assert make(tmp_path / "a", folder) == 0o644
    (folder / "spikes").chmod(0o600)
    assert make(tmp_path / "b", folder) == 0o600
    (folder / "spikes").chmod(0o644)
    folder.chmod(0o700)
    assert make(tmp_path / "c", folder) == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_the_owner_stays(recording, tmp_path):
    os.chown(recording, 1234, 2345)
    recording.chmod(0o640)
    assert make(tmp_path / "new", recording) == 0o640
    assert ((tmp_path / "new").stat().st_uid, (tmp_path / "new").stat().st_gid) == (1234, 2345)
    (tmp_path / "old").write_text("old")
    os.chown(tmp_path / "old", 77, 88)
    assert make(tmp_path / "old", recording) == 0o600  # its group is another one, which may not read the recording
    assert ((tmp_path / "old").stat().st_uid, (tmp_path / "old").stat().st_gid) == (77, 88)
