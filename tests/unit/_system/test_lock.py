"""One process writes to a file, and another is told which."""

import errno
import os
import socket
import subprocess
import sys
import time

import pytest

from nwb_neurid._system import lock as module
from nwb_neurid._system.lock import is_alive, lock, name_hidden
from nwb_neurid.errors import CannotWrite

on_posix = pytest.mark.skipif(os.name == "nt", reason="locks are those of POSIX")
HOLD = """
import sys
from pathlib import Path
from nwb_neurid._system.lock import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old" * 1000)
    return path


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "WAIT_S", 0.1)


def beside(file):
    return sorted(other.name for other in file.parent.iterdir() if other != file)


def hold(file):
    command = [sys.executable, "-c", HOLD, str(file)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    return holder


def test_another_process_is_named_by_its_id(file):
    with hold(file) as holder:
        said = rf"file is being written by another nwb-neurid command \(process {holder.pid} on .+\)\. Try again"
        for _ in range(2):  # who was refused has not taken the name of the holder away
            with pytest.raises(CannotWrite, match=said), lock(file):
                pytest.fail("it began")
        holder.stdin.close()
    with lock(file):
        pass
    assert beside(file) == []


def test_another_process_is_waited_for(file):
    with hold(file) as holder:
        holder.stdin.close()
        with lock(file, wait_s=20.0):
            assert holder.wait(1) == 0
    assert beside(file) == []


@on_posix
def test_the_lock_of_a_killed_process_is_removed(file):
    with hold(file) as holder:
        holder.kill()
        holder.wait()
    assert beside(file) == [".file.neurid-lock"]
    with lock(file):
        pass
    assert beside(file) == []


@on_posix
def test_a_lock_that_another_process_took_for_a_leftover_guards_nothing(file, monkeypatch):
    """It is removed between our making it and our locking it."""
    inner, times = module._hold, []

    def late(descriptor):
        if not times:
            (file.parent / ".file.neurid-lock").unlink()
        times.append(descriptor)
        return inner(descriptor)

    monkeypatch.setattr(module, "_hold", late)
    with lock(file):
        assert len(times) == 2
        assert beside(file) == [".file.neurid-lock"]


@on_posix
@pytest.mark.parametrize("kind", ["symbolic link", "dangling link", "hard link", "text", "folder", "pipe"])
def test_what_is_no_lock_is_neither_followed_nor_changed(file, tmp_path, kind):
    path, victim = tmp_path / ".file.neurid-lock", tmp_path / "victim"
    victim.write_text("mine")
    make = {
        "symbolic link": lambda: path.symlink_to(victim),
        "dangling link": lambda: path.symlink_to(tmp_path / "nothing"),
        "hard link": lambda: path.hardlink_to(victim),
        "text": lambda: path.write_text("somebody's notes"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
    }
    make[kind]()
    before = path.lstat()
    said = r"nwb-neurid needs to create its lock file at .*\.file\.neurid-lock, but something else is there\."
    with pytest.raises(CannotWrite, match=said), lock(file):
        pytest.fail("it began")
    assert victim.read_text() == "mine"
    assert path.lstat() == before
    assert not (tmp_path / "nothing").exists()


@on_posix
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(file, monkeypatch, number):
    def unsupported(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, "_lock", unsupported)
    path = file.parent / ".file.neurid-lock"
    with lock(file):
        said = rf"\(process {os.getpid()} on .*; if that process no longer runs, remove .*file\.neurid-lock\)"
        with pytest.raises(CannotWrite, match=said), lock(file):
            pytest.fail("it began")
    assert beside(file) == []
    path.write_text(f"{2**22 + 1} on {socket.gethostname()}")  # a process that cannot be
    with lock(file):
        pass
    path.write_text(f"{2**22 + 1} on elsewhere")
    with pytest.raises(CannotWrite, match="on elsewhere; if that process no longer runs"), lock(file):
        pytest.fail("it began")


@on_posix
def test_a_process_that_nobody_waited_for_is_not_alive():
    child = os.fork()
    if child == 0:
        os._exit(0)
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child)
    os.waitpid(child, 0)
    assert is_alive(os.getpid())


@on_posix
def test_other_faults_of_a_lock_are_not_hidden(file, monkeypatch):
    monkeypatch.setattr(module, "_lock", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"), lock(file):
        pytest.fail("it began")
    assert beside(file) == []


def test_hidden_names_stay_short(tmp_path):
    assert name_hidden(tmp_path / "file", "lock").name == ".file.neurid-lock"
    long = name_hidden(tmp_path / ("ж" * 120), "lock").name
    assert long.endswith(".neurid-lock")
    assert len(long) < 60
    assert long != name_hidden(tmp_path / ("ж" * 121), "lock").name
