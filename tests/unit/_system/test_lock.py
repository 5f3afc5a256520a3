"""One process writes to a file, and another is told which."""

import errno
import os
import subprocess
import sys

import pytest

from nwb_neurid._system import lock
from nwb_neurid._system.lock import alone, hold
from nwb_neurid.errors import CannotWrite, NeuridWarning
from nwb_neurid.writers.nwb.replacement import Fingerprint, replacement

on_posix = pytest.mark.skipif(os.name == "nt", reason="locks are those of POSIX")
HOLD = """
import sys
from pathlib import Path
from nwb_neurid._system.lock import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old" * 1000)
    return path


def beside(file):
    return sorted(other.name for other in file.parent.iterdir() if other != file)


def test_another_process_is_named_by_its_id(file):
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        said = rf"file is being written by another nwb-neurid \(process {holder.pid} on .+\)\. Try again"
        for _ in range(2):  # who was refused has not taken the name of the holder away
            with pytest.raises(CannotWrite, match=said), alone(file):
                pytest.fail("it began")
        holder.stdin.close()
    with alone(file):
        pass
    assert beside(file) == []


@on_posix
def test_a_lock_that_was_just_removed_guards_nothing(file, monkeypatch):
    """The holder removes the lock file between our opening it and our locking it."""
    inner, times = lock.hold, []

    def late(descriptor):
        if not times:
            (file.parent / ".file.neurid-lock").unlink()
        times.append(descriptor)
        return inner(descriptor)

    monkeypatch.setattr(lock, "hold", late)
    with alone(file) as sure:
        assert sure
        assert len(times) == 2
        assert beside(file) == [".file.neurid-lock"]


@on_posix
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(file, monkeypatch, number):
    def unsupported(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_lock", unsupported)
    said = "The file system of .*file knows no locks: let no other program write there"
    (file.parent / f".file.{lock.socket.gethostname()}-{2**22 + 1}.neurid-partial").touch()
    (file.parent / f".file.{lock.socket.gethostname()}-{os.getppid()}.neurid-partial").touch()
    (file.parent / ".file.elsewhere-1.neurid-partial").touch()

    def replaced():
        with replacement(file, file, Fingerprint.of(file), 10) as copy:
            assert str(os.getpid()) in copy.name
            copy.write_bytes(b"new")

    with pytest.warns(NeuridWarning, match=said) as warned:
        replaced()
    assert len(warned) == 1
    assert file.read_bytes() == b"new"
    alive = [f".file.{lock.socket.gethostname()}-{os.getppid()}.neurid-partial", ".file.elsewhere-1.neurid-partial"]
    assert beside(file) == sorted(alive)


@on_posix
def test_without_locks_the_second_writer_finds_the_file_changed(file, monkeypatch):
    monkeypatch.setattr(lock, "_lock", lambda _: (_ for _ in ()).throw(OSError(errno.ENOLCK, "none")))
    before = Fingerprint.of(file)

    def write_meanwhile():
        with replacement(file, file, before, 10) as copy:
            copy.write_bytes(b"first")
            file.write_bytes(b"of another machine")

    with pytest.warns(NeuridWarning), pytest.raises(CannotWrite, match="changed after it was read"):
        write_meanwhile()
    assert file.read_bytes() == b"of another machine"
    assert beside(file) == []


@on_posix
def test_other_faults_of_a_lock_are_not_hidden(file, monkeypatch):
    monkeypatch.setattr(lock, "_lock", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"), file.open("rb+") as opened:
        hold(opened.fileno())
