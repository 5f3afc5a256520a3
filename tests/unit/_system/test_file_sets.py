"""Files of a folder take their places together, whenever a process is killed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from nwb_neurid._system.file_sets import find_file, find_files, finish, has_set, replace_files, write_files
from nwb_neurid.errors import CannotWrite

OWN = ("parts/*.txt",)
OLD = {"main.txt": "old", "other.txt": "old", "parts/a.txt": "old", "parts/b.txt": "old"}
NEW = {"main.txt": "new", "other.txt": "new", "parts/a.txt": "new", "parts/c.txt": "new"}
MINE = {"mine.txt": "mine", "figures/one.txt": "mine", ".git/config": "mine", "parts/mine.md": "mine"}
NEXT = ".main.txt.neurid-new"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    put(folder, OLD | MINE)
    return folder


def put(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def replace(folder):
    with replace_files(folder, "main.txt", own=OWN) as made:
        put(made, NEW)


def read(folder):
    """The set, as a reader finds it."""
    names = ["main.txt", "other.txt"]
    found = {name: find_file(folder, "main.txt", name).read_text() for name in names}
    return found | {f"parts/{path.name}": path.read_text() for path in find_files(folder, "main.txt", "parts/*.txt")}


def test_they_are_replaced_and_nothing_else(folder):
    folder.chmod(0o700)
    (folder / "main.txt").chmod(0o640)
    replace(folder)
    assert contents(folder) == NEW | MINE
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "main.txt").stat().st_mode & 0o777 == 0o640
    assert read(folder) == NEW


def test_a_new_folder(tmp_path):
    folder = tmp_path / "there" / "new"
    with write_files(folder, "main.txt", own=OWN) as made:
        put(made, NEW)
        assert not folder.exists()
    assert contents(folder) == NEW
    assert [path.name for path in folder.parent.iterdir()] == ["new"]
    with write_files(folder, "main.txt", own=OWN) as made:
        put(made, OLD)
    assert contents(folder) == OLD


@pytest.mark.parametrize("there", [True, False])
def test_a_fault_leaves_everything_as_it_was(folder, there):
    before = contents(folder)

    def fail():
        with write_files(folder if there else folder / "new", "main.txt", own=OWN) as made:
            put(made, {"main.txt": "half"})
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert contents(folder) == before
    assert not list(folder.glob(".main*"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_process_that_is_killed_anywhere_leaves_the_old_or_the_new(folder):
    """At every call that changes the disk."""
    before, seen = contents(folder), []
    for at in range(60):
        shutil.rmtree(folder)
        put(folder, before)
        child = os.fork()
        if child == 0:
            die_at(at)
            replace(folder)
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        found = read(folder)
        assert found in (OLD, NEW), at
        seen.append(found == NEW)
        assert has_set(folder, "main.txt")
        if found == NEW:
            finish(folder, "main.txt", own=OWN)
            assert contents(folder) == NEW | MINE, at
        replace(folder)
        assert contents(folder) == NEW | MINE, at
        if not killed:
            break
    assert not killed
    assert seen == sorted(seen)
    assert 5 < sum(seen) < len(seen) - 5


def die_at(at):
    """End this process at a call that changes the disk."""
    count = [0]

    def dying(inner):
        def call(*arguments, **options):
            if count[0] == at:
                os._exit(9)
            count[0] += 1
            return inner(*arguments, **options)

        return call

    for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
        setattr(os, name, dying(getattr(os, name)))
    Path.write_text = dying(Path.write_text)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_new_folder_that_was_just_in_place_leaves_nothing_for_the_next(tmp_path):
    folder = tmp_path / "folder"
    child = os.fork()
    if child == 0:
        shutil.rmtree = lambda *_, **__: os._exit(9)
        with write_files(folder, "main.txt") as made:
            put(made, NEW)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert contents(folder) == NEW
    with write_files(folder, "main.txt", own=OWN) as made:
        put(made, OLD)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_forged_list_leads_nowhere_else(folder, tmp_path):
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    names = ["../victim.txt", str(victim), "main.txt", "a\\b", 7]
    put(folder / NEXT, {"main.txt": "forged", "files.json": json.dumps(names), "victim.txt": "forged"})
    put(folder, {f"{NEXT}/../victim.txt": "forged"})
    replace(folder)
    assert victim.read_text() == "mine"
    assert contents(folder) == NEW | MINE | {"victim.txt": "forged"}


@pytest.mark.parametrize("content", ["{", "{}", "[" * 100_000, None])
def test_a_damaged_list_counts_for_nothing(folder, content):
    put(folder / NEXT, {"main.txt": "half", **({} if content is None else {"files.json": content})})
    assert read(folder) == OLD
    finish(folder, "main.txt", own=OWN)
    assert contents(folder) == OLD | MINE


def test_links_and_folders_in_the_way_are_refused(folder, tmp_path):
    before = contents(folder)
    shutil.move(folder / "parts", tmp_path / "elsewhere")
    (folder / "parts").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotWrite, match=r"parts is a link, not a folder of its own\. Remove the"):
        replace(folder)
    (folder / "parts").unlink()
    shutil.move(tmp_path / "elsewhere", folder / "parts")
    assert contents(folder) == before
    (folder / "other.txt").unlink()
    (folder / "other.txt").mkdir()
    with pytest.raises(CannotWrite, match=r"other\.txt is a folder, but a file has to be written there\."):
        replace(folder)
    assert (folder / "main.txt").read_text() == "old"


def test_a_file_that_is_a_link_is_replaced_and_not_what_it_leads_to(folder, tmp_path):
    (folder / "main.txt").unlink()
    (tmp_path / "stored").write_text("stored")
    (folder / "main.txt").symlink_to(tmp_path / "stored")
    replace(folder)
    assert (tmp_path / "stored").read_text() == "stored"
    assert not (folder / "main.txt").is_symlink()


def test_an_error_while_moving_can_be_mended(folder, monkeypatch):
    inner, times = Path.replace, []

    def replace_twice(path, target):
        times.append(target)
        if len(times) == 3:
            raise OSError(5, "broken")
        return inner(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace_twice)
        with pytest.raises(OSError, match="broken"):
            replace(folder)
    assert read(folder) == NEW
    finish(folder, "main.txt", own=OWN)
    assert contents(folder) == NEW | MINE
