"""Files that may be anything: pipes, devices, folders, and JSON that is no text or has no end."""

import os

import pytest

from nwb_neurid._system.files import check_regular, read_bytes, read_json


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("read", [check_regular, read_bytes, read_json])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link"])
def test_only_regular_files_are_opened(tmp_path, read, kind):
    path = tmp_path / kind
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("nowhere")
    with pytest.raises(OSError, match=r"not a regular file|Is a directory|No such file"):
        read(path)


def test_json_that_has_no_end_is_refused(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text('{"a":' * 200_000 + "1" + "}" * 200_000)
    with pytest.raises(ValueError, match="it is nested too deep"):
        read_json(path)


def test_halves_of_characters_are_replaced(tmp_path):
    path = tmp_path / "halves.json"
    path.write_text(r'{"\ud800": ["a\udfff", "\ud83d\ude00", 10, null, 0.1]}')
    assert read_json(path) == {"\ufffd": ["a\ufffd", "\U0001f600", 10, None, 0.1]}
